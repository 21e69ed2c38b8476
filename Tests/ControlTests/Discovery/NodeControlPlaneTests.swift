import Agent
import Node
import Testing

@Suite("A node's control plane")
struct NodeControlPlaneTests {
    private func configuration(
        _ environment: [String: String],
        _ arguments: [String] = []
    ) throws -> NodeConfiguration {
        var environment = environment
        environment["NODE_NAME"] = "node-1"
        let invocation = try NodeConfiguration.parse(
            arguments: arguments + ["--kubernetes", "off"],
            environment: environment,
            readFile: { _ in .failure(ConfigurationFileFailure(reason: "is not there")) }
        )
        guard case .run(let configuration) = invocation else {
            Issue.record("\(invocation)")
            return NodeConfiguration()
        }
        return configuration
    }

    @Test func `is named by the variables that other node proxies use`() throws {
        let found = try configuration([
            "XDS_ADDRESS": "https://istiod.istio-system.svc:15012",
            "CA_ADDRESS": "https://ca.istio-system.svc:15012", "XDS_ROOT_CA": "/root.pem",
            "CA_ROOT_CA": "SYSTEM", "AUTH_TOKEN": "/token", "POD_NAME": "ztunnel-x",
            "POD_NAMESPACE": "istio-system", "INSTANCE_IP": "10.0.0.9",
            "ISTIO_META_CLUSTER_ID": "c1", "CLUSTER_ID": "c2", "NETWORK": "n1",
            "TRUST_DOMAIN": "td",
        ])
        #expect(found.controlPlane.address == "https://istiod.istio-system.svc:15012")
        #expect(found.controlPlane.authorityAddress == "https://ca.istio-system.svc:15012")
        #expect(found.controlPlane.roots == "/root.pem")
        #expect(found.controlPlane.authorityRoots == "SYSTEM")
        #expect(found.controlPlane.token == "/token")
        #expect(found.controlPlane.podName == "ztunnel-x")
        #expect(found.controlPlane.instanceIP == "10.0.0.9")
        #expect(found.agent.namespace == "istio-system")
        #expect(found.clusterID == "c1")
        #expect(found.network == "n1")
        #expect(found.trustDomain == "td")
    }

    @Test func `is ours before theirs, and their empty ones count as not given`() throws {
        let found = try configuration([
            "XDS_ADDRESS": "theirs:1", "AMBIT_CONTROLLER_ADDRESS": "ours:1", "TRUST_DOMAIN": "",
            "POD_NAME": "p",
        ])
        #expect(found.controlPlane.address == "ours:1")
        #expect(found.trustDomain == "cluster.local")
        #expect(try configuration(["XDS_ADDRESS": ""]).controlPlane.address == "")
    }

    @Test(arguments: [
        ("controller-address", ["--controller-address", "nowhere", "--pod-name", "p"]),
        ("controller-address", ["--controller-address", "a:0", "--pod-name", "p"]),
        ("ca-address", ["--controller-address", "a:1", "--ca-address", "b", "--pod-name", "p"]),
        ("pod-name", ["--controller-address", "a:1"]),
        (
            "controller-address",
            ["--controller-address", "a:1", "--pod-name", "p", "--mesh-state", "/m.json"]
        ),
    ])
    func `is refused by the key that is wrong`(key: String, arguments: [String]) throws {
        switch AgentProgram.makeParts(try configuration([:], arguments)) {
        case .success: Issue.record("taken")
        case .failure(let failure): #expect(failure.problems.map(\.key) == [key])
        }
    }

    @Test func `takes the place of files and of the signer`() throws {
        let arguments = ["--controller-address", "localhost:1", "--pod-name", "p"]
        let parts = try AgentProgram.makeParts(try configuration([:], arguments)).get()
        #expect(parts.feed != nil)
        #expect(try AgentProgram.makeParts(try configuration([:])).get().feed == nil)
    }
}
