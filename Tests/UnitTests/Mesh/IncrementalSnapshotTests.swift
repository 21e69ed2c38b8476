import Mesh
import Testing

/// A small pseudo-random generator with a seed, so that a failure can be run again.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Draws changes from so few names, addresses and policies that most of them collide.
private struct ChangeDraw {
    var random: Seeded
    let namespaces = ["a", "b", "c"]

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    mutating func flip() -> Bool { below(2) == 0 }
    mutating func namespace() -> String { namespaces[below(3)] }

    mutating func address() -> IPAddress { IPAddress(v4: 0x0A01_0000 + UInt32(below(12))) }

    mutating func key() -> String {
        let namespace = namespace()
        return "\(namespace)/s\(below(4)).\(namespace).svc"
    }

    mutating func uid() -> String {
        ["c//Pod/", "c/x/WorkloadEntry/"][below(2)] + "\(namespace())/w\(below(8))"
    }

    mutating func policyKey() -> String { "\(namespace())/p\(below(4))" }

    mutating func workload(_ uid: String) -> Workload {
        let parts = uid.split(separator: "/").map(String.init)
        let name = flip() ? parts.last ?? "" : "w\(below(8))"
        var workload = Workload(uid: uid, name: name, namespace: parts[parts.count - 2])
        workload.addresses = (0..<below(3)).map { _ in address() }
        workload.network = below(5) == 0 ? "n" : ""
        workload.tunnelProtocol = flip() ? .hbone : .none
        workload.serviceAccount = "sa\(below(2))"
        workload.status = flip() ? .healthy : .unhealthy
        workload.networkMode = below(6) == 0 ? .hostNetwork : .standard
        for _ in 0..<below(3) {
            let port = ServicePort(servicePort: UInt16(80 + below(2)), targetPort: 8080)
            workload.services[key()] = flip() ? [] : [port]
        }
        if below(3) == 0 { workload.authorizationPolicies = (0..<2).map { _ in policyKey() } }
        return workload
    }

    mutating func service(_ key: String) -> Service {
        let parts = key.split(separator: "/").map(String.init)
        var service = Service(name: "s", namespace: parts[0], hostname: parts[1])
        if below(4) == 0 { service.ports = [ServicePort(servicePort: 443, targetPort: 1)] }
        service.canonical = flip()
        service.visibility = below(4) == 0 ? .namespace : .everywhere
        for _ in 0..<below(3) {
            let length = [UInt8(32), 30, 28][below(3)]
            guard let prefix = IPPrefix(address(), length: length) else { continue }
            service.addresses.append(Service.VirtualAddress(network: "", prefix: prefix))
        }
        return service
    }

    mutating func policy(_ key: String) -> Policy {
        let parts = key.split(separator: "/").map(String.init)
        var policy = Policy(
            name: parts[1],
            namespace: parts[0],
            scope: [Policy.Scope.workloadSelector, .namespace, .global, .workloadSelector][
                below(4)
            ],
            action: flip() ? .allow : .deny
        )
        policy.dryRun = below(4) == 0
        return policy
    }

    mutating func change() -> MeshChange {
        var change = MeshChange()
        for _ in 0...below(4) {
            switch below(8) {
            case 0...2:
                let uid = uid()
                change.workloads.append(workload(uid))
            case 3: change.removedWorkloads.append(uid())
            case 4:
                let key = key()
                change.services.append(service(key))
            case 5: change.removedServices.append(key())
            case 6:
                let key = policyKey()
                change.policies.append(policy(key))
            default: change.removedPolicies.append(policyKey())
            }
        }
        return change
    }
}

/// What two whole snapshots differ in, found by comparing everything.
private struct WholeComparison: Equatable {
    var departed: Set<String> = []
    var arrived: Set<String> = []
    var changed: Set<String> = []
    var vacated: Set<NetworkAddress> = []
    var policiesChanged: Bool
    var servicesChanged: Bool

    init(_ diff: SnapshotDiff) {
        departed = diff.departed
        arrived = diff.arrived
        changed = diff.changed
        vacated = diff.vacated
        policiesChanged = diff.policiesChanged
        servicesChanged = diff.servicesChanged
    }

    init(from old: Snapshot, to new: Snapshot) {
        policiesChanged = old.policies.map(\.policy) != new.policies.map(\.policy)
        servicesChanged = old.services.map(Described.init) != new.services.map(Described.init)
        let before = Dictionary(uniqueKeysWithValues: old.workloads.map { ($0.workload.uid, $0) })
        let after = Dictionary(uniqueKeysWithValues: new.workloads.map { ($0.workload.uid, $0) })
        departed = Set(before.keys).subtracting(after.keys)
        arrived = Set(after.keys).subtracting(before.keys)
        for (uid, record) in before {
            guard let later = after[uid] else { continue }
            if later.workload != record.workload || policies(later) != policies(record) {
                changed.insert(uid)
            }
        }
        let addresses = old.workloads.flatMap { record in
            record.workload.addresses.map {
                NetworkAddress(network: record.workload.network, address: $0)
            }
        }
        for place in addresses {
            let was = old.workload(address: place.address, network: place.network)
            let now = new.workload(address: place.address, network: place.network)
            guard let was else { continue }
            if was.workload.uid != now?.workload.uid || was.identity != now?.identity {
                vacated.insert(place)
            }
        }
    }
}

private func policies(_ record: WorkloadRecord) -> [[String]] {
    [record.policies.unknown]
        + record.policies.groups.flatMap { group in
            [group.deny, group.allow, group.dryRunDeny, group.dryRunAllow]
                .map { $0.map { "\($0.policy)" } }
        }
}

/// A service with its members, as values.
private struct Described: Equatable {
    let service: Service
    let ports: Set<UInt16>
    let members: [Member]

    struct Member: Equatable {
        let workload: Workload
        let ports: [ServicePort]
    }

    init(_ record: ServiceRecord) {
        service = record.service
        ports = record.servicePorts
        members = record.endpoints.map { Member(workload: $0.workload.workload, ports: $0.ports) }
    }
}

@Suite struct `Changes applied one by one` {
    private func check(_ snapshot: Snapshot, isAsFreshAs state: MeshState) throws {
        let fresh = Snapshot(
            version: 0,
            workloads: state.workloads,
            services: state.services,
            policies: state.policies
        )
        try #require(snapshot.workloads.map(\.workload) == fresh.workloads.map(\.workload))
        try #require(snapshot.policies.map(\.policy) == fresh.policies.map(\.policy))
        try #require(snapshot.services.map(Described.init) == fresh.services.map(Described.init))
        for (one, two) in zip(snapshot.workloads, fresh.workloads) {
            try #require(policies(one) == policies(two))
            try #require(snapshot.workload(uid: one.workload.uid) === one)
        }
        for namespace in ["a", "b", "c"] {
            for number in 0..<8 {
                let one = snapshot.workload(namespace: namespace, name: "w\(number)")
                let two = fresh.workload(namespace: namespace, name: "w\(number)")
                try #require(one?.workload == two?.workload)
            }
            for number in 0..<4 {
                for client in ["a", "b", "c"] {
                    let hostname = "s\(number).\(namespace).svc"
                    let one = snapshot.services(hostname: hostname, clientNamespace: client)
                    let two = fresh.services(hostname: hostname, clientNamespace: client)
                    try #require(one.map(\.key) == two.map(\.key))
                }
            }
        }
        for number in 0..<16 {
            let address = IPAddress(v4: 0x0A01_0000 + UInt32(number))
            for network in ["", "n"] {
                let one = snapshot.workload(address: address, network: network)
                let two = fresh.workload(address: address, network: network)
                try #require(one?.workload == two?.workload)
                for client in ["a", "b", "d"] {
                    let one = snapshot.service(
                        address: address,
                        network: network,
                        clientNamespace: client
                    )
                    let two = fresh.service(
                        address: address,
                        network: network,
                        clientNamespace: client
                    )
                    try #require(one?.key == two?.key)
                }
            }
        }
    }

    /// Every record that a lookup finds is the one in the list, none of before.
    private func checkRecords(_ snapshot: Snapshot) throws {
        let records = Set(snapshot.workloads.map(ObjectIdentifier.init))
        for service in snapshot.services {
            for endpoint in service.endpoints {
                try #require(records.contains(ObjectIdentifier(endpoint.workload)))
            }
        }
        for namespace in ["a", "b", "c"] {
            for record in snapshot.workloads(namespace: namespace) {
                try #require(records.contains(ObjectIdentifier(record)))
            }
        }
    }

    @Test(arguments: 1...20) func `give the lookups of a fresh build`(seed: UInt64) throws {
        var draw = ChangeDraw(random: Seeded(state: seed))
        var state = MeshState()
        var snapshot = Snapshot.empty
        for round in 1...60 {
            let change = draw.change()
            state.apply(change)
            let (next, diff) = snapshot.applying(change, version: UInt64(round))
            try check(next, isAsFreshAs: state)
            try checkRecords(next)
            let whole = WholeComparison(from: snapshot, to: next)
            try #require(WholeComparison(diff) == whole, "seed \(seed), round \(round)")
            let kept = Set(next.workloads.map(ObjectIdentifier.init))
            let retired = snapshot.workloads.map(ObjectIdentifier.init)
                .filter { !kept.contains($0) }
            try #require(Set(diff.retiredWorkloads.map(ObjectIdentifier.init)) == Set(retired))
            let services = Set(next.services.map(ObjectIdentifier.init))
            let former = snapshot.services.map(ObjectIdentifier.init)
                .filter { !services.contains($0) }
            try #require(Set(diff.retiredServices.map(ObjectIdentifier.init)) == Set(former))
            snapshot = next
        }
        try #require(snapshot.workloadCount > 0 && snapshot.serviceCount > 0)
    }

    @Test(arguments: 1...5) func `end where their merger ends`(seed: UInt64) throws {
        var draw = ChangeDraw(random: Seeded(state: seed))
        var state = MeshState()
        var snapshot = Snapshot.empty
        for _ in 0..<20 {
            var pending = PendingChange()
            for _ in 0...draw.below(4) {
                let change = draw.change()
                state.apply(change)
                pending.add(change)
            }
            snapshot = snapshot.applying(pending.take(), version: 1).snapshot
            #expect(pending.isEmpty)
            try check(snapshot, isAsFreshAs: state)
        }
    }

    @Test func `keep the members of a large service in order`() throws {
        let key = "a/s.a.svc"
        var change = MeshChange()
        change.services = [Service(name: "s", namespace: "a", hostname: "s.a.svc")]
        var snapshot = Snapshot.empty.applying(change, version: 1).snapshot
        var random = Seeded(state: 7)
        var known: Set<String> = []
        for round in 0..<2_000 {
            var change = MeshChange()
            let uid = "c//Pod/a/\(Int.random(in: 0..<700, using: &random))"
            if round % 3 == 2 {
                change.removedWorkloads = [uid]
                known.remove(uid)
            } else {
                var workload = Workload(uid: uid, name: uid, namespace: "a")
                workload.services = [key: []]
                workload.capacity = UInt32(round)
                change.workloads = [workload]
                known.insert(uid)
            }
            snapshot = snapshot.applying(change, version: 2).snapshot
        }
        let members = snapshot.endpoints(of: key)
        #expect(members.count == known.count)
        #expect(members.map(\.workload.workload.uid) == known.sorted())
        #expect(members.runs.allSatisfy { (1...128).contains($0.count) })
    }
}
