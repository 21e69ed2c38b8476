internal import Identity
package import Node
internal import Reactor

/// What the program `ambit-node` gives its node beside the files of its configuration.
package enum AgentProgram {
    /// Makes the parts: certificates and mesh from the control plane or, without one, the lab's
    /// signer and files; pods from where the configuration says.
    @Sendable
    package static func makeParts(
        _ configuration: NodeConfiguration
    ) -> Result<NodeParts, ConfigurationFailure> {
        do throws(ConfigurationFailure) {
            let plane = try ControlPlane(configuration)
            let pods = try PodAgent(configuration, environment: Process.environment)
            let certificates: any CertificateSource =
                plane?.certificates ?? SignerClient(path: configuration.signerSocketPath)
            guard pods.isActive || plane != nil else {
                return .success(NodeParts(certificates: certificates, feed: nil))
            }
            let feed = try makeFeed(pods)
            return .success(
                NodeParts(certificates: certificates, feed: feed) { log, metrics in
                    plane?.start(feed, log, metrics)
                    // Even when it has no pods to find: it answers when the node drains.
                    pods.start(feed, log)
                }
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
