internal import Foundation

/// Who listens on a port, by the kernel's tables in /proc.
package enum SocketTable {
    /// The inodes of the TCP sockets that listen on a port in the namespace of a process.
    ///
    /// The process is a number, or `thread-self` for the calling thread's namespace.
    static func listeners(port: UInt16, of process: String) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for table in ["tcp", "tcp6"] {
            guard let text = read("/proc/\(process)/net/\(table)") else { continue }
            found.formUnion(listeners(port: port, in: text))
        }
        return found
    }

    /// Whether a process itself holds a socket that listens on a port.
    static func listens(process: Int32, port: UInt16) -> Bool {
        let inodes = listeners(port: port, of: String(process))
        guard !inodes.isEmpty else { return false }
        let directory = "/proc/\(process)/fd"
        let files = FileManager.default
        return ((try? files.contentsOfDirectory(atPath: directory)) ?? []).contains { entry in
            guard
                let target = try? files.destinationOfSymbolicLink(atPath: directory + "/" + entry),
                target.hasPrefix("socket:["),
                let inode = UInt64(target.dropFirst(8).dropLast())
            else { return false }
            return inodes.contains(inode)
        }
    }

    /// The inodes of listening sockets in a table such as `/proc/net/tcp`.
    package static func listeners(port: UInt16, in table: String) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for line in table.split(separator: "\n").dropFirst() {
            // sl local_address rem_address st queues timer retransmits uid timeout inode …
            let columns = line.split(separator: " ", omittingEmptySubsequences: true)
            guard columns.count > 9, columns[3] == "0A",
                let text = columns[1].split(separator: ":").last,
                UInt16(text, radix: 16) == port,
                let inode = UInt64(columns[9])
            else { continue }
            found.insert(inode)
        }
        return found
    }

    // Files of /proc have no size, which readers that ask for it first take for empty.
    private static func read(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path),
            let data = try? file.readToEnd()
        else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
