/// What a supervisor is started with.
package struct SupervisorOptions: Sendable, Codable {
    /// The lab's name, part of its control socket's.
    package var name: String
    /// The `ambit-node` program; nil for a lab without a mesh.
    package var nodeBinary: String?
    /// The `ambit-controller` program; nil for a lab whose nodes read files.
    package var controllerBinary: String?
    /// How many replicas of it run.
    package var controllers = 1
    /// `KEY=VALUE` entries that become flags of every `ambit-node`.
    package var nodeFlags: [String] = []
    /// A PEM file with the root's certificate and key; nil for a new root that lives in memory.
    package var authority: String?

    /// The most replicas of the controller.
    package static let controllersMax = 5

    package init(name: String) {
        self.name = name
    }
}
