/// What is revoked at one moment, by all lists in force; immutable, shared by threads.
package final class Revocations: Sendable {
    /// The lists in force, one for each authority.
    package let lists: [RevocationList]
    /// Why no certificate can be accepted at all; nil when the lists say which can.
    package let fault: String?
    /// How many certificates are revoked.
    package var count: Int { places.count }
    /// Which of the lists are past their end.
    private let outdatedLists: [RevocationKey: RevocationList]
    private let places: [RevocationKey: (list: Int, entry: Int)]

    /// Puts lists in force.
    ///
    /// With `refusesOutdated`, authorities whose list was due for another before `nowSeconds` have
    /// no more certificates accepted; what an outdated list revokes is revoked in any case.
    package init(_ lists: [RevocationList], refusesOutdated: Bool, nowSeconds: Int64) {
        self.lists = lists
        self.fault = nil
        var places: [RevocationKey: (list: Int, entry: Int)] = [:]
        for (index, list) in lists.enumerated() {
            for (position, entry) in list.entries.enumerated() {
                places[entry.key] = (index, position)
            }
        }
        self.places = places
        let late = refusesOutdated ? lists.filter { $0.nextUpdate < nowSeconds } : []
        self.outdatedLists = Dictionary(
            late.map { ($0.issuerKey, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// Accepts nothing: a list is there and cannot be read, and there was none before it.
    package init(fault: String) {
        self.lists = []
        self.fault = fault
        self.places = [:]
        self.outdatedLists = [:]
    }

    /// Checks that lists do not take back what is in force: none may be older than its authority's.
    package static func check(
        _ lists: [RevocationList],
        follow before: [RevocationList]
    ) throws(RevocationError) {
        for list in lists {
            guard let old = before.first(where: { $0.issuerKey == list.issuerKey }),
                list.isOlder(than: old)
            else { continue }
            throw RevocationError(
                .older,
                "the list of \(list.issuer) has number \(list.number), older than \(old.number), "
                    + "which is in force"
            )
        }
    }

    /// Whether any list is past its end, so that issuers must be looked at.
    package var hasOutdated: Bool { !outdatedLists.isEmpty }

    /// The lists past their end whose authorities' certificates are refused for it.
    package var outdated: [RevocationList] { Array(outdatedLists.values) }

    /// Whether a certificate is revoked, and by which list.
    package func reason(_ key: RevocationKey) -> String? {
        guard let place = places[key] else { return nil }
        let list = lists[place.list]
        let serial = list.entries[place.entry].serial
        return "certificate \(serial) was revoked (list \(list.number) of \(list.issuer))"
    }

    /// Whether one of the certificates is revoked, and by which list.
    package func reason(_ keys: [RevocationKey]) -> String? {
        for key in keys {
            if let reason = reason(key) { return reason }
        }
        return nil
    }

    /// Why an authority's certificates cannot be accepted now; nil when they can.
    func outdated(_ issuer: RevocationKey) -> String? {
        guard let list = outdatedLists[issuer] else { return nil }
        return "the revocation list of \(list.issuer) is out of date"
    }
}
