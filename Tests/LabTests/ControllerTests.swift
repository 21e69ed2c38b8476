import Foundation
import Testing

/// What the nodes' control plane does to their traffic when it fails, returns or is replaced.
@Suite(.serialized) struct `The controllers of a lab` {
    /// Two controllers; certificates that are renewed about every five seconds.
    private static func twoControllers(lifetime: Int = 10) throws -> TestLab {
        try SharedLab.make([
            "--controllers", "2", "--node-flag", "certificate-lifetime=\(lifetime)s",
        ])
    }

    /// A policy that denies a port which the load of these tests does not use.
    private static let denyPort = """
        apiVersion: security.ambit.dev/v1alpha1
        kind: AuthorizationPolicy
        metadata: {name: deny-who, namespace: mesh}
        spec: {action: DENY, rules: [{to: [{operation: {ports: ["7006"]}}]}]}
        """

    private func isDenied(_ lab: TestLab, _ host: String) throws -> Bool {
        let done = try lab.load("mesh/client", host, 7006, seconds: 0.2)
        return done.good == 0 && done.bad > 0
    }

    /// Applies the policy, sees it enforced, deletes it, sees it gone.
    private func change(_ lab: TestLab, _ host: String) throws {
        try lab.apply(Self.denyPort)
        try lab.eventually("the policy is enforced") { try isDenied(lab, host) }
        try lab.lab(["delete", "AuthorizationPolicy", "deny-who", "-n", "mesh"])
        try lab.eventually("allowed again") { try !isDenied(lab, host) }
    }

    @Test func `are each other's stand-in: one is killed and nothing is lost`() throws {
        let lab = try Self.twoControllers()
        let far = try lab.address("mesh/far")
        let live = try lab.start("mesh/client", Programs.live, [far, "7001"])
        let load = try lab.start("mesh/client", Programs.load, [far, "7001", "14"])
        for _ in 0..<2 {
            let serving = try lab.controller(of: "node-1")
            let other = serving == "controller-1" ? "controller-2" : "controller-1"
            let before = try lab.discovery("node-1")
            let issued = try lab.certificates("node-1")
            try lab.lab(["stop", serving, "--signal", "KILL"])
            try lab.eventually("both nodes follow the other one", within: 8) {
                try lab.controller(of: "node-1") == other
                    && lab.controller(of: "node-2") == other
            }
            let after = try lab.discovery("node-1")
            #expect(after.messages > before.messages)
            #expect(after.bytes - before.bytes < 200, "\(before) then \(after)")
            try change(lab, far)
            try lab.eventually("a certificate is issued") {
                try lab.certificates("node-1") > issued
            }
            try lab.lab(["start", serving])
        }
        let done = try Load(load.finish())
        #expect(done.bad == 0 && done.good > 100, "\(done.errors)")
        #expect(live.isRunning && !live.outputSoFar.contains("rst"))
        live.stop()
    }

    @Test func `may all be gone: traffic goes on, and only differences come later`() throws {
        let lab = try Self.twoControllers()
        let far = try lab.address("mesh/far")
        let initial = try lab.discovery("node-1")
        #expect(initial.bytes > 500, "the mesh was sent: \(initial)")
        let live = try lab.start("mesh/client", Programs.live, [far, "7001"])
        try lab.eventually("connected") { live.outputSoFar.contains("up") }
        try lab.lab(["stop", "controller", "--signal", "KILL"])
        // Nothing new is heard of, nothing old is lost.
        try lab.apply(Self.denyPort)
        try lab.apply(SharedLab.pod("mesh", "late", "node-2", account: "late"))
        let without = try lab.load("mesh/client", far, 7001, seconds: 2)
        #expect(without.bad == 0 && without.good > 50, "\(without.errors)")
        #expect(try !isDenied(lab, far), "nobody is there to say so")
        let issued = try lab.certificates("node-1")
        try lab.lab(["start", "controller"])
        try lab.eventually("the policy is enforced", within: 8) { try isDenied(lab, far) }
        let later = try lab.discovery("node-1")
        // One pod of two lines, not the seven that are known.
        #expect(later.bytes > initial.bytes)
        #expect(later.bytes - initial.bytes < initial.bytes / 3, "\(initial) then \(later)")
        try lab.eventually("a certificate is issued") { try lab.certificates("node-1") > issued }
        #expect(live.isRunning && !live.outputSoFar.contains("rst"))
        live.stop()
    }

    @Test func `replace the root without a failed connection`() throws {
        let lab = try Self.twoControllers(lifetime: 4)
        let far = try lab.address("mesh/far")
        #expect(try lab.load("mesh/client", far, 7001, seconds: 0.5).bad == 0)
        try lab.lab(["rotate-root", "--overlap", "5"])
        let done = try lab.load("mesh/client", far, 7001, seconds: 16)
        #expect(done.bad == 0 && done.good > 50, "\(done.errors)")
        for name in ["controller-1", "controller-2"] {
            let log = try lab.lab(["logs", name])
            #expect(log.components(separatedBy: "authority loaded").count > 3, "\(log)")
        }
    }

    @Test func `apply a file whole or not at all, and keep what was good`() throws {
        let lab = try SharedLab.make()
        let far = try lab.address("mesh/far")
        let folder = try lab.controllerFolder()
        func put(_ text: String) throws {
            let file = URL(fileURLWithPath: folder + "/extra.yaml")
            try Data(text.utf8).write(to: file, options: .atomic)
        }
        func refusal(_ part: String) throws {
            try lab.eventually("the controller says what is wrong: \(part)") {
                try lab.lab(["logs", "controller"]).contains(part)
            }
            // What was in force is in force, and nothing of the file beside it is.
            #expect(try isDenied(lab, far))
            #expect(try lab.load("mesh/client", far, 7001, seconds: 0.3).bad == 0)
        }
        try put(Self.denyPort)
        try lab.eventually("the policy is enforced") { try isDenied(lab, far) }
        let denyOther = Self.denyPort.replacing("deny-who", with: "deny-other")
            .replacing("7006", with: "7001")
        let allowAll = Self.denyPort.replacing("\"7006\"", with: "\"1\"")
        try put(denyOther + "\n---\n" + allowAll + "\n---\nkind: [half of a")
        try refusal("extra.yaml")
        // Good YAML, but no policy: that object keeps its last good version.
        try put(Self.denyPort.replacing("DENY", with: "PERHAPS"))
        try refusal("must be ALLOW or DENY")
        try put(Self.denyPort.replacing("7006", with: "70066"))
        try refusal("operation.ports")
        try put("")
        try lab.eventually("allowed again") { try !isDenied(lab, far) }
    }
}

extension TestLab {
    /// The controller a node last connected to.
    func controller(of node: String) throws -> String {
        let line = try logs(node).last { $0.contains("connected to the controller") } ?? ""
        if line.contains(":15012\"") { return "controller-1" }
        return line.contains(":15022\"") ? "controller-2" : "none: \(line)"
    }

    /// How often a node got a certificate for its pod that is client.
    func certificates(_ node: String) throws -> Int {
        try logs(node).filter { $0.contains("certificate issued") && $0.contains("sa/client") }
            .count
    }

    /// Responses about workloads and services that a node had, and their bytes.
    func discovery(_ node: String) throws -> (messages: Int, bytes: Int) {
        let lines = try lab(["metrics", node]).split(separator: "\n")
        func value(_ name: String) -> Int {
            let line = lines.first { $0.hasPrefix(name + "{") && $0.contains("workload.Address") }
            return line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
        }
        return (value("istio_xds_message_total"), value("istio_xds_message_bytes_total"))
    }

    /// The folder of objects that the controller reads, as this process reaches it.
    func controllerFolder() throws -> String {
        struct Status: Decodable { let supervisor: Int }
        let text = try lab(["ps", "-o", "json"])
        let status = try JSONDecoder().decode(Status.self, from: Data(text.utf8))
        return ["", "proc", "\(status.supervisor)", "root", "dev/shm/ambit-lab/objects"]
            .joined(separator: "/")
    }
}
