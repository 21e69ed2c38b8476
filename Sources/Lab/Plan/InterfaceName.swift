/// Names of network interfaces, of 15 bytes at most: a prefix and a hash of what they serve.
package enum InterfaceName {
    /// The bridge between the nodes.
    package static let bridge = "fabric"

    /// A node's port on the bridge.
    package static func port(ofNode name: String) -> String { "n" + hash("node/" + name) }

    /// A pod's end in its node.
    package static func link(ofPod key: String) -> String { "p" + hash("pod/" + key) }

    // 64-bit FNV-1a, cut to 56 bits: 14 hexadecimal digits.
    private static func hash(_ text: String) -> String {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 {
            value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
        }
        let digits = String(value >> 8, radix: 16)
        return String(repeating: "0", count: 14 - digits.count) + digits
    }
}
