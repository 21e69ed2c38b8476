/// Which pod a process belongs to, by the text of `/proc/PID/cgroup`; pure.
///
/// Known forms, of both cgroup versions: kubelet's `cgroupfs` driver makes a folder `podUID`, its
/// `systemd` driver a slice `kubepods-besteffort-podUID.slice` with underscores in the UID; below
/// them containerd, CRI-O and Docker make one for each container, under names of their own. A path
/// may begin with `..` where the reader has a cgroup namespace.
package enum PodCgroup {
    /// The largest text that is read, in bytes; a process is in at most some twenty hierarchies.
    package static let bytesMax = 64 << 10

    /// The pod's UID in lower case and with dashes where a UUID has them; nil for no pod.
    ///
    /// Of several the outermost counts: what a container makes within its own cgroup says nothing.
    package static func podUID(_ text: some StringProtocol) -> String? {
        for line in text.split(separator: "\n") {
            // HIERARCHY:CONTROLLERS:PATH, and a path may hold colons.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            for folder in fields[2].split(separator: "/") {
                if let uid = podUID(folder: folder) { return uid }
            }
        }
        return nil
    }

    private static func podUID(folder: some StringProtocol) -> String? {
        if folder.hasPrefix("pod") { return uid(folder.dropFirst(3)) }
        guard folder.hasSuffix(".slice") else { return nil }
        let slice = folder.dropLast(".slice".count)
        // The UID has no dash here, systemd would take it for a parent.
        guard let dash = slice.lastIndex(of: "-") else { return nil }
        let last = slice[slice.index(after: dash)...]
        return last.hasPrefix("pod") ? uid(last.dropFirst(3)) : nil
    }

    /// A UUID, or the 32 digits of a static pod.
    private static func uid(_ text: some StringProtocol) -> String? {
        let plain = text.lowercased().replacing("_", with: "-")
        let groups = plain.split(separator: "-", omittingEmptySubsequences: false)
        let lengths = groups.map(\.utf8.count)
        guard lengths == [8, 4, 4, 4, 12] || lengths == [32] else { return nil }
        let isHexadecimal = plain.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || byte == 0x2D
        }
        return isHexadecimal ? plain : nil
    }

    /// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    package static func startTime(_ text: some StringProtocol) -> UInt64? {
        // The second field is the program's name in parentheses, whatever it holds.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
