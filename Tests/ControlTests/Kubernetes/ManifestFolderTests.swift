import Foundation
import Kubernetes
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A folder of manifests` {
    private final class Scratch: Sendable {
        let path: String
        let told = Mutex<[[ManifestProblem]]>([])

        init() throws {
            path = NSTemporaryDirectory() + "ambit-manifests-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ text: String, atomically: Bool = false) throws {
            try Data(text.utf8).write(
                to: URL(filePath: path + "/" + name),
                options: atomically ? .atomic : []
            )
        }

        func remove(_ name: String) throws {
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }

        func open(_ change: (inout ManifestFolder.Paths) -> Void = { _ in }) throws
            -> ManifestFolder
        {
            var paths = ManifestFolder.Paths(folder: path)
            change(&paths)
            return try ManifestFolder(paths) { [weak self] problems in
                self?.told.withLock { $0.append(problems) }
            }
        }
    }

    private func pod(_ name: String, label: String = "x") -> String {
        """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: shop, labels: {app: \(label)}}
        spec: {nodeName: n1, containers: [{name: app}]}

        """
    }

    private let web = ObjectReference(.pods, namespace: "shop", name: "web")

    @Test func `is followed as files are written, renamed into place and removed`() async throws {
        let scratch = try Scratch()
        try scratch.write("a.yaml", pod("web"))
        let folder = try scratch.open()
        let watcher = await Watcher(folder, of: Pod.self)
        #expect(await soon { await watcher.syncs == 1 })
        #expect(await watcher.names == ["shop/web"])
        try scratch.write("b.yaml", pod("api") + pod("db"), atomically: true)
        #expect(await soon { await watcher.names == ["shop/api", "shop/db", "shop/web"] })
        try scratch.write("b.yaml", pod("db", label: "y"), atomically: true)
        #expect(await soon { await watcher.names == ["shop/db", "shop/web"] })
        try scratch.remove("a.yaml")
        #expect(await soon { await watcher.names == ["shop/db"] })
        try scratch.write("notes.txt", pod("not-read"))
        try scratch.write(
            "c.json",
            #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"json","namespace":"shop"},"#
                + #""spec":{"containers":[{"name":"a"}]}}"#
        )
        #expect(await soon { await watcher.names == ["shop/db", "shop/json"] })
        #expect(folder.problems.isEmpty)
    }

    @Test(arguments: ["security.ambit.dev/v1alpha1", "security.istio.io/v1"])
    func `tells which group's policy is gone`(version: String) async throws {
        let scratch = try Scratch()
        func policy(_ kind: String, _ version: String) -> String {
            "---\n{apiVersion: \(version), kind: \(kind), metadata: {name: p, namespace: shop}}\n"
        }
        let kinds = ["AuthorizationPolicy", "PeerAuthentication"]
        try scratch.write("a.yaml", kinds.map { policy($0, version) }.joined())
        let folder = try scratch.open()
        let rules = await Watcher(folder, of: AuthorizationPolicy.self)
        let modes = await Watcher(folder, of: PeerAuthentication.self)
        #expect(await soon { await (rules.names, modes.names) == (["shop/p"], ["shop/p"]) })
        try scratch.remove("a.yaml")
        #expect(await soon { await (rules.names, modes.names) == ([], []) })
    }

    @Test func `keeps the objects of a file that has a mistake, and says which`() async throws {
        let scratch = try Scratch()
        try scratch.write("a.yaml", pod("web") + pod("api"))
        let folder = try scratch.open()
        let watcher = await Watcher(folder, of: Pod.self)
        #expect(await soon { await watcher.syncs == 1 })
        let whole = pod("web", label: "new") + pod("api", label: "new")
        try scratch.write("a.yaml", String(whole.dropLast(30)))
        #expect(await soon { !folder.problems.isEmpty })
        #expect(folder.problems.first?.place.document == 2)
        #expect(await watcher.names == ["shop/api", "shop/web"])
        let labels = await watcher.objects.values.map { $0.metadata.labels["app"] }
        #expect(labels == ["x", "x"], "nothing of a broken file is taken")
        #expect(scratch.told.withLock { $0.last?.first?.place.file } == "a.yaml")
        try scratch.write("a.yaml", whole)
        #expect(
            await soon {
                await watcher.objects.values.allSatisfy {
                    $0.metadata.labels["app"] == "new"
                }
            }
        )
        #expect(folder.problems.isEmpty)
        #expect(scratch.told.withLock { $0.last } == [])
    }

    @Test func `takes one object from the first of two files, and names the other`() async throws {
        let scratch = try Scratch()
        try scratch.write("a.yaml", pod("web", label: "a"))
        try scratch.write("b.yaml", pod("web", label: "b"))
        let folder = try scratch.open()
        #expect(folder.problems.map(\.place.file) == ["b.yaml"])
        let found = try await folder.get(web)
        #expect(found?["metadata"]["labels"]["app"] == "a")
        try scratch.remove("a.yaml")
        #expect(
            await soon {
                (try? await folder.get(web))??["metadata"]["labels"]["app"] == "b"
            }
        )
    }

    @Test func `keeps what programs write in memory and tells it to a file`() async throws {
        let scratch = try Scratch()
        try scratch.write("a.yaml", pod("web"))
        let writes = scratch.path + "/status.jsonl"
        let folder = try scratch.open { $0.writes = writes }
        let watcher = await Watcher(folder, of: Pod.self)
        _ = try await folder.apply(
            [
                "apiVersion": "v1", "kind": "Pod",
                "metadata": ["name": "web", "namespace": "shop"],
                "status": ["podIP": "10.0.0.9"], "spec": ["nodeName": "elsewhere"],
            ],
            subresource: "status",
            fieldManager: "test"
        )
        _ = try await folder.patch(
            web,
            subresource: "",
            with: ["metadata": ["annotations": ["ambit.dev/captured": "true"]]]
        )
        _ = try await folder.create([
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "root", "namespace": "x"],
            "data": ["key": "c2VjcmV0"],
        ])
        #expect(await soon { await watcher.objects.values.first?.addresses.count == 1 })
        // A new file changes what it says and nothing else.
        try scratch.write("a.yaml", pod("web", label: "y"))
        #expect(await soon { await watcher.objects.values.first?.metadata.labels["app"] == "y" })
        let now = try #require(try await folder.get(web))
        #expect(now["status"]["podIP"] == "10.0.0.9")
        #expect(now["spec"]["nodeName"] == "n1")
        #expect(now["metadata"]["annotations"]["ambit.dev/captured"] == "true")
        let text = try String(contentsOfFile: writes, encoding: .utf8)
        #expect(text.split(separator: "\n").count == 3)
        #expect(!text.contains("c2VjcmV0"), "no secret in the file")
    }

    @Test func `compares versions as an API server does`() async throws {
        let scratch = try Scratch()
        let folder = try scratch.open()
        let lease: Value = [
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": ["name": "l", "namespace": "x"], "spec": ["holderIdentity": "a"],
        ]
        var first = try await folder.create(lease)
        await #expect { try await folder.create(lease) } throws: {
            ($0 as? ClusterError)?.code == .alreadyExists
        }
        let old = first
        first["spec"]["holderIdentity"] = "b"
        _ = try await folder.update(first)
        await #expect { try await folder.update(old) } throws: {
            ($0 as? ClusterError)?.code == .conflict
        }
        let place = ObjectReference(.leases, namespace: "x", name: "l")
        try await folder.delete(place)
        #expect(try await folder.get(place) == nil)
    }

    @Test func `reviews tokens by a file that may change`() async throws {
        let scratch = try Scratch()
        let tokens = scratch.path + "/tokens"
        let folder = try scratch.open { $0.tokens = tokens }
        await #expect(throws: ClusterError.self) {
            try await folder.review(token: "t", audiences: ["ambit"])
        }
        try scratch.write(
            "tokens",
            """
            [{"token": "t", "username": "system:serviceaccount:ambit-system:ambit-node",
              "audiences": ["ambit"], "podName": "n", "podUID": "u", "nodeName": "n1"},
             {"token": "old", "username": "u", "audiences": ["ambit"], "expires": 5}]
            """
        )
        let found = try await folder.review(token: "t", audiences: ["ambit"])
        #expect(found.isAuthenticated && found.nodeName == "n1" && found.audiences == ["ambit"])
        for (token, audience) in [("t", "istio-ca"), ("old", "ambit"), ("x", "ambit")] {
            let found = try await folder.review(token: token, audiences: [audience])
            #expect(!found.isAuthenticated && !found.error.isEmpty)
        }
        try scratch.write("tokens", "[]")
        #expect(!(try await folder.review(token: "t", audiences: ["ambit"])).isAuthenticated)
    }
}
