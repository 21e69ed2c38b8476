package import Identity

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
            roots: roots.map(Entry.init)
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
