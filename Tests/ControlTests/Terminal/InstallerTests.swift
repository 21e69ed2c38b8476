import APIServerDouble
import Kubernetes
import Synchronization
import Terminal
import Testing

/// A double of an API server, a client of it, and what was told to the person who waits.
private final class Bench: Sendable {
    let double = APIServerDouble(kinds: [])
    let cluster: APIServer
    private let lines = Mutex<[String]>([])

    init() async throws {
        let address = try await double.start()
        let server = try #require(ServerAddress(address))
        cluster = APIServer(ClusterAccess(server: server))
    }

    var told: [String] { lines.withLock { $0 } }
    var tell: @Sendable (String) -> Void {
        { line in self.lines.withLock { $0.append(line) } }
    }

    /// Sets the status of a program as its controller in a cluster would.
    func rollOut(_ program: Rollout.Program, ready: Int64, of wanted: Int64) throws {
        var object = try #require(double.get(program.reference))
        let generation = object["metadata"]["generation"].integerValue ?? 1
        object["status"] = [
            "observedGeneration": .integer(generation),
            "desiredNumberScheduled": .integer(wanted), "updatedNumberScheduled": .integer(wanted),
            "numberReady": .integer(ready), "numberAvailable": .integer(ready),
            "replicas": .integer(wanted), "updatedReplicas": .integer(wanted),
            "readyReplicas": .integer(ready), "availableReplicas": .integer(ready),
        ]
        try double.put(object)
    }

    func pod(_ name: String, captured: Bool, labels: [String: Value] = [:]) throws {
        var pod: Value = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": "shop", "labels": .map(labels),
            ],
            "spec": ["nodeName": "n1"], "status": ["phase": "Running"],
        ]
        if captured { pod["metadata"]["annotations"] = ["ambit.dev/captured": "true"] }
        try double.put(pod)
    }

    func namespace(_ labels: [String: Value] = [:]) throws {
        try double.put([
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": ["name": "shop", "labels": .map(labels)],
        ])
    }
}

@Suite(.timeLimit(.minutes(1))) struct `The installer` {
    @Test func `applies everything, says so, and may be run again`() async throws {
        let bench = try await Bench()
        let installer = Installer(bench.cluster, tell: bench.tell)
        let installation = try Installation()
        try await installer.apply(installation)
        for object in installation.objects {
            let reference = try #require(Installer.reference(to: object))
            #expect(bench.double.get(reference) != nil, "\(reference.name)")
        }
        #expect(bench.told.first == "applied Namespace ambit-system")
        let before = bench.double.get(Rollout.node.reference)?["metadata"]["generation"]
        try await installer.apply(installation)
        let after = bench.double.get(Rollout.node.reference)?["metadata"]["generation"]
        #expect(before == after, "what is the same is not rolled out again")
        await bench.double.stop()
    }

    @Test func `keeps on an upgrade what was set before, but for the image`() async throws {
        let bench = try await Bench()
        let installer = Installer(bench.cluster, tell: bench.tell)
        #expect(try await installer.installed() == [])
        let first = [
            "trustDomain=corp.example", "clusterID=east", "controllerReplicas=3",
            "logLevel=info,dns=debug", "image=registry.example/ambit:0", "imagePullSecret=pull",
        ]
        try await installer.apply(try Installation(first))
        let upgrade = try Installation(
            ["clusterID=west", "imagePullPolicy=Always"],
            keeping: try await installer.installed()
        )
        #expect(
            upgrade.kept.sorted() == [
                "controllerReplicas=3", "imagePullSecret=pull", "logLevel=info,dns=debug",
                "trustDomain=corp.example",
            ]
        )
        let same = [
            "trustDomain=corp.example", "clusterID=west", "controllerReplicas=3",
            "logLevel=info,dns=debug", "imagePullSecret=pull", "imagePullPolicy=Always",
        ]
        #expect(upgrade.objects == (try Installation(same)).objects)
        // What is as it comes is not called a setting.
        try await installer.apply(upgrade)
        let again = try Installation(same, keeping: try await installer.installed())
        #expect(again.kept == [])
        await bench.double.stop()
    }

    @Test func `waits until the newest programs run, showing how far they are`() async throws {
        let bench = try await Bench()
        let installer = Installer(bench.cluster, tell: bench.tell)
        try await installer.apply(try Installation())
        try bench.rollOut(Rollout.controller, ready: 2, of: 2)
        try bench.rollOut(Rollout.node, ready: 1, of: 3)
        let task = Task { try await installer.waitForRollout(seconds: 30) }
        while !bench.told.contains("DaemonSet ambit-node: 1 of 3 ready, 3 up to date") {
            try await Pause.wait(for: .milliseconds(20))
        }
        try bench.rollOut(Rollout.node, ready: 3, of: 3)
        try await task.value
        #expect(bench.told.last == "DaemonSet ambit-node: 3 of 3 ready, 3 up to date")
        await bench.double.stop()
    }

    @Test func `gives up with what is missing`() async throws {
        let bench = try await Bench()
        let installer = Installer(bench.cluster, tell: bench.tell)
        try await installer.apply(try Installation())
        await #expect {
            try await installer.waitForRollout(seconds: 0)
        } throws: { error in
            let failure = error as? ReachError
            return failure?.reason.contains("Deployment ambit-controller") == true
                && failure?.kind == .failed
        }
        await bench.double.stop()
    }

    @Test func `removes the nodes first, waits for the pods, and leaves the policies`() async throws
    {
        let bench = try await Bench()
        let installer = Installer(bench.cluster, tell: bench.tell)
        try await installer.apply(try Installation())
        try bench.namespace()
        try bench.pod("web", captured: true)
        let task = Task { try await installer.remove(includingKinds: false, seconds: 30) }
        while !bench.told.contains("1 pods are still captured") {
            try await Pause.wait(for: .milliseconds(20))
        }
        #expect(bench.double.get(Rollout.node.reference) == nil)
        #expect(bench.double.get(Rollout.controller.reference) != nil, "it goes after the nodes")
        try bench.pod("web", captured: false)
        try await task.value
        #expect(bench.double.get(Rollout.controller.reference) == nil)
        let kinds = try #require(try Installation().kinds.first)
        #expect(bench.double.get(try #require(Installer.reference(to: kinds))) != nil)
        try await installer.remove(includingKinds: true, seconds: 30)
        #expect(bench.double.get(try #require(Installer.reference(to: kinds))) == nil)
        await bench.double.stop()
    }

    @Test func `names the object that the cluster refuses`() async throws {
        let bench = try await Bench()
        var reviewer = Reviewer()
        reviewer.forbids = { _, path in path.contains("clusterroles") }
        bench.double.reviewer = reviewer
        let installer = Installer(bench.cluster, tell: bench.tell)
        let installation = try Installation()
        await #expect { try await installer.apply(installation) } throws: { error in
            let failure = error as? ClusterError
            return failure?.code == .forbidden
                && failure?.reason.contains("ClusterRole ambit-controller") == true
        }
        await bench.double.stop()
    }
}

@Suite(.timeLimit(.minutes(1))) struct `Enrolling a namespace` {
    @Test func `sets the label and waits for every running pod`() async throws {
        let bench = try await Bench()
        try bench.namespace()
        try bench.pod("web", captured: true)
        try bench.pod("api", captured: false)
        try bench.pod("out", captured: false, labels: ["ambit.dev/dataplane-mode": "none"])
        let enrolling = Enrolling(bench.cluster, tell: bench.tell)
        let task = Task { try await enrolling.run("shop", enrol: true, seconds: 30) }
        while !bench.told.contains("1 of 2 pods captured") {
            try await Pause.wait(for: .milliseconds(20))
        }
        try bench.pod("api", captured: true)
        try await task.value
        #expect(bench.told.last == "2 of 2 pods captured")
        let space = bench.double.get(ObjectReference(.namespaces, name: "shop"))
        #expect(space?["metadata"]["labels"]["ambit.dev/dataplane-mode"] == "ambient")
        await bench.double.stop()
    }

    @Test func `takes the label away again and waits for the release`() async throws {
        let bench = try await Bench()
        try bench.namespace(["ambit.dev/dataplane-mode": "ambient", "team": "a"])
        try bench.pod("web", captured: false)
        let enrolling = Enrolling(bench.cluster, tell: bench.tell)
        try await enrolling.run("shop", enrol: false, seconds: 30)
        let space = bench.double.get(ObjectReference(.namespaces, name: "shop"))
        #expect(space?["metadata"]["labels"] == ["team": "a"])
        await bench.double.stop()
    }

    @Test func `says which pods do not follow`() async throws {
        let bench = try await Bench()
        try bench.namespace()
        try bench.pod("web", captured: false)
        let enrolling = Enrolling(bench.cluster, tell: bench.tell)
        await #expect {
            try await enrolling.run("shop", enrol: true, seconds: 0)
        } throws: { error in
            let failure = error as? ReachError
            return failure?.reason.contains("waiting: web") == true && failure?.kind == .failed
        }
        for name in ["nowhere", "ambit-system"] {
            await #expect(throws: ReachError.self) {
                try await enrolling.run(name, enrol: true, seconds: 0)
            }
        }
        await bench.double.stop()
    }
}

@Suite(.timeLimit(.minutes(1))) struct `A check` {
    private func node(_ kubelet: String, _ kernel: String) -> Value {
        [
            "apiVersion": "v1", "kind": "Node", "metadata": ["name": "n1"],
            "status": [
                "nodeInfo": [
                    "operatingSystem": "linux", "kubeletVersion": .string(kubelet),
                    "kernelVersion": .string(kernel),
                ]
            ],
        ]
    }

    @Test(arguments: [
        ("v1.36.1", "6.12.0", 0, 0), ("v1.29.9", "6.12.0", 1, 0), ("v1.36.0", "5.10.0-28", 0, 1),
        ("v1.36.0", "4.15.0", 1, 0), ("v1.100.0+k3s1", "10.1", 0, 0),
    ])
    func `before the install judges versions`(
        kubelet: String,
        kernel: String,
        failures: Int,
        warnings: Int
    ) async throws {
        let bench = try await Bench()
        try bench.double.put(node(kubelet, kernel))
        let report = try await PreflightCheck(bench.cluster).run()
        #expect(report.failures == failures)
        #expect(report.warnings == warnings, "\(report.text())")
        await bench.double.stop()
    }

    @Test func `before the install asks for rights and looks for neighbours`() async throws {
        let bench = try await Bench()
        var reviewer = Reviewer()
        reviewer.allows = { review in
            review["resourceAttributes"]["resource"] != "clusterroles"
        }
        bench.double.reviewer = reviewer
        try bench.double.put([
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": ["name": "ztunnel", "namespace": "kube-system"],
        ])
        let report = try await PreflightCheck(bench.cluster).run()
        let failed = report.items.filter { $0.outcome == .failure }
        #expect(failed.map(\.title) == ["you may create clusterroles"])
        #expect(report.items.contains { $0.title.contains("ztunnel") && $0.outcome == .warning })
        await bench.double.stop()
    }

    @Test func `of an installation names each cause and what mends it`() async throws {
        let bench = try await Bench()
        let empty = try await MeshCheck(bench.cluster).run()
        #expect(empty.failures == 4, "\(empty.text())")
        #expect(empty.items.first { $0.outcome == .failure }?.remedy == "ambit install")
        try await Installer(bench.cluster, tell: bench.tell).apply(try Installation())
        try bench.rollOut(Rollout.controller, ready: 2, of: 2)
        try bench.rollOut(Rollout.node, ready: 1, of: 1)
        try bench.double.put([
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": ["name": "ambit-ca-root", "namespace": "ambit-system"],
            "data": ["root-cert.pem": "-----BEGIN CERTIFICATE-----"],
        ])
        try bench.namespace(["ambit.dev/dataplane-mode": "ambient"])
        try bench.pod("web", captured: true)
        let good = try await MeshCheck(bench.cluster).run()
        #expect(good.failures == 0, "\(good.text())")
        #expect(good.warnings == 0, "\(good.text())")
        try bench.pod("api", captured: false)
        try bench.double.put([
            "apiVersion": "security.ambit.dev/v1alpha1", "kind": "AuthorizationPolicy",
            "metadata": ["name": "odd", "namespace": "shop"], "spec": ["action": "ALLOW"],
            "status": [
                "conditions": [
                    ["type": "Accepted", "status": "False", "message": "spec.action: is odd"]
                ]
            ],
        ])
        try bench.double.put([
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": ["name": "only-80", "namespace": "shop"],
            "spec": ["ingress": [["ports": [["port": 80]]]]],
        ])
        let bad = try await MeshCheck(bench.cluster).run()
        #expect(bad.failures == 2, "\(bad.text())")
        #expect(bad.warnings == 1, "\(bad.text())")
        let text = bad.text()
        #expect(text.contains("not as labelled: api"))
        #expect(text.contains("because: spec.action: is odd"))
        #expect(text.contains("NetworkPolicy shop/only-80 lets port 15008 in"))
        #expect(bad.value["failures"] == 2)
        await bench.double.stop()
    }
}
