internal import Mesh
package import TLS

/// News about what is revoked.
package enum RevocationUpdate: Sendable {
    /// These lists are in force now; nil for none.
    case inForce(Revocations?)
    /// A text of lists was not taken; what was in force stays.
    case refused(RevocationError)
    /// A list that nobody we trust signed was left out: it can say nothing of our peers.
    case foreign(issuer: String)
}

/// What a node was told of revocation, and what of it is in force; no input or output.
struct RevocationState {
    /// The lists in force; nil while there are none.
    private(set) var current: Revocations?
    /// The text to be read, or that was read last; nil for none.
    private var text: String?
    /// Whether the text was read under the roots of now.
    private var isRead = true
    private var hasForeign = false
    private let refusesOutdated: Bool

    init(refusesOutdated: Bool) {
        self.refusesOutdated = refusesOutdated
    }

    /// Takes a text of lists, nil for none; it counts with the next `revise`.
    mutating func take(_ text: String?) {
        guard text != self.text || !isRead else { return }
        self.text = text
        isRead = false
    }

    /// Other authorities are known now: lists that were left out may count.
    mutating func authoritiesChanged(roots: Bool) {
        if roots || hasForeign { isRead = false }
    }

    /// Whether `revise` would find something to do.
    func isDue(nowSeconds: Int64) -> Bool {
        guard isRead else { return true }
        guard refusesOutdated, let current else { return false }
        return current.lists.count { $0.nextUpdate < nowSeconds } != current.outdated.count
    }

    /// Reads what is new, and looks at the clock; returns what is to be told.
    ///
    /// Without roots nothing can be read, and no peer can be met.
    mutating func revise(
        trust: TrustBundle?,
        authorities: [Certificate],
        nowSeconds: Int64
    ) -> [RevocationUpdate] {
        guard isRead else { return read(trust, authorities, nowSeconds) }
        guard let current, isDue(nowSeconds: nowSeconds) else { return [] }
        return replace(with: current.lists, nowSeconds)
    }

    private mutating func read(
        _ trust: TrustBundle?,
        _ authorities: [Certificate],
        _ nowSeconds: Int64
    ) -> [RevocationUpdate] {
        guard let text else {
            isRead = true
            hasForeign = false
            guard current != nil else { return [] }
            current = nil
            return [.inForce(nil)]
        }
        guard let trust else { return [] }
        isRead = true
        do throws(RevocationError) {
            let reading = try RevocationList.read(
                text,
                roots: trust.roots,
                authorities: authorities,
                nowSeconds: nowSeconds
            )
            try Revocations.check(reading.lists, follow: current?.lists ?? [])
            hasForeign = !reading.foreign.isEmpty
            return reading.foreign.map { .foreign(issuer: $0) }
                + replace(with: reading.lists, nowSeconds)
        } catch {
            return refuse(error)
        }
    }

    private mutating func replace(
        with lists: [RevocationList],
        _ nowSeconds: Int64
    ) -> [RevocationUpdate] {
        let next = Revocations(lists, refusesOutdated: refusesOutdated, nowSeconds: nowSeconds)
        current = next
        return [.inForce(next)]
    }

    private mutating func refuse(_ error: RevocationError) -> [RevocationUpdate] {
        // With none before, nobody can tell who is revoked: then nobody is let in.
        guard current == nil else { return [.refused(error)] }
        let closed = Revocations(fault: "the revocation lists cannot be read: \(error)")
        current = closed
        return [.refused(error), .inForce(closed)]
    }
}
