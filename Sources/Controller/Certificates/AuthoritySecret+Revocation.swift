internal import Foundation
internal import Kubernetes
internal import TLS

/// Our own authority's revocation lists, kept beside its key in the same Secret.
///
/// Revocation is asked for by annotations `ambit.dev/revoke-SERIAL`, the serial in hexadecimal.
/// Every key of the Secret signs all serials: during a rotation it is not known whose one is, and
/// a serial that a key never gave harms nobody.
extension AuthoritySecret {
    /// How lists are made.
    enum ListLimit {
        /// Certificates on a list: two lists, as in a rotation, at 54 bytes an entry stay below the
        /// MiB that an API server takes in a Secret or ConfigMap.
        static let entriesMax = 9_000
        /// How long a list is good; it is made anew at half of that.
        static let seconds: Int64 = 7 * 86_400
        /// How long a certificate stays on it: no certificate lives longer.
        static let entrySeconds: Int64 = 90 * 86_400
        /// The length of a serial number in hexadecimal (RFC 5280 §4.1.2.2).
        static let serialDigits = 1...40
    }

    static let listKey = "ca-crl.pem"
    /// The last lists of roots that are trusted still and whose keys are gone: they stay as they
    /// are, since nobody can make them anew.
    static let previousListKey = "previous.crl"
    static let revokePrefix = "ambit.dev/revoke-"

    /// The certificates and keys of the Secret that sign, or did until a rotation.
    private static let signers = [
        ("ca.crt", "ca.key"), ("next.crt", "next.key"), ("previous.crt", "previous.key"),
    ]

    /// The Secret with lists made anew; nil when there is nothing to do.
    ///
    /// They are for serials that are asked for, before those in force run out, and when their key
    /// has gone.
    func relisted(_ secret: Value, nowSeconds: Int64) throws -> Value? {
        let asked = Self.asked(secret)
        let authorities = try authorities(secret)
        let before = try Self.lists(secret, authorities.map(\.certificate), nowSeconds)
        let isLate = before.lists.contains {
            $0.nextUpdate - nowSeconds < ListLimit.seconds / 2
        }
        guard !asked.isEmpty || isLate || !before.foreign.isEmpty else { return nil }
        let serials = asked.compactMap(\.serial)
        var texts: [String] = []
        for authority in authorities {
            let old = before.lists.first { $0.isSigned(by: authority.certificate) }
            var revoked: [String: Int64] = [:]
            for entry in old?.entries ?? []
            where entry.revokedAt > nowSeconds - ListLimit.entrySeconds {
                revoked[entry.serial] = entry.revokedAt
            }
            for serial in serials where revoked[serial] == nil { revoked[serial] = nowSeconds }
            guard old != nil || !revoked.isEmpty else { continue }
            let number = max((old?.numberValue ?? 0) &+ 1, nowSeconds)
            texts.append(
                try authority.revocationList(
                    revoked.sorted { $0.value > $1.value }.prefix(ListLimit.entriesMax)
                        .map { Authority.Revoked(serial: $0.key, revokedAt: $0.value) },
                    number: UInt64(clamping: number),
                    thisUpdate: nowSeconds - MeshAuthority.backdateSeconds,
                    nextUpdate: nowSeconds + ListLimit.seconds
                )
            )
        }
        var next = secret
        next["data"][Self.listKey] = texts.isEmpty ? .null : Self.data(texts.joined())
        for one in asked { next["metadata"]["annotations"][one.annotation] = .null }
        return next
    }

    /// The serials that annotations ask to revoke; nil for what is none.
    private static func asked(_ secret: Value) -> [(annotation: String, serial: String?)] {
        let annotations = secret["metadata"]["annotations"].mapValue ?? [:]
        return annotations.keys.filter { $0.hasPrefix(revokePrefix) }.sorted().map { name in
            let digits = name.dropFirst(revokePrefix.count).uppercased()
            let isSerial =
                ListLimit.serialDigits.contains(digits.count) && digits.allSatisfy(\.isHexDigit)
            return (name, isSerial ? String(digits) : nil)
        }
    }

    private func authorities(_ secret: Value) throws -> [Authority] {
        try Self.signers.compactMap { certificate, key in
            guard let chain = Self.text(secret["data"][certificate]),
                let key = Self.text(secret["data"][key])
            else { return nil }
            return try Authority(pem: chain + key, trustDomain: trustDomain)
        }
    }

    private static func lists(
        _ secret: Value,
        _ signers: [Certificate],
        _ nowSeconds: Int64
    ) throws -> RevocationList.Reading {
        guard let text = Self.text(secret["data"][listKey]), !text.isEmpty else {
            return RevocationList.Reading()
        }
        return try RevocationList.read(
            text,
            roots: signers,
            authorities: [],
            nowSeconds: nowSeconds
        )
    }

    private static func text(_ value: Value) -> String? {
        guard let data = value.stringValue.flatMap({ Data(base64Encoded: $0) }) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
