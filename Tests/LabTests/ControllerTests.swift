import Foundation
import Testing

/// A lab whose nodes learn the mesh and get their certificates from `ambit-controller`.
@Suite struct `With a controller` {
    private static func deny(_ account: String) -> String {
        """
        apiVersion: security.ambit.dev/v1alpha1
        kind: AuthorizationPolicy
        metadata: {name: deny-\(account), namespace: mesh}
        spec:
          action: DENY
          rules: [{from: [{source: {principals: ["cluster.local/ns/mesh/sa/\(account)"]}}]}]
        """
    }

    private func isDenied(_ lab: TestLab, _ host: String) throws -> Bool {
        let done = try lab.load("mesh/client", host, 7001, seconds: 0.3)
        return done.good == 0 && done.bad > 0
    }

    @Test func `nodes enforce what is applied, and go on without it`() throws {
        let lab = try SharedLab.make(["--controller"])
        let far = try lab.address("mesh/far")
        #expect(try lab.load("mesh/client", far, 7001, seconds: 0.5).bad == 0)
        try lab.eventually("carried in the tunnel") {
            try !lab.access("node-2", "inbound", "sa/client").isEmpty
        }
        try lab.lab(["stop", "controller", "--signal", "KILL"])
        // Nothing new is heard of, nothing old is lost.
        try lab.apply(Self.deny("client"))
        let without = try lab.load("mesh/client", far, 7001, seconds: 2)
        #expect(without.bad == 0 && without.good > 0, "\(without.errors)")
        try lab.lab(["start", "controller"])
        try lab.eventually("the policy is enforced", within: 30) { try isDenied(lab, far) }
        try lab.lab(["delete", "AuthorizationPolicy", "deny-client", "-n", "mesh"])
        try lab.eventually("allowed again") {
            try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0
        }
    }

    @Test func `the root is replaced without a failed connection`() throws {
        let lab = try SharedLab.make([
            "--controller", "--node-flag", "certificate-lifetime=4s",
        ])
        let far = try lab.address("mesh/far")
        #expect(try lab.load("mesh/client", far, 7001, seconds: 0.5).bad == 0)
        try lab.lab(["rotate-root", "--overlap", "5"])
        let done = try lab.load("mesh/client", far, 7001, seconds: 16)
        #expect(done.bad == 0 && done.good > 50, "\(done.errors)")
        let log = try lab.lab(["logs", "controller"])
        #expect(log.components(separatedBy: "authority loaded").count > 3, "\(log)")
    }
}
