import Foundation
import Testing

/// What changes while connections are open: policies, certificates, proxies, pods, networks.
@Suite struct `A change under traffic` {
    private static func policy(_ name: String, _ spec: String) -> String {
        """
        apiVersion: security.ambit.dev/v1alpha1
        kind: AuthorizationPolicy
        metadata: {name: \(name), namespace: mesh}
        spec: \(spec)
        """
    }

    private static let denyClient = """
        {action: DENY, rules: [{from: [{source: {principals: ["cluster.local/ns/mesh/sa/client"]}}]}]}
        """

    private static func ownLab(_ flags: [String] = []) throws -> TestLab {
        try SharedLab.make(flags)
    }

    private func open(_ lab: TestLab, _ host: String, from pod: String) throws -> Running {
        let live = try lab.start(pod, Programs.live, [host, "7001"])
        try lab.eventually("connected to \(host)") { live.outputSoFar.contains("up") }
        return live
    }

    @Test func `of policy ends open connections that it denies, and names itself`() throws {
        let lab = try Self.ownLab()
        let far = try lab.address("mesh/far")
        let near = try lab.address("mesh/near")
        let hit = try [
            open(lab, far, from: "mesh/client"), open(lab, near, from: "mesh/client"),
        ]
        let spared = try open(lab, far, from: "plain/client")
        try lab.apply(Self.policy("deny-client", Self.denyClient))
        for live in hit {
            try lab.eventually("the open connection was reset") {
                live.outputSoFar.contains("rst")
            }
        }
        #expect(spared.isRunning && !spared.outputSoFar.contains("rst"))
        let refused = try lab.load("mesh/client", far, 7001, seconds: 0.5)
        #expect(refused.good == 0 && refused.bad > 0)
        try lab.eventually("the log names the policy") {
            try !lab.access("node-2", #"policy="mesh/deny-client""#, "rule=0").isEmpty
                && !lab.access("node-1", #"policy="mesh/deny-client""#, "inbound").isEmpty
        }
        try lab.lab(["delete", "AuthorizationPolicy", "deny-client", "-n", "mesh"])
        try lab.eventually("allowed again") {
            try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0
        }
        spared.stop()
    }

    @Test func `to STRICT ends plaintext connections and keeps the mesh's`() throws {
        let lab = try Self.ownLab()
        let far = try lab.address("mesh/far")
        let plain = try open(lab, far, from: "plain/client")
        let tunnelled = try open(lab, far, from: "mesh/client")
        try lab.apply(
            """
            apiVersion: security.ambit.dev/v1alpha1
            kind: PeerAuthentication
            metadata: {name: strict, namespace: mesh}
            spec: {mtls: {mode: STRICT}}
            """
        )
        try lab.eventually("plaintext was reset") { plain.outputSoFar.contains("rst") }
        #expect(tunnelled.isRunning && !tunnelled.outputSoFar.contains("rst"))
        let refused = try lab.load("plain/client", far, 7001, seconds: 0.5)
        #expect(refused.good == 0 && refused.bad > 0)
        tunnelled.stop()
    }

    @Test func `of certificates every few seconds fails no connection`() throws {
        let lab = try Self.ownLab(["--node-flag", "certificate-lifetime=4s"])
        let far = try lab.address("mesh/far")
        let live = try open(lab, far, from: "mesh/client")
        let done = try lab.load("mesh/client", far, 7001, seconds: 10)
        #expect(done.bad == 0 && done.good > 50, "\(done.errors)")
        #expect(live.isRunning && !live.outputSoFar.contains("rst"))
        let issued = try lab.logs("node-1").filter {
            $0.contains("certificate issued") && $0.contains("sa/client")
        }
        #expect(issued.count >= 3, "rotated \(issued.count) times")
        live.stop()
    }

    @Test(arguments: ["node-1", "node-2"])
    func `of a killed proxy lets nothing out in the clear and heals`(node: String) throws {
        let lab = try Self.ownLab()
        let far = try lab.address("mesh/far")
        let capture = lab.path("wire.pcap")
        let wire = try Command(
            TestLab.programs.appending(path: "ambit").path,
            ["lab", "capture", "-w", capture, "--name", lab.name]
        ).start()
        try lab.eventually("the capture began") {
            FileManager.default.fileExists(atPath: capture)
        }
        let secret = "the-secret-\(UInt64.random(in: 0 ... .max))"
        let load = try lab.start(
            "mesh/client",
            """
            import socket, sys, time
            end = time.time() + 6
            sent = 0
            while time.time() < end:
                try:
                    with socket.create_connection(("\(far)", 7001), timeout=5) as c:
                        c.sendall(b"\(secret)")
                        c.recv(100)
                        sent += 1
                except OSError:
                    pass
            print("sent", sent)
            """,
            []
        )
        try lab.lab(["restart", node, "--signal", "KILL"])
        let ended = try load.finish()
        #expect(ended.output.hasPrefix("sent "), "\(ended.error)")
        let healed = try lab.load("mesh/client", far, 7001, seconds: 1)
        #expect(healed.bad == 0 && healed.good > 0, "\(healed.errors)")
        wire.stop()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: capture))
        #expect(bytes.count > 10_000, "the capture saw the traffic")
        #expect(bytes.range(of: Data(secret.utf8)) == nil, "the secret crossed in the clear")
    }

    @Test(arguments: ["node-1", "node-2"])
    func `of proxies in turn fails no connection`(node: String) throws {
        let lab = try Self.ownLab()
        let far = try lab.address("mesh/far")
        let live = try open(lab, far, from: "mesh/client")
        let load = try lab.start("mesh/client", Programs.load, [far, "7001", "6"])
        let plain = try lab.start("plain/client", Programs.load, [far, "7001", "6"])
        try lab.lab(["restart", node, "--rolling"])
        for one in [load, plain] {
            let done = try Load(one.finish())
            #expect(done.bad == 0 && done.good > 20, "\(done.errors)")
        }
        #expect(live.isRunning && !live.outputSoFar.contains("rst"), "old connections live on")
        live.stop()
    }
}
