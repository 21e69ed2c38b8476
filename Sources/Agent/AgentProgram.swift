internal import Identity
package import Node
internal import Reactor

/// What the program `ambit-node` gives its node beside the files of its configuration.
package enum AgentProgram {
    /// Makes the parts: certificates from the lab's signer, pods from where the configuration says.
    @Sendable
    package static func makeParts(
        _ configuration: NodeConfiguration
    ) -> Result<NodeParts, ConfigurationFailure> {
        do throws(ConfigurationFailure) {
            let signer = SignerClient(path: configuration.signerSocketPath)
            let pods = try PodAgent(configuration, environment: Process.environment)
            guard pods.isActive else {
                return .success(NodeParts(certificates: signer, feed: nil))
            }
            let feed = try makeFeed(pods)
            return .success(
                NodeParts(certificates: signer, feed: feed) { log in pods.start(feed, log) }
            )
        } catch {
            return .failure(error)
        }
    }

    private static func makeFeed(_ pods: PodAgent) throws(ConfigurationFailure) -> NodeFeed {
        do throws(SystemError) {
            return try NodeFeed(
                onOutcome: { pods.took($0, $1) },
                onDrain: { pods.drain() }
            )
        } catch {
            throw ConfigurationFailure(key: "kubernetes", reason: error.description)
        }
    }
}
