/// What runs in a lab, as `lab ps -o json` prints it.
package struct LabStatus: Codable, Sendable {
    /// The lab's name.
    package var lab: String
    /// The supervisor's process id as the asking process sees it.
    package var supervisor: Int32 = 0
    /// The controllers that serve the nodes; none where nodes read files.
    package var controllers: [Controller] = []
    package var nodes: [Node] = []
    package var pods: [Pod] = []

    package init(lab: String) {
        self.lab = lab
    }

    /// The controllers a name means: one, or all of them by their common name.
    package func controllers(called name: String) -> [Controller] {
        controllers.filter { $0.name == name || name == LabController.commonName }
    }

    /// A replica of the controller.
    package struct Controller: Codable, Sendable {
        package var name: String
        /// `Running`, `Stopping`, `Stopped` or `Restarting`.
        package var state: String
        /// Its process as the lab numbers it.
        package var process: Int32?
        /// How often it was started again after it ended by itself.
        package var restarts: Int
        /// Where its health and metrics are, in the supervisor's network.
        package var metricsPort: UInt16
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
