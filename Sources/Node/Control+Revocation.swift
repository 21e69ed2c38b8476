internal import Identity
internal import Reactor
internal import TLS
internal import Telemetry

// What is revoked: from a file of the node's own, or from the control plane.
extension Control {
    /// Takes the lists of the control plane, where no file takes their place.
    func takeRevocations(_ text: String?) {
        if configuration.revocationsPath.isEmpty { store.revoke(text) }
    }

    /// Reads the file of lists.
    ///
    /// An empty file says that nothing is revoked. One that is not there, or cannot be read, says
    /// nothing: the lists before it stay in force.
    func readRevocations() {
        let path = configuration.revocationsPath
        guard !path.isEmpty else { return }
        do throws(SystemError) {
            let bytes = try WatchedFile.contents(
                path,
                bytesMax: RevocationList.textBytesMax
            )
            let text = String(decoding: bytes, as: UTF8.self)
            store.revoke(text.allSatisfy(\.isWhitespace) ? nil : text)
        } catch {
            telemetry.log.warn(
                .identity,
                "no revocation lists read, those before stay",
                ["file": "\(path)", "error": "\(error)"]
            )
        }
    }

    /// Shows the lists in force as metrics.
    func observeRevocations() {
        let store = self.store
        let byIssuer: [(String, String, @Sendable (RevocationList) -> Int64)] = [
            (
                "ambit_revocation_list_number", "The number of the revocation list in force.",
                { $0.numberValue }
            ),
            (
                "ambit_revocation_list_next_update_timestamp_seconds",
                "When the revocation list must be replaced, in Unix time.", { $0.nextUpdate }
            ),
            (
                "ambit_revoked_certificates", "Certificates on the revocation list in force.",
                { Int64($0.entries.count) }
            ),
        ]
        for (name, help, value) in byIssuer {
            telemetry.metrics.observe(name, help: help, kind: .gauge, labels: ["issuer"]) {
                (store.revocations?.lists ?? []).map {
                    Observation(value($0), labels: [$0.issuer])
                }
            }
        }
        telemetry.metrics.observe(
            "ambit_revocation_lists_outdated",
            help: "Revocation lists that are out of date.",
            kind: .gauge
        ) {
            [Observation(Int64(store.revocations?.outdated.count ?? 0))]
        }
    }
}
