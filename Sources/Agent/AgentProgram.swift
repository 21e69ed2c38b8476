internal import Identity
package import Node

/// What the program `ambit-node` gives its node beside the files of its configuration.
package enum AgentProgram {
    /// Makes the parts: certificates from the lab's signer, nothing else yet.
    @Sendable
    package static func makeParts(
        _ configuration: NodeConfiguration
    ) -> Result<NodeParts, ConfigurationFailure> {
        let signer = SignerClient(path: configuration.signerSocketPath)
        return .success(NodeParts(certificates: signer, feed: nil))
    }
}
