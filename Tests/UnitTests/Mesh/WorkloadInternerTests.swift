import Mesh
import Testing

@Suite struct `Workloads with shared parts` {
    private func pod(_ number: Int, node: String) -> Workload {
        var workload = Workload(uid: "c//Pod/shop/\(number)", name: "\(number)", namespace: "shop")
        workload.node = node
        workload.services = ["shop/web": [ServicePort(servicePort: 80, targetPort: 8080)]]
        workload.capacity = 3
        return workload
    }

    @Test func `say what they said before`() {
        var interner = WorkloadInterner()
        for number in 0..<100 {
            let workload = pod(number, node: "n\(number % 3)")
            let shared = interner.interned(workload)
            #expect(shared == workload)
            #expect(shared.capacity == 3 && shared.node == "n\(number % 3)")
        }
    }

    @Test func `change one at a time`() {
        var interner = WorkloadInterner()
        let first = interner.interned(pod(1, node: "n"))
        var second = interner.interned(pod(2, node: "n"))
        second.capacity = 7
        second.node = "other"
        second.services["shop/more"] = []
        #expect(first.capacity == 3 && first.node == "n" && first.services.count == 1)
        #expect(second.capacity == 7 && second.node == "other" && second.services.count == 2)
        var copy = second
        copy.trustDomain = "example.org"
        #expect(second.trustDomain == "cluster.local" && copy != second)
        #expect(interner.interned(pod(3, node: "n")).capacity == 3)
    }

    @Test func `are told apart by any field`() {
        let plain = pod(1, node: "n")
        let edits: [(inout Workload) -> Void] = [
            { $0.uid = "x" }, { $0.name = "x" }, { $0.namespace = "x" },
            { $0.addresses = [IPAddress(v4: 1)] }, { $0.hostname = "x" }, { $0.network = "x" },
            { $0.tunnelProtocol = .hbone }, { $0.trustDomain = "x" }, { $0.serviceAccount = "x" },
            { $0.node = "x" }, { $0.canonicalName = "x" }, { $0.canonicalRevision = "x" },
            { $0.kind = .job }, { $0.workloadName = "x" }, { $0.nativeTunnel = true },
            { $0.clusterID = "x" }, { $0.status = .unhealthy }, { $0.locality.zone = "x" },
            { $0.networkMode = .hostNetwork }, { $0.capacity = 2 },
            {
                $0.waypoint = GatewayAddress(
                    destination: .hostname(namespace: "a", hostname: "b"),
                    hboneMTLSPort: 15_008
                )
            },
            {
                $0.networkGateway = GatewayAddress(
                    destination: .hostname(namespace: "a", hostname: "b"),
                    hboneMTLSPort: 15_008
                )
            }, { $0.services = [:] }, { $0.authorizationPolicies = ["x/y"] },
        ]
        for (number, edit) in edits.enumerated() {
            var other = plain
            edit(&other)
            #expect(other != plain, "edit \(number)")
            #expect(plain == pod(1, node: "n"), "edit \(number)")
        }
    }

    @Test func `keep in one record what the size of a mesh depends on`() {
        // Bytes of a workload beside its texts and addresses: of 100,000, each one counts.
        #expect(MemoryLayout<Workload>.size <= 64)
    }
}
