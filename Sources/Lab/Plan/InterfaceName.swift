/// Names of network interfaces, of 15 bytes at most: a prefix and a hash of what they serve.
package enum InterfaceName {
    /// The bridge between the nodes.
    package static let bridge = "fabric"

    /// A node's port on the bridge.
    package static func port(ofNode name: String) -> String { "n" + hash("node/" + name) }

    /// A pod's end in its node.
    package static func link(ofPod key: String) -> String { "p" + hash("pod/" + key) }

    /// A node's hardware address, the same whenever a node of that name is made.
    ///
    /// The other nodes would send to the old address of a node made anew until they notice.
    package static func hardwareAddress(ofNode name: String) -> [UInt8] {
        let value = number("node/" + name)
        // Locally administered, for one station.
        return [0x02] + (0..<5).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    // 56 bits: 14 hexadecimal digits.
    private static func hash(_ text: String) -> String {
        let digits = String(number(text) >> 8, radix: 16)
        return String(repeating: "0", count: 14 - digits.count) + digits
    }

    // 64-bit FNV-1a.
    private static func number(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { value, byte in
            (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
    }
}
