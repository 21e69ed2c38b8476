internal import COpenSSL

/// Why a revocation list is not taken, in a word for metrics and words for the operator.
package struct RevocationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, as the label of a metric.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Not PEM, not a list, or a field of it cannot be read.
        case malformed
        /// Larger than is read, or more lists than are.
        case tooLarge = "too-large"
        /// Signed by nobody we trust.
        case foreign
        /// Below the number, or the date, of the list in force.
        case older
        /// From the future.
        case notYetValid = "not-yet-valid"
        /// Of a form that cannot be honoured in full: delta, partial, indirect, weakly signed.
        case unsupported
    }

    package let kind: Kind
    package let reason: String

    /// Holds a kind and its words.
    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// The words.
    package var description: String { reason }
}

/// One authority's list of the certificates it has revoked (RFC 5280 §5); immutable.
package final class RevocationList: Sendable {
    /// One certificate on the list.
    package struct Entry: Sendable {
        let key: RevocationKey
        /// In hexadecimal, as `Certificate.serial`.
        package let serial: String
        /// Unix seconds.
        package let revokedAt: Int64
    }

    /// The name of the authority, RFC 2253.
    package let issuer: String
    /// The list's number, big-endian without leading zeros; nil when it has none.
    let numberBytes: [UInt8]?
    /// When it was made and by when there must be another, Unix seconds.
    package let thisUpdate: Int64
    package let nextUpdate: Int64
    package let entries: [Entry]
    let issuerKey: RevocationKey

    /// The longest text of lists that is read, in bytes; a Secret holds no more.
    package static let textBytesMax = 1 << 20
    /// The most lists in one text.
    package static let listsMax = 64
    /// How far a list may come from the future, for clocks that are apart.
    private static let skewSeconds: Int64 = 300

    private init(_ handle: OpaquePointer, _ facts: ambit_crl_facts, signer: Certificate) {
        self.issuer = signer.subject
        self.issuerKey = RevocationKey(authority: signer)
        self.thisUpdate = facts.this_update
        self.nextUpdate = facts.next_update
        let bytes = unsafe withUnsafeBytes(of: facts.number) { bytes in
            unsafe Array(bytes.prefix(facts.number_length))
        }
        self.numberBytes = facts.has_number == 1 ? Array(bytes.drop { $0 == 0 }) : nil
        var entries: [Entry] = []
        entries.reserveCapacity(facts.count)
        for index in 0..<facts.count {
            var revoked = ambit_crl_revoked()
            guard unsafe ambit_crl_entry(handle, index, signer.handle, &revoked) == 1 else {
                continue
            }
            entries.append(Self.entry(revoked))
        }
        self.entries = entries
    }

    private static func entry(_ revoked: ambit_crl_revoked) -> Entry {
        let key = unsafe withUnsafeBytes(of: revoked.key) { unsafe RevocationKey($0[...]) }
        let serial = unsafe withUnsafeBytes(of: revoked.serial) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return Entry(key: key, serial: serial, revokedAt: revoked.revoked_at)
    }

    /// The number in hexadecimal; empty when it has none.
    package var number: String {
        guard let numberBytes else { return "" }
        if numberBytes.isEmpty { return "00" }
        return numberBytes.map { byte in
            let text = String(byte, radix: 16, uppercase: true)
            return byte < 16 ? "0" + text : text
        }.joined()
    }

    /// The number as metrics show it; the largest there is for one that is larger.
    package var numberValue: Int64 {
        (numberBytes ?? []).reduce(Int64(0)) { value, byte in
            value > Int64.max >> 8 ? .max : value << 8 | Int64(byte)
        }
    }

    /// Whether it is an authority's.
    package func isSigned(by authority: Certificate) -> Bool {
        issuerKey == RevocationKey(authority: authority)
    }

    /// Whether this list was made before another one of the same authority.
    func isOlder(than other: RevocationList) -> Bool {
        if let mine = numberBytes, let others = other.numberBytes, mine != others {
            if mine.count != others.count { return mine.count < others.count }
            return mine.lexicographicallyPrecedes(others)
        }
        return thisUpdate < other.thisUpdate
    }

    /// What a text of PEM lists, and certificates of their authorities among them, comes to.
    package struct Reading: Sendable {
        /// One for each authority, the newest.
        package var lists: [RevocationList] = []
        /// The issuers of lists that nobody we trust signed.
        package var foreign: [String] = []

        /// Nothing was read.
        package init() {}
    }

    /// Reads a text; a list counts when one of the roots signed it, one of the other authorities,
    /// or one whose certificate stands in the text and leads to them.
    ///
    /// A list that cannot be honoured in full fails the whole text.
    package static func read(
        _ text: String,
        roots: [Certificate],
        authorities: [Certificate],
        nowSeconds: Int64
    ) throws(RevocationError) -> Reading {
        let bytes = Array(text.utf8)
        guard bytes.count <= textBytesMax else {
            throw RevocationError(.tooLarge, "longer than \(textBytesMax) bytes")
        }
        let signers = trusted(roots + authorities, in: text)
        var reading = Reading()
        var offset = 0
        var count = 0
        while let handle = unsafe try next(bytes, &offset) {
            defer { unsafe ambit_crl_free(handle) }
            count += 1
            guard count <= listsMax else {
                throw RevocationError(.tooLarge, "more than \(listsMax) lists")
            }
            unsafe try take(handle, signers, nowSeconds, into: &reading)
        }
        guard count > 0 else {
            throw RevocationError(.malformed, "no PEM revocation list in it")
        }
        return reading
    }

    private static func next(
        _ bytes: [UInt8],
        _ offset: inout Int
    ) throws(RevocationError) -> OpaquePointer? {
        let handle = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ambit_crl_read_pem(bytes.baseAddress, bytes.count, &offset)
        }
        if let handle = unsafe handle { return unsafe handle }
        let problem = libraryError("")
        guard problem.isEmpty else {
            throw RevocationError(.malformed, "not a PEM revocation list\(problem)")
        }
        return nil
    }

    /// The authorities whose lists count: those given, and those in the text that they certified.
    private static func trusted(_ known: [Certificate], in text: String) -> [Certificate] {
        var found = known
        var others = (try? readCertificates([text], countMax: listsMax, what: "lists")) ?? []
        others.removeAll { !$0.isAuthority }
        // Each round takes up at least one, or is the last.
        while let index = others.firstIndex(where: { one in found.contains(where: one.isSigned) }) {
            found.append(others.remove(at: index))
        }
        return found
    }

    private static func take(
        _ handle: OpaquePointer,
        _ signers: [Certificate],
        _ nowSeconds: Int64,
        into reading: inout Reading
    ) throws(RevocationError) {
        var facts = ambit_crl_facts()
        unsafe ambit_crl_read_facts(handle, &facts)
        let issuer = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { room in
            guard let start = room.baseAddress,
                unsafe ambit_crl_issuer(handle, start, room.count) > 0
            else { return "" }
            return unsafe String(cString: start)
        }
        let signer = signers.first { signer in
            unsafe ambit_crl_names_issuer(handle, signer.handle) == 1
                && ambit_crl_is_signed_by(handle, signer.handle) == 1
        }
        guard let signer else {
            reading.foreign.append(issuer)
            return
        }
        try check(facts, "the list of \(issuer)", nowSeconds)
        let list = unsafe RevocationList(handle, facts, signer: signer)
        guard list.entries.count == facts.count else {
            throw RevocationError(.malformed, "the list of \(issuer) has an unreadable entry")
        }
        if let index = reading.lists.firstIndex(where: { $0.issuerKey == list.issuerKey }) {
            if reading.lists[index].isOlder(than: list) { reading.lists[index] = list }
        } else {
            reading.lists.append(list)
        }
    }

    private static func check(
        _ facts: ambit_crl_facts,
        _ what: String,
        _ nowSeconds: Int64
    ) throws(RevocationError) {
        switch Int(facts.fault) {
        case AMBIT_CRL_GOOD: break
        case AMBIT_CRL_WEAK:
            throw RevocationError(.unsupported, "\(what) is signed with a weak digest")
        case AMBIT_CRL_IS_DELTA:
            throw RevocationError(.unsupported, "\(what) is a delta; give the complete list")
        case AMBIT_CRL_IS_PARTIAL:
            throw RevocationError(.unsupported, "\(what) is about a part of the certificates only")
        case AMBIT_CRL_BAD_NUMBER:
            throw RevocationError(.malformed, "\(what) has a malformed number")
        default:
            throw RevocationError(.unsupported, "\(what) has an unknown critical extension")
        }
        guard facts.this_update > 0, facts.next_update > 0 else {
            throw RevocationError(.malformed, "\(what) does not say when it was made or ends")
        }
        guard facts.this_update <= nowSeconds + skewSeconds else {
            throw RevocationError(.notYetValid, "\(what) is from the future; are the clocks apart?")
        }
    }
}
