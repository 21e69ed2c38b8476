package import Mesh

/// What the lab runs for a Pod.
///
/// Two plans are equal when the running pod need not be made anew.
package struct PodPlan: Sendable, Equatable {
    /// When an ended container is started again.
    package enum RestartPolicy: Sendable, Hashable { case always, onFailure, never }

    /// One container: a process of the host's filesystem.
    package struct Container: Sendable, Equatable {
        package var name: String
        /// Command and arguments; empty means that the container only waits.
        package var arguments: [String]
        /// `NAME=VALUE` entries.
        package var environment: [String]
        /// The directory it starts in; `/` when nil.
        package var directory: String?

        package init(
            name: String,
            arguments: [String],
            environment: [String] = [],
            directory: String? = nil
        ) {
            self.name = name
            self.arguments = arguments
            self.environment = environment
            self.directory = directory
        }
    }

    package var namespace: String
    package var name: String
    package var uid: String
    package var node: String
    package var addresses: [IPAddress]
    /// Whether it shares its node's network.
    package var usesHostNetwork: Bool = false
    /// Containers that run to their end, one after the other, before the others start.
    package var initialContainers: [Container] = []
    package var containers: [Container] = []
    /// The ports that probes go to; the pod is ready when all have a listener.
    package var probePorts: [UInt16] = []
    package var restartPolicy: RestartPolicy = .always
    package var hostname: String
    /// The texts of `/etc/hosts` and `/etc/resolv.conf`; a nil one is the host's own.
    package var hostsFile: String?
    package var resolverFile: String?

    package init(namespace: String, name: String, uid: String, node: String) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.node = node
        self.addresses = []
        self.hostname = name
    }

    /// What names the pod: `namespace/name`.
    package var key: String { namespace + "/" + name }
}
