import Mesh
import Testing

private func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

@Suite struct `A later snapshot` {
    private func sample() throws -> SampleMesh {
        var mesh = SampleMesh()
        try mesh.service("web", at: "10.96.0.1")
        try mesh.service("other", at: "10.96.0.2")
        try mesh.pod("one", at: "10.1.0.1") { $0.services[sampleKey("web")] = [] }
        try mesh.pod("two", at: "10.1.0.2") { $0.services[sampleKey("other")] = [] }
        try mesh.pod("far", "other", at: "10.1.0.3")
        mesh.policies = [
            Policy(name: "p", namespace: "shop", scope: .namespace, action: .deny),
            Policy(name: "q", namespace: "other", scope: .namespace, action: .deny),
        ]
        return mesh
    }

    @Test func `takes over every record when nothing changed`() throws {
        let mesh = try sample()
        let old = mesh.snapshot()
        let (new, diff) = mesh.snapshot(after: old)
        #expect(zip(new.workloads, old.workloads).allSatisfy { $0 === $1 })
        #expect(zip(new.services, old.services).allSatisfy { $0 === $1 })
        #expect(zip(new.policies, old.policies).allSatisfy { $0 === $1 })
        #expect(diff.departed.isEmpty && diff.arrived.isEmpty && diff.changed.isEmpty)
        #expect(diff.vacated.isEmpty && !diff.policiesChanged && !diff.servicesChanged)
    }

    @Test func `makes new records only of what changed`() throws {
        var mesh = try sample()
        let old = mesh.snapshot()
        mesh.workloads[0].status = .unhealthy
        let (new, diff) = mesh.snapshot(after: old)
        // In the order of their uids and keys.
        #expect(zip(old.workloads, new.workloads).map { $0 === $1 } == [true, false, true])
        #expect(zip(old.services, new.services).map { $0 === $1 } == [true, false])
        #expect(diff.changed == ["c//Pod/shop/one"])
        #expect(diff.servicesChanged && !diff.policiesChanged)
        #expect(diff.vacated.isEmpty)
    }

    @Test func `re-checks the workloads of a policy's namespace only`() throws {
        var mesh = try sample()
        let old = mesh.snapshot()
        mesh.policies[1].action = .allow
        let diff = mesh.snapshot(after: old).diff
        #expect(diff.changed == ["c//Pod/other/far"])
        #expect(diff.policiesChanged)
        mesh.policies.append(Policy(name: "g", namespace: "x", scope: .global, action: .deny))
        let all = mesh.snapshot(after: old).diff
        #expect(all.changed.count == 3)
    }

    @Test func `re-checks a workload when a policy it names becomes known`() throws {
        var mesh = try sample()
        mesh.workloads[0].authorizationPolicies = ["shop/late"]
        let old = mesh.snapshot()
        #expect(old.workload(uid: "c//Pod/shop/one")?.policies.unknown == ["shop/late"])
        mesh.policies.append(
            Policy(name: "late", namespace: "shop", scope: .workloadSelector, action: .deny)
        )
        let (new, diff) = mesh.snapshot(after: old)
        #expect(new.workload(uid: "c//Pod/shop/one")?.policies.unknown.isEmpty == true)
        #expect(diff.changed == ["c//Pod/shop/one"])
    }

    @Test func `tells who left, who came and whose address is free`() throws {
        var mesh = try sample()
        let old = mesh.snapshot()
        mesh.workloads.remove(at: 0)
        try mesh.pod("new", at: "10.1.0.9")
        let diff = mesh.snapshot(after: old).diff
        #expect(diff.departed == ["c//Pod/shop/one"])
        #expect(diff.arrived == ["c//Pod/shop/new"])
        #expect(try diff.vacated == [NetworkAddress(network: "", address: ip("10.1.0.1"))])
    }

    @Test func `tells of an address that went to another pod or identity`() throws {
        var mesh = try sample()
        let old = mesh.snapshot()
        mesh.workloads[0].addresses = [try ip("10.1.0.8")]
        mesh.workloads[1].addresses = [try ip("10.1.0.1")]
        mesh.workloads[2].serviceAccount = "another"
        let diff = mesh.snapshot(after: old).diff
        let vacated = try ["10.1.0.1", "10.1.0.2", "10.1.0.3"].map {
            NetworkAddress(network: "", address: try ip($0))
        }
        #expect(diff.vacated == Set(vacated))
    }

    @Test func `tells of an address a newcomer takes from a workload that stays`() throws {
        var mesh = try sample()
        mesh.workloads[0].tunnelProtocol = .none
        let old = mesh.snapshot()
        try mesh.pod("new", at: "10.1.0.1")
        let diff = mesh.snapshot(after: old).diff
        #expect(try diff.vacated == [NetworkAddress(network: "", address: ip("10.1.0.1"))])
    }

    @Test func `tells of an address that a stranger takes over time`() throws {
        var mesh = try sample()
        let old = mesh.snapshot()
        mesh.workloads[0].addresses = [try ip("10.1.0.8")]
        let (between, left) = mesh.snapshot(after: old)
        #expect(try left.claimed == [ip("10.1.0.8")])
        try mesh.pod("new", at: "10.1.0.1")
        let (_, taken) = mesh.snapshot(after: between)
        #expect(try taken.concerns(uid: "c//Pod/shop/one", at: ip("10.1.0.1")))
        #expect(try !taken.concerns(uid: "c//Pod/shop/one", at: ip("10.1.0.8")))
    }

    @Test func `knows the members of a service that comes after them`() throws {
        var mesh = try sample()
        let web = mesh.services.remove(at: 0)
        let old = mesh.snapshot()
        #expect(old.endpoints(of: sampleKey("web")).isEmpty)
        mesh.services.append(web)
        let (new, diff) = mesh.snapshot(after: old)
        #expect(new.endpoints(of: sampleKey("web")).map(\.workload.workload.name) == ["one"])
        #expect(diff.servicesChanged && diff.changed.isEmpty)
        mesh.services.removeLast()
        let (without, _) = mesh.snapshot(after: new)
        mesh.services.append(web)
        let (again, _) = mesh.snapshot(after: without)
        #expect(again.endpoints(of: sampleKey("web")).count == 1)
    }

    @Test func `takes removals of things it does not know`() throws {
        let old = try sample().snapshot()
        var change = MeshChange()
        change.removedWorkloads = ["c//Pod/shop/nobody"]
        change.removedServices = ["shop/nobody"]
        change.removedPolicies = ["shop/nobody"]
        let (new, diff) = old.applying(change, version: 2)
        #expect(new.version == 2 && new.workloadCount == old.workloadCount)
        #expect(!diff.concernsAnybody && !diff.servicesChanged && !diff.policiesChanged)
        #expect(diff.retiredWorkloads.isEmpty && diff.retiredServices.isEmpty)
    }
}
