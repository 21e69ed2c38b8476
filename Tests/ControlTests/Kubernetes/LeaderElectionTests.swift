import APIServerDouble
import Kubernetes
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Leader election` {
    /// What one replica believes.
    private final class Belief: Sendable {
        let isLeader = Mutex(false)
    }

    /// One replica that takes part until it is stopped.
    private struct Replica: Sendable {
        private let belief = Belief()
        private let task: Task<Void, Never>

        init(_ name: String, _ cluster: any Cluster) {
            var settings = LeaderElection.Settings(
                namespace: "ambit-system",
                name: "ambit-controller",
                identity: name
            )
            settings.leaseDuration = .seconds(1)
            settings.renewDeadline = .milliseconds(600)
            settings.retryPeriod = .milliseconds(100)
            let election = LeaderElection(cluster: cluster, settings: settings)
            task = Task { [belief] in
                await election.run { leads in belief.isLeader.withLock { $0 = leads } }
            }
        }

        var leads: Bool { belief.isLeader.withLock { $0 } }

        func stop() async {
            task.cancel()
            await task.value
        }
    }

    @Test func `has one leader, and another as soon as it leaves`() async throws {
        let pair = try await Pair()
        let one = Replica("one", pair.server)
        #expect(await soon { one.leads })
        let two = Replica("two", pair.server)
        #expect(await soon { pair.double.requests.count { $0.contains("GET") } > 6 })
        #expect(one.leads && !two.leads)
        let left = ContinuousClock.now
        await one.stop()
        #expect(!one.leads)
        #expect(await soon { two.leads })
        #expect(ContinuousClock.now - left < .seconds(1), "it was released, not waited out")
        await two.stop()
        let place = ObjectReference(.leases, namespace: "ambit-system", name: "ambit-controller")
        let lease = try #require(pair.double.get(place))
        #expect(lease["spec"]["holderIdentity"] == "")
        #expect(lease["spec"]["leaseTransitions"] == 1)
        await pair.double.stop()
    }

    @Test func `ends before the lease does when it cannot be renewed`() async throws {
        let pair = try await Pair()
        let address = try #require(ServerAddress("\(pair.server.access.server)"))
        let other = APIServer(ClusterAccess(server: address), timing: .short)
        let one = Replica("one", pair.server)
        #expect(await soon { one.leads })
        // The first replica's server answers it with errors only, and to the second it is silent
        // until the first has given up.
        pair.double.faults.answers = [Faults.Answer(method: "PUT", status: 503, times: 1_000)]
        #expect(await soon { !one.leads })
        let two = Replica("two", other)
        pair.double.faults = Faults()
        #expect(await soon { one.leads || two.leads })
        #expect(!(one.leads && two.leads))
        await one.stop()
        await two.stop()
        await pair.double.stop()
    }

    @Test func `never has two leaders, whatever is refused`() async throws {
        let pair = try await Pair()
        let replicas = ["one", "two", "three"].map { Replica($0, pair.server) }
        var generator = SplitMix(seed: 11)
        var together = 0
        for _ in 0..<150 {
            if replicas.count(where: \.leads) > 1 { together += 1 }
            switch generator.below(6) {
            case 0: pair.double.dropConnections()
            case 1:
                pair.double.faults.answers = [
                    Faults.Answer(status: 500, times: generator.below(12))
                ]
            default: break
            }
            try await Pause.wait(for: .milliseconds(20))
        }
        #expect(together == 0)
        pair.double.faults = Faults()
        #expect(await soon { replicas.contains(where: \.leads) })
        for replica in replicas { await replica.stop() }
        await pair.double.stop()
    }

    @Test func `in a folder leads at once`() async throws {
        let folder = try ManifestFolder(ManifestFolder.Paths(folder: "/tmp"))
        let replica = Replica("alone", folder)
        #expect(await soon(within: 2) { replica.leads })
        await replica.stop()
    }
}
