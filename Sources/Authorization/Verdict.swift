package import Mesh

/// The answer of policy to one flow.
package enum Verdict: ~Copyable, Sendable {
    case permitted(Permit)
    case denied(Denial)
}

/// Proof that policy was asked and said yes; delivery consumes it.
///
/// Only `authorize` makes one, and it can be used once.
package struct Permit: ~Copyable, Sendable {
    /// The key `ns/name` of the policy that allowed; nil when no ALLOW policy applies.
    package let policy: String?
    /// The index of the rule in that policy.
    package let rule: Int?
    /// What dry-run policies would have done, as sentences for the log.
    package let dryRun: [String]

    fileprivate init(policy: String?, rule: Int?, dryRun: [String]) {
        self.policy = policy
        self.rule = rule
        self.dryRun = dryRun
    }
}

/// Why policy said no.
package struct Denial: Sendable, Equatable {
    /// The key `ns/name` of the policy that denied, or of the first that did not allow.
    ///
    /// In the latter case `rule` is nil.
    package let policy: String?
    /// The index of the rule in that policy.
    package let rule: Int?
    /// For the access log and for people.
    package let reason: String
    /// What dry-run policies would have done, as sentences for the log.
    package let dryRun: [String]
}

/// The answer for a connection that is open already.
package enum Recheck: Sendable, Equatable {
    case permitted
    case denied(Denial)
    /// The workload, or its claim to the address, is gone: close the connection.
    case departed
}

/// The most dry-run sentences one verdict carries.
package let dryRunNotesMax = 8

/// Asks the policies of the destination whether it accepts a flow (PROTOCOL.md §3).
///
/// Costs time in the number of policies that apply to this workload, no others. A policy the
/// workload names that is not known yet denies: it may be the one that would.
package func authorize(_ flow: Flow, to workload: WorkloadRecord) -> Verdict {
    switch Evaluation(flow).decide(workload.policies) {
    case .allowed(let policy, let rule, let dryRun):
        .permitted(Permit(policy: policy, rule: rule, dryRun: dryRun))
    case .denied(let denial):
        .denied(denial)
    }
}

/// Lets kubelet's probe through, whatever the policies say; nil when it is none (DESIGN.md §3.9).
///
/// A probe comes in the clear from an address of the pod's own node to a port that the pod
/// declares as one of its probes. Its permit names `probe` as the policy.
package func permitProbe(
    _ flow: Flow,
    to ports: [UInt16],
    from nodeAddresses: Set<IPAddress>
) -> Permit? {
    guard flow.identity == nil, ports.contains(flow.destination.port),
        nodeAddresses.contains(flow.source)
    else { return nil }
    return Permit(policy: "probe", rule: nil, dryRun: [])
}

/// Lets a probe through that a foreign agent has given an address of its own, on any port; nil for
/// every other flow (PROTOCOL.md §1.5).
package func permitProbe(
    _ flow: Flow,
    fromForeign addresses: Set<IPAddress>
) -> Permit? {
    guard flow.identity == nil, addresses.contains(flow.source) else { return nil }
    return Permit(policy: "probe", rule: nil, dryRun: [])
}

/// Asks again for an open connection, with the workload and policies of `snapshot`.
///
/// `uid` is the destination's, as it was when the connection was accepted.
package func recheck(_ flow: Flow, to uid: String, in snapshot: Snapshot) -> Recheck {
    guard let record = snapshot.workload(uid: uid) else { return .departed }
    let ip = flow.destination.ip
    if !record.workload.addresses.contains(ip),
        snapshot.workload(address: ip, network: record.workload.network) != nil
    {
        // The pod was recreated elsewhere under its name, and its address is another's now.
        return .departed
    }
    switch authorize(flow, to: record) {
    case .permitted: return .permitted
    case .denied(let denial): return .denied(denial)
    }
}
