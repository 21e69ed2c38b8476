internal import CNetfilter
internal import Glibc
package import Mesh

/// What kube-proxy does on a real node: virtual addresses for pods that are not in the mesh.
///
/// Pods in the mesh never get here, for their proxy resolves services; tunnels are left out of
/// connection tracking, as they would be without these rules.
package enum ServiceRules {
    /// The table in each node's namespace.
    static let table = "inet ambit_lab"

    /// The rules for a mesh state, one nft transaction that replaces what was there.
    package static func text(for state: MeshState) -> String {
        let services = state.services.sorted { $0.key < $1.key }.flatMap { service in
            service.addresses.flatMap { rules(for: service, at: $0.prefix.address, in: state) }
        }
        let lines =
            [
                "add table \(table)", "delete table \(table)", "table \(table) {",
                "chain untracked { type filter hook prerouting priority -300;",
                "tcp dport 15008 notrack", "tcp sport 15008 notrack", "}", "chain services {",
            ] + services + [
                "}", "chain arriving { type nat hook prerouting priority -100;", "jump services",
                "}",
                "chain leaving { type nat hook output priority -100;", "jump services", "}", "}",
            ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func rules(
        for service: Mesh.Service,
        at address: IPAddress,
        in state: MeshState
    ) -> [String] {
        let family = address.family == .v4 ? "ip" : "ip6"
        return service.ports.flatMap { port in
            let targets = targets(of: service, port.servicePort, address.family, in: state)
            return targets.enumerated().map { index, target in
                // Each of those left is as likely as the others.
                let left = targets.count - index
                let chance = left > 1 ? "numgen random mod \(left) < 1 " : ""
                return "\(family) daddr \(address) tcp dport \(port.servicePort) "
                    + "\(chance)dnat \(family) to \(target)"
            }
        }
    }

    private static func targets(
        of service: Mesh.Service,
        _ port: UInt16,
        _ family: IPAddress.Family,
        in state: MeshState
    ) -> [SocketAddress] {
        state.workloads.compactMap { workload in
            guard
                workload.status == .healthy || service.loadBalancing.healthPolicy == .allowAll,
                let ports = workload.services[service.key],
                let target = ports.first(where: { $0.servicePort == port })?.targetPort,
                target > 0,
                let address = workload.addresses.first(where: { $0.family == family })
            else { return nil }
            return SocketAddress(address, target)
        }
    }

    /// Puts rules in force in the calling thread's network namespace; what is wrong, or nil.
    static func install(_ text: String) -> String? {
        var message: UnsafeMutablePointer<CChar>?
        let result = unsafe ambit_nft_run(text, nil, &message)
        defer { unsafe free(message) }
        guard result != 0 else { return nil }
        return unsafe message.map { unsafe String(cString: $0) } ?? "no reason given"
    }
}
