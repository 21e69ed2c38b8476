import APIServerDouble
import Kubernetes
import Mesh
import Testing

@Suite(.timeLimit(.minutes(2))) struct `The changes of a kind` {
    @Test func `begin with all there is and go on as it changes`() async throws {
        let pair = try await Pair()
        try pair.double.put(podObject("a"))
        let watcher = await Watcher(pair.server, of: Pod.self)
        #expect(await soon { await watcher.syncs == 1 })
        #expect(await watcher.names == ["shop/a"])
        try pair.double.put(podObject("b"))
        try pair.double.put(podObject("a", address: "10.0.0.2"))
        let key = ObjectKey(kind: "Pod", namespace: "shop", name: "a")
        let address = try #require(IPAddress("10.0.0.2"))
        #expect(await soon { await watcher.objects[key]?.addresses == [address] })
        #expect(await watcher.names == ["shop/a", "shop/b"])
        try pair.double.remove(podObject("a"))
        #expect(await soon { await watcher.names == ["shop/b"] })
        await pair.double.stop()
    }

    @Test func `of what is selected end when it is selected no more`() async throws {
        let pair = try await Pair()
        var selection = ObjectSelection()
        selection.fields = "spec.nodeName=n1"
        try pair.double.put(podObject("a"))
        let watcher = await Watcher(pair.server, of: Pod.self, in: selection)
        #expect(await soon { await watcher.names == ["shop/a"] })
        var moved = podObject("a")
        moved["spec"]["nodeName"] = "n2"
        try pair.double.put(moved)
        #expect(await soon { await watcher.names == [] })
        await pair.double.stop()
    }

    @Test func `are found after the server forgot its history`() async throws {
        let pair = try await Pair()
        for name in ["a", "b"] { try pair.double.put(podObject(name)) }
        let watcher = await Watcher(pair.server, of: Pod.self)
        #expect(await soon { await watcher.syncs == 1 })
        // The server goes, changes, forgets, and comes back: only a list tells.
        pair.double.faults.answers = [Faults.Answer(path: "watch=true", status: 410, times: 1)]
        pair.double.dropConnections()
        try pair.double.remove(podObject("a"))
        try pair.double.put(podObject("c"))
        pair.double.store.compact()
        #expect(await soon { await watcher.names == ["shop/b", "shop/c"] })
        let before = await watcher.changes
        pair.double.store.compact()
        pair.double.dropConnections()
        try pair.double.put(podObject("d"))
        #expect(await soon { await watcher.names == ["shop/b", "shop/c", "shop/d"] })
        // What did not change is not told again: d, and a synced for each list.
        let syncs = await watcher.syncs
        #expect(await watcher.changes - before <= 1 + syncs)
        await pair.double.stop()
    }

    @Test func `never go back in time with a server that lags behind`() async throws {
        let pair = try await Pair()
        try pair.double.put(podObject("a"))
        let old = pair.double.store.revision
        let watcher = await Watcher(pair.server, of: Pod.self)
        #expect(await soon { await watcher.syncs == 1 })
        try pair.double.remove(podObject("a"))
        #expect(await soon { await watcher.names == [] })
        pair.double.faults.staleRevision = old
        pair.double.faults.staleLists = 3
        pair.double.faults.answers = [Faults.Answer(path: "watch=true", status: 410, times: 1)]
        pair.double.dropConnections()
        #expect(await soon { await watcher.syncs == 2 })
        #expect(await watcher.names == [])
        #expect(pair.double.faults.staleLists == 0)
        await pair.double.stop()
    }

    @Test func `of a kind that nobody writes to are watched on without a new list`() async throws {
        let double = APIServerDouble(bookmarkMilliseconds: 60_000)
        let address = try #require(ServerAddress(try await double.start()))
        var timing = APITiming.short
        timing.watchSilence = .milliseconds(50)
        let server = APIServer(ClusterAccess(server: address), timing: timing)
        let watcher = await Watcher(server, of: Pod.self)
        func asked(_ text: String) -> Int {
            double.requests.filter { $0.hasPrefix("GET /api/v1/pods") && $0.contains(text) }.count
        }
        // After four failures in a row it would list.
        #expect(await soon { asked("watch=true") >= 8 })
        #expect(asked("limit=") == 1)
        try double.put(podObject("late"))
        #expect(await soon { await watcher.names == ["shop/late"] })
        await watcher.stop()
        await double.stop()
    }

    @Test func `wait for a kind that is not installed`() async throws {
        let double = APIServerDouble(kinds: [], bookmarkMilliseconds: 50)
        let pair = try await Pair(double)
        let watcher = await Watcher(pair.server, of: AuthorizationPolicy.self)
        #expect(await soon { await watcher.syncs == 1 })
        for kind in ServedKind.policies { double.store.install(kind) }
        try double.put(policy("security.istio.io/v1"))
        #expect(await soon { await watcher.names == ["shop/deny"] })
        double.store.uninstall(group: "security.istio.io", plural: "authorizationpolicies")
        double.dropConnections()
        #expect(await soon { await watcher.names == [] })
        await double.stop()
    }

    @Test func `survive a server that does not know its kinds for a moment`() async throws {
        let pair = try await Pair()
        try pair.double.put(policy("security.ambit.dev/v1alpha1"))
        let watcher = await Watcher(pair.server, of: AuthorizationPolicy.self)
        #expect(await soon { await watcher.syncs == 1 })
        let changes = await watcher.changes
        pair.double.faults.answers = [
            Faults.Answer(path: "watch=true", status: 410, times: 2),
            Faults.Answer(path: "authorizationpolicies", status: 404, times: 2),
        ]
        pair.double.dropConnections()
        #expect(await soon { await watcher.syncs >= 2 })
        #expect(await watcher.names == ["shop/deny"])
        #expect(await watcher.changes - changes == watcher.syncs - 1, "only synced was told")
        await pair.double.stop()
    }

    @Test func `of one name in two groups are told apart`() async throws {
        let pair = try await Pair()
        try pair.double.put(policy("security.istio.io/v1", action: "ALLOW"))
        let watcher = await Watcher(pair.server, of: AuthorizationPolicy.self)
        #expect(await soon { await watcher.objects.values.first?.action == "ALLOW" })
        try pair.double.put(policy("security.ambit.dev/v1alpha1"))
        #expect(await soon { await watcher.objects.count == 2 })
        #expect(await Set(watcher.objects.values.map(\.action)) == ["ALLOW", "DENY"])
        try pair.double.remove(policy("security.ambit.dev/v1alpha1"))
        #expect(await soon { await watcher.objects.count == 1 })
        #expect(await watcher.objects.values.first?.action == "ALLOW")
        await pair.double.stop()
    }

    @Test func `that are not understood leave what was known in force`() async throws {
        let pair = try await Pair()
        try pair.double.put(policy("security.ambit.dev/v1alpha1"))
        let watcher = await Watcher(pair.server, of: AuthorizationPolicy.self)
        #expect(await soon { await watcher.syncs == 1 })
        var broken = policy("security.ambit.dev/v1alpha1")
        broken["spec"]["rules"] = "none"
        try pair.double.put(broken)
        #expect(await soon { await watcher.refused.values.first?.path == "spec.rules" })
        #expect(await watcher.names == ["shop/deny"])
        await pair.double.stop()
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `in any order and with any losses end as a fresh list`(seed: UInt64) async throws {
        var generator = SplitMix(seed: seed)
        let pair = try await Pair()
        let watcher = await Watcher(pair.server, of: Pod.self)
        for _ in 0..<400 {
            let name = "p\(generator.below(30))"
            switch generator.below(20) {
            case 0: pair.double.dropConnections()
            case 1: pair.double.faults.cuts += 1
            case 2: pair.double.store.compact()
            case 3: pair.double.faults.expiries += 1
            case 4: try await Pause.wait(for: .milliseconds(generator.below(20)))
            case 5:
                let status: Int64 = [410, 429, 500, 503][generator.below(4)]
                pair.double.faults.answers.append(Faults.Answer(status: status, times: 1))
            case 6:
                pair.double.faults.staleRevision = pair.double.store.revision
                pair.double.faults.staleLists = 1
            case 7..<12: try? pair.double.remove(podObject(name))
            default: try pair.double.put(podObject(name, address: "10.0.0.\(generator.below(255))"))
            }
        }
        pair.double.faults = Faults()
        let expected = try await pair.server.list(.pods, in: ObjectSelection())
            .map { try Pod(Field(root: $0)) }
        let wanted = Dictionary(uniqueKeysWithValues: expected.map { ($0.key, $0) })
        let isSame = await soon { await watcher.objects == wanted }
        let names = await watcher.names
        #expect(isSame, "seed \(seed): \(names)")
        await pair.double.stop()
    }

    private func policy(_ version: String, action: String = "DENY") -> Value {
        [
            "apiVersion": .string(version), "kind": "AuthorizationPolicy",
            "metadata": ["name": "deny", "namespace": "shop"], "spec": ["action": .string(action)],
        ]
    }
}
