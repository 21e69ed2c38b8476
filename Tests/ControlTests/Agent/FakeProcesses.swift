import Foundation
import Netlink
import Reactor
import Testing

/// A network namespace and a path for others to open it by.
final class PodNamespace: Sendable {
    let namespace: NetworkNamespace
    let path: String

    init() throws {
        let made = try NetworkNamespace.create()
        path = "/proc/\(getpid())/fd/\(made.raw)"
        namespace = made
    }
}

/// A folder that looks like `/proc` to whoever looks for pods.
final class FakeProcesses: Sendable {
    let root: String

    init() throws {
        root =
            FileManager.default.temporaryDirectory
            .appending(path: "ambit-proc-\(UInt32.random(in: 0 ... .max))").path
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    /// A process of a pod; `namespace` is the path of its network namespace.
    func add(_ id: Int, pod uid: String, start: UInt64, namespace: String) throws {
        let folder = "\(root)/\(id)"
        try FileManager.default.createDirectory(
            atPath: "\(folder)/ns",
            withIntermediateDirectories: true
        )
        try "0::/kubepods/burstable/pod\(uid)/c\(id)\n".write(
            toFile: "\(folder)/cgroup",
            atomically: true,
            encoding: .utf8
        )
        let fields = (4...21).map { "\($0)" }.joined(separator: " ")
        try "\(id) (app) S \(fields) \(start) 0\n".write(
            toFile: "\(folder)/stat",
            atomically: true,
            encoding: .utf8
        )
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/ns/net",
            withDestinationPath: namespace
        )
    }

    func remove(_ id: Int) throws { try FileManager.default.removeItem(atPath: "\(root)/\(id)") }
}
