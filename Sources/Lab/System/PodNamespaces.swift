internal import CLinux
internal import Glibc
internal import Reactor

/// The network, mount and UTS namespaces of a pod, which live while this value does.
struct PodNamespaces: ~Copyable {
    let network: NetworkNamespace
    let mount: Descriptor
    let hostname: Descriptor

    /// A file laid over another in the pod's mount namespace.
    struct Bind {
        let source: String
        let target: String
    }

    /// Makes the namespaces; no process stays behind.
    ///
    /// A host-network pod shares a network namespace instead of having a new one. What is hidden
    /// is the mount point of the lab's own files, which pods must not see; were it to stay, each
    /// pod would also keep the namespaces of all others alive.
    init(
        hostname name: String,
        sharing shared: Int32? = nil,
        binds: [Bind],
        hiding hidden: String
    ) throws(SystemError) {
        var descriptors: [Int32] = [-1, -1, -1]
        var step: UnsafePointer<CChar>?
        var code: Int32 = 0
        let result = unsafe withCStrings(binds.map(\.source)) { sources in
            unsafe withCStrings(binds.map(\.target)) { targets in
                unsafe name.withCString { name in
                    unsafe hidden.withCString { hidden in
                        var sandbox = unsafe ambit_sandbox(
                            network: shared ?? -1,
                            hostname: name,
                            sources: UnsafeRawPointer(sources).assumingMemoryBound(
                                to: UnsafePointer<CChar>?.self
                            ),
                            targets: UnsafeRawPointer(targets).assumingMemoryBound(
                                to: UnsafePointer<CChar>?.self
                            ),
                            binds: Int32(binds.count),
                            hidden: hidden
                        )
                        let result = unsafe ambit_sandbox_make(&sandbox, &descriptors, &step)
                        code = errno
                        return result
                    }
                }
            }
        }
        guard result == 0 else {
            let name = unsafe step.map { unsafe String(cString: $0) } ?? "make namespaces"
            throw SystemError(call: name, code: code)
        }
        network = NetworkNamespace(owning: Descriptor(owning: descriptors[0]))
        mount = Descriptor(owning: descriptors[1])
        hostname = Descriptor(owning: descriptors[2])
    }
}
