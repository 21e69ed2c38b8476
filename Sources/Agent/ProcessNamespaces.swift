package import Reactor

/// Finds the network namespaces of running pods by their processes.
///
/// Needs the host's processes in `/proc` and CAP_SYS_PTRACE. Calls block for some milliseconds for
/// each thousand processes; any thread may make them.
package struct ProcessNamespaces: Sendable {
    /// Processes of one pod that are looked at, oldest first.
    private static let processesPerPodMax = 64

    private let root: String
    /// The namespaces that are the node's, not a pod's.
    private let hosts: Set<NetworkNamespace.Identity>

    /// Looks under `root`, which is `/proc` but for tests.
    package init(root: String = "/proc") throws(SystemError) {
        self.root = root
        var hosts: Set<NetworkNamespace.Identity> = []
        hosts.insert(try NetworkNamespace.current().identity)
        // In a container without the host's processes 1 is a process like any other.
        if let first = try? NetworkNamespace(path: "\(root)/1/ns/net").identity {
            hosts.insert(first)
        }
        self.hosts = hosts
    }

    /// Whether a namespace is the node's own, which nobody may capture.
    package func isHost(_ namespace: HeldNamespace) -> Bool { hosts.contains(namespace.identity) }

    /// The namespaces of the pods with these UIDs, as far as a process of theirs lives in one.
    ///
    /// The oldest process counts: it is the sandbox's. One in the node's own namespace, such as
    /// CRI-O's monitor, is passed over.
    package func find(_ uids: Set<String>) -> [String: HeldNamespace] {
        guard !uids.isEmpty, let names = try? Folder.names(root) else { return [:] }
        var processes: [String: [(start: UInt64, id: String)]] = [:]
        for name in names where name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let uid = podUID(process: name), uids.contains(uid),
                let start = startTime(process: name)
            else { continue }
            processes[uid, default: []].append((start, name))
        }
        var found: [String: HeldNamespace] = [:]
        for (uid, all) in processes {
            let oldest = all.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
            for process in oldest.prefix(ProcessNamespaces.processesPerPodMax) {
                guard let namespace = open(process.id, of: uid) else { continue }
                found[uid] = namespace
                break
            }
        }
        return found
    }

    private func open(_ process: String, of uid: String) -> HeldNamespace? {
        guard let namespace = try? HeldNamespace(path: "\(root)/\(process)/ns/net"),
            !isHost(namespace),
            // The number may have become another process's in between.
            podUID(process: process) == uid
        else { return nil }
        return namespace
    }

    private func podUID(process: String) -> String? {
        text("\(root)/\(process)/cgroup").flatMap { PodCgroup.podUID($0) }
    }

    private func startTime(process: String) -> UInt64? {
        text("\(root)/\(process)/stat").flatMap { PodCgroup.startTime($0) }
    }

    private func text(_ path: String) -> String? {
        guard let bytes = try? WatchedFile.contents(path, bytesMax: PodCgroup.bytesMax) else {
            return nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
