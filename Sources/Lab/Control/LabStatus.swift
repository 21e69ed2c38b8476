/// What runs in a lab, as `lab ps -o json` prints it.
package struct LabStatus: Codable, Sendable {
    /// The lab's name.
    package var lab: String
    /// The supervisor's process id as the asking process sees it.
    package var supervisor: Int32 = 0
    package var nodes: [Node] = []
    package var pods: [Pod] = []

    package init(lab: String) {
        self.lab = lab
    }

    /// A node and its proxies.
    package struct Node: Codable, Sendable {
        package var name: String
        package var addresses: [String]
        package var podPrefixes: [String]
        /// `Running`, `Stopping` (it drains), `Stopped`, `Restarting` or `NoMesh`.
        package var state: String
        /// Its `ambit-node` processes as the lab numbers them, oldest first.
        package var processes: [Process]
        /// Whether its link is cut.
        package var isCut: Bool
        /// How often `ambit-node` was started again after it ended by itself.
        package var restarts: Int
    }

    /// One `ambit-node`.
    package struct Process: Codable, Sendable {
        package var pid: Int32
        /// Whether this very process listens on the readiness port.
        package var listens: Bool
    }

    /// A pod.
    package struct Pod: Codable, Sendable {
        package var namespace: String
        package var name: String
        package var uid: String
        package var node: String
        package var addresses: [String]
        package var enrolled: Bool
        /// Whether its containers have been started; an enrolled pod's wait for the proxy.
        package var isStarted: Bool
        /// Whether somebody listens on every port that its probes go to.
        package var isReady: Bool
        /// `Running`, `Waiting` (to be started again), `Succeeded` or `Failed`.
        package var state: String
        /// The running containers' processes as the lab numbers them.
        package var processes: [Int32]
        package var restarts: Int
        /// How the container that ended last did so.
        package var lastExitCode: Int32?
        /// Why it cannot be started, when it cannot.
        package var reason: String?
    }
}
