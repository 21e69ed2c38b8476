package import Identity
package import TLS

extension CertificateReport {
    /// What the certificate store says of an identity, and the roots it trusts.
    package init(_ state: CertificateState, roots: [CertificateSummary]) {
        let text =
            switch state.phase {
            case .available: "Available"
            case .initializing: "Initializing"
            case .unavailable: "Unavailable: \(state.reason ?? "no reason known")"
            }
        self.init(
            identity: state.identity,
            state: text,
            chain: state.chain.map(Entry.init),
            roots: roots.map(Entry.init),
            obtainedAt: state.obtainedAt,
            nextAt: state.nextAttemptSeconds
        )
    }
}

extension RevocationReport {
    /// Serial numbers shown of one list; there may be thousands.
    private static let serialsMax = 100

    /// What lists in force say.
    package init(_ revocations: Revocations) {
        let outdated = revocations.outdated
        self.init(
            lists: revocations.lists.map { list in
                List(
                    issuer: list.issuer,
                    number: list.number,
                    thisUpdate: list.thisUpdate,
                    nextUpdate: list.nextUpdate,
                    serials: list.entries.prefix(Self.serialsMax).map(\.serial),
                    count: list.entries.count,
                    isOutdated: outdated.contains { $0 === list }
                )
            },
            fault: revocations.fault
        )
    }
}

extension CertificateReport.Entry {
    fileprivate init(_ summary: CertificateSummary) {
        self.init(
            pem: summary.pem,
            serial: summary.serial,
            notBefore: summary.notBefore,
            notAfter: summary.notAfter
        )
    }
}
