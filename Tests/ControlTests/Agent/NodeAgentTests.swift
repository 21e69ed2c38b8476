import APIServerDouble
import CNI
import Foundation
import Kubernetes
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct `The node agent` {
    @Test func `captures an enrolled pod before the plugin lets it start`() async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        let node = try stage.startNode()
        #expect(await soon { node.isReady }, "\(node.readiness)")
        let pod = try PodNamespace()
        try stage.put(pod: "web", in: "shop")
        let added = try await stage.plugin("ADD", "web", in: "shop", at: pod)
        #expect(added.status == 0, "\(added.output)")
        #expect(added.output == AgentStage.result + "\n")
        #expect(stage.isCaptured(pod))
        #expect(await soon { stage.annotation(of: "web", in: "shop") == "true" })
        let annotations = stage.pod("web", in: "shop")?["metadata"]["annotations"]
        #expect(annotations?["ambient.istio.io/redirection"].stringValue == "enabled")
        #expect(try await stage.plugin("CHECK", "web", in: "shop", at: pod).status == 0)
        // A late DEL of an older sandbox means nothing, that of this one does.
        _ = try await stage.plugin("DEL", "web", in: "shop", at: pod, sandbox: "older")
        #expect(stage.isCaptured(pod))
        _ = try await stage.plugin("DEL", "web", in: "shop", at: pod)
        #expect(await soon { !stage.isCaptured(pod) })
        #expect(await node.stop())
        await stage.double.stop()
    }

    @Test func `leaves a pod alone that is not enrolled`() async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        try stage.put(namespace: "bar")
        let node = try stage.startNode()
        #expect(await soon { node.isReady }, "\(node.readiness)")
        let (other, out) = (try PodNamespace(), try PodNamespace())
        try stage.put(pod: "other", in: "bar")
        try stage.put(pod: "out", in: "shop", mode: "none")
        #expect(try await stage.plugin("ADD", "other", in: "bar", at: other).status == 0)
        #expect(try await stage.plugin("ADD", "out", in: "shop", at: out).status == 0)
        for pod in [other, out] { #expect(!stage.isCaptured(pod)) }
        #expect(stage.pod("other", in: "bar")?["metadata"]["annotations"].mapValue == nil)
        #expect(await node.stop())
        await stage.double.stop()
    }

    @Test func `finds pods that run, and follows their labels without a restart`() async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        try stage.put(pod: "web", in: "shop", phase: "Running")
        try stage.put(pod: "done", in: "shop", phase: "Succeeded")
        try stage.put(pod: "far", in: "shop", phase: "Running", node: "n2")
        let (pod, done) = (try PodNamespace(), try PodNamespace())
        let uid = stage.uid("web", in: "shop")
        try stage.processes.add(10, pod: uid, start: 1, namespace: pod.path)
        try stage.processes.add(
            11,
            pod: stage.uid("done", in: "shop"),
            start: 1,
            namespace: done.path
        )
        let node = try stage.startNode()
        #expect(await soon { node.isReady }, "\(node.readiness)")
        #expect(stage.isCaptured(pod))
        #expect(!stage.isCaptured(done))
        #expect(await soon { stage.annotation(of: "web", in: "shop") == "true" })

        try stage.put(namespace: "shop")
        #expect(await soon { !stage.isCaptured(pod) })
        #expect(await soon { stage.annotation(of: "web", in: "shop") == nil })
        try stage.put(pod: "web", in: "shop", phase: "Running", mode: "ambient")
        #expect(await soon { stage.isCaptured(pod) })
        #expect(await soon { stage.annotation(of: "web", in: "shop") == "true" })
        try stage.put(pod: "web", in: "shop", phase: "Running", mode: "none")
        #expect(await soon { !stage.isCaptured(pod) })
        #expect(await node.stop())
        await stage.double.stop()
    }

    @Test func `leaves pods captured when it restarts, and frees those that left`()
        async throws
    {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        try stage.put(namespace: "bar", mode: "ambient")
        let (web, api) = (try PodNamespace(), try PodNamespace())
        try stage.put(pod: "web", in: "shop", phase: "Running")
        try stage.put(pod: "api", in: "bar", phase: "Running")
        try stage.run("web", in: "shop", as: 21, at: web)
        try stage.run("api", in: "bar", as: 22, at: api)
        let first = try stage.startNode()
        #expect(await soon { first.isReady }, "\(first.readiness)")
        #expect(await soon { stage.annotation(of: "api", in: "bar") == "true" })
        #expect(
            await soon { stage.read("net.d/10-x.conflist")?.contains("ambit-cni") == true }
        )
        #expect(await first.stop())
        for pod in [web, api] { #expect(stage.isCaptured(pod)) }
        #expect(stage.read("net.d/10-x.conflist")?.contains("ambit-cni") == true)

        // Nobody is here: enrolled pods wait, others do not, the system never.
        try stage.put(namespace: "bar")
        let fresh = try PodNamespace()
        let enrolled = try await stage.plugin("ADD", "new", in: "shop", at: fresh)
        #expect(enrolled.status == 1)
        #expect(enrolled.output.contains(#""code":11"#))
        #expect(try await stage.plugin("ADD", "x", in: "kube-system", at: fresh).status == 0)
        #expect(try await stage.plugin("ADD", "x", in: "default", at: fresh).status == 0)
        #expect(try await stage.plugin("DEL", "new", in: "shop", at: fresh).status == 0)

        let second = try stage.startNode()
        #expect(await soon { second.isReady }, "\(second.readiness)")
        #expect(stage.isCaptured(web))
        #expect(await soon { stage.annotation(of: "api", in: "bar") == nil })
        #expect(await soon { !stage.isCaptured(api) })
        #expect(await second.stop())
        await stage.double.stop()
    }

    @Test func `frees a pod that left before it was marked`() async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        let pod = try PodNamespace()
        try stage.put(pod: "web", in: "shop", phase: "Running")
        try stage.run("web", in: "shop", as: 21, at: pod)
        let first = try stage.startNode()
        #expect(await soon { stage.annotation(of: "web", in: "shop") == "true" })
        #expect(await first.stop())
        // As if the node had ended before the API server took its mark.
        try stage.put(namespace: "shop")
        try stage.put(pod: "web", in: "shop", phase: "Running", isMarked: false)
        #expect(await soon { stage.annotation(of: "web", in: "shop") == nil })
        #expect(stage.isCaptured(pod))

        let second = try stage.startNode()
        #expect(await soon { !stage.isCaptured(pod) })
        #expect(await second.stop())
        await stage.double.stop()
    }

    @Test func `drains when it is told to end, whatever threads its libraries start`() async throws
    {
        let stage = try await AgentStage()
        let server = stage.server
        try stage.write(
            "kubeconfig",
            """
            apiVersion: v1
            kind: Config
            current-context: c
            clusters: [{name: c, cluster: {server: "\(server)"}}]
            contexts: [{name: c, context: {cluster: c, user: u}}]
            users: [{name: u, user: {token: t}}]
            """
        )
        let process = Process()
        // A child has the signal mask of the thread that starts it, and this one blocks SIGTERM.
        let unblock = """
            import os, signal, sys
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execv(sys.argv[1], sys.argv[1:])
            """
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c", unblock, Programs.node,
            "--node-name", "n1", "--kubernetes", stage.path("kubeconfig"), "--install-cni", "false",
            "--cni-socket", stage.path("run/cni.sock"), "--state-folder", stage.path("state"),
            "--admin-address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0",
            "--readiness-address", "127.0.0.1:0", "--worker-threads", "1",
        ]
        process.standardOutput = FileHandle.nullDevice
        let ended = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in ended.continuation.finish() }
        try process.run()
        #expect(await soon { FileManager.default.fileExists(atPath: stage.path("run/cni.sock")) })
        process.terminate()
        for await _ in ended.stream {}
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 0)
        await stage.double.stop()
    }

    @Test func `answers for itself whether it is ready, not for its successor`() async throws {
        let stage = try await AgentStage()
        let first = try stage.startNode()
        #expect(await soon { first.readyStatus == 0 }, "\(first.readiness)")
        await stage.double.stop()
        let second = try stage.startNode()
        #expect(await soon { second.readiness.contains("list of pods") })
        #expect(second.readyStatus == 1)
        #expect(first.readyStatus == 0)
        #expect(await first.stop())
        #expect(first.readyStatus == 1)
        #expect(await second.stop())
    }

    @Test func `hands over to its successor, and takes back when that is no more`() async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        let first = try stage.startNode()
        #expect(await soon { first.isReady }, "\(first.readiness)")
        let second = try stage.startNode()
        #expect(await soon { second.isReady }, "\(second.readiness)")
        #expect(await first.stop())
        let pod = try PodNamespace()
        try stage.put(pod: "web", in: "shop")
        #expect(try await stage.plugin("ADD", "web", in: "shop", at: pod).status == 0)
        #expect(stage.isCaptured(pod))
        #expect(stage.read("net.d/10-x.conflist")?.contains("ambit-cni") == true)

        let third = try stage.startNode()
        #expect(await soon { third.isReady }, "\(third.readiness)")
        #expect(await third.stop())
        // The second sees within a round of its watch that nobody listens.
        let other = try PodNamespace()
        try stage.put(pod: "api", in: "shop")
        let answered = await soon {
            let answer = try? await stage.plugin("ADD", "api", in: "shop", at: other)
            return answer?.status == 0
        }
        #expect(answered)
        #expect(stage.isCaptured(other))
        #expect(await second.stop())
        await stage.double.stop()
    }

    @Test func `keeps the plugin in the configuration that another CNI rewrites`() async throws {
        let stage = try await AgentStage()
        let node = try stage.startNode()
        #expect(await soon { stage.read("net.d/10-x.conflist")?.contains("ambit-cni") ?? false })
        #expect(FileManager.default.isExecutableFile(atPath: stage.path("bin/ambit-cni")))
        for _ in 0..<3 {
            try stage.write("net.d/10-x.conflist", AgentStage.bridge)
            let isBack = await soon(within: 4) {
                stage.read("net.d/10-x.conflist")?.contains("ambit-cni") ?? false
            }
            #expect(isBack)
        }
        #expect(await node.stop())
        await stage.double.stop()
    }

    @Test(arguments: ["DaemonSet", "Namespace"])
    func `lets everything go when all of Ambit is taken away`(kind: String) async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        let pod = try PodNamespace()
        try stage.put(pod: "web", in: "shop", phase: "Running")
        try stage.run("web", in: "shop", as: 21, at: pod)
        let node = try stage.startNode()
        #expect(await soon { node.isReady }, "\(node.readiness)")
        #expect(await soon { stage.annotation(of: "web", in: "shop") == "true" })
        #expect(await soon { stage.read("net.d/10-x.conflist")?.contains("ambit-cni") ?? false })
        if kind == "DaemonSet" {
            try stage.double.remove([
                "apiVersion": "apps/v1", "kind": "DaemonSet",
                "metadata": ["name": "ambit-node", "namespace": "ambit-system"],
            ])
        } else {
            try stage.double.put([
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": [
                    "name": "ambit-system", "deletionTimestamp": "2026-11-21T10:00:00Z",
                    "finalizers": ["kubernetes"],
                ],
            ])
            // The node must have heard of it; a change that follows shows that it has.
            try stage.put(namespace: "later", mode: "ambient")
            #expect(await soon { stage.read("state/enrolment.json")?.contains("later") ?? false })
        }
        #expect(await node.stop())
        #expect(!stage.isCaptured(pod))
        #expect(stage.annotation(of: "web", in: "shop") == nil)
        #expect(stage.read("net.d/10-x.conflist")?.contains("ambit-cni") == false)
        #expect(!FileManager.default.fileExists(atPath: stage.path("bin/ambit-cni")))
        await stage.double.stop()
    }

    @Test func `writes down who is enrolled`() async throws {
        let stage = try await AgentStage()
        try stage.put(namespace: "shop", mode: "ambient")
        try stage.put(namespace: "bar")
        try stage.put(pod: "own", in: "bar", mode: "ambient")
        try stage.put(pod: "out", in: "shop", mode: "none")
        let node = try stage.startNode()
        #expect(await soon { node.isReady }, "\(node.readiness)")
        let text = try #require(stage.read("state/enrolment.json"))
        let record = try EnrolmentRecord(Array(text.utf8))
        #expect(record.namespaces == ["shop"])
        #expect(record.enrolledPods == ["bar/own"])
        #expect(record.optedOutPods == ["shop/out"])
        try stage.put(namespace: "bar", mode: "ambient")
        let isWritten = await soon {
            let text = stage.read("state/enrolment.json") ?? ""
            return (try? EnrolmentRecord(Array(text.utf8)))?.namespaces == ["shop", "bar"]
        }
        #expect(isWritten)
        #expect(await node.stop())
        await stage.double.stop()
    }
}
