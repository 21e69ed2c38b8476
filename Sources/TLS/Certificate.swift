internal import COpenSSL

/// One X.509 certificate and what it says of itself; immutable, shared by threads.
@safe
package final class Certificate: @unchecked Sendable {
    /// The object of OpenSSL, owned here; it is only read after `init`.
    let handle: OpaquePointer
    /// The first and last second of validity, Unix time.
    package let notBefore: Int64
    package let notAfter: Int64
    /// Whether it may sign other certificates.
    package let isAuthority: Bool
    /// The serial number in hexadecimal.
    package let serial: String
    /// Subject and issuer in RFC 2253 form, escaped.
    package let subject: String
    package let issuer: String
    let facts: ambit_certificate_facts

    /// Takes ownership of an OpenSSL certificate.
    init(owning handle: OpaquePointer) {
        unsafe self.handle = handle
        var facts = ambit_certificate_facts()
        unsafe ambit_certificate_read_facts(handle, &facts)
        self.facts = facts
        self.notBefore = facts.not_before
        self.notAfter = facts.not_after
        self.isAuthority = facts.may_sign != 0
        self.serial = unsafe Self.text { unsafe ambit_certificate_serial(handle, $0, $1) }
        self.subject = unsafe Self.text { unsafe ambit_certificate_subject(handle, $0, $1) }
        self.issuer = unsafe Self.text { unsafe ambit_certificate_issuer(handle, $0, $1) }
    }

    /// Takes one more reference to a certificate someone else owns.
    convenience init(sharing handle: OpaquePointer) {
        unsafe ambit_certificate_retain(handle)
        unsafe self.init(owning: handle)
    }

    /// Reads a DER certificate with nothing behind it.
    package convenience init(der: [UInt8]) throws(TLSError) {
        let handle = unsafe der.withUnsafeBufferPointer { bytes in
            unsafe ambit_certificate_read_der(bytes.baseAddress, bytes.count)
        }
        guard let handle = unsafe handle else {
            throw .unreadable(libraryError("not a DER certificate"))
        }
        unsafe self.init(owning: handle)
    }

    deinit {
        unsafe ambit_certificate_free(handle)
    }

    /// The certificate in PEM.
    package var pem: String {
        let bytes = unsafe Self.bytes { unsafe ambit_certificate_write_pem(handle, $0, $1) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The certificate in DER.
    package var der: [UInt8] {
        unsafe Self.bytes { unsafe ambit_certificate_write_der(handle, $0, $1) }
    }

    /// The URI names as raw bytes, at most eight of them; they may hold anything.
    package var uriNames: [[UInt8]] {
        (0..<min(Int(facts.uri_count), 8)).map { index in
            unsafe Self.bytes { unsafe ambit_certificate_uri(handle, index, $0, $1) }
        }
    }

    /// The workload this certificate was issued to.
    ///
    /// Refuses what ATTACKS 5.4 lists: malformed or doubled name extensions, any number of URI
    /// names but one, other spellings of SPIFFE ids, and certificates of authorities. Names of
    /// other types never count.
    package func workloadIdentity() throws(IdentityFault) -> PeerIdentity {
        if facts.names_unreadable != 0 { throw .namesUnreadable }
        if facts.claims_authority != 0 { throw .isAuthority }
        if facts.uri_count == 0 { throw .noURIName }
        if facts.uri_count > 1 { throw .severalURINames(Int(facts.uri_count)) }
        let uri = unsafe Self.bytes { unsafe ambit_certificate_uri(handle, 0, $0, $1) }
        do {
            return try PeerIdentity(uri)
        } catch {
            throw .notSPIFFE(error)
        }
    }

    private static func text(_ fill: (UnsafeMutablePointer<CChar>?, Int) -> Int) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { room in
            guard let start = room.baseAddress, unsafe fill(start, room.count) > 0 else {
                return ""
            }
            return unsafe String(cString: start)
        }
    }

    static func bytes(_ fill: (UnsafeMutablePointer<UInt8>?, Int) -> Int) -> [UInt8] {
        var room = 2048
        while true {
            var needed = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                needed = unsafe fill(buffer.baseAddress, room)
                count = needed <= room ? needed : 0
            }
            if needed <= room { return bytes }
            room = needed
        }
    }
}

/// Reads every certificate of PEM texts, which may stand in one string or several.
func readCertificates(
    _ pem: [String],
    countMax: Int,
    what: String
) throws(TLSError) -> [Certificate] {
    var found: [Certificate] = []
    for text in pem {
        let bytes = Array(text.utf8)
        guard bytes.count <= certificateTextBytesMax else {
            throw .unreadable("\(what): longer than \(certificateTextBytesMax) bytes")
        }
        var offset = 0
        while true {
            let handle = unsafe bytes.withUnsafeBufferPointer { bytes in
                unsafe ambit_certificate_read_pem(bytes.baseAddress, bytes.count, &offset)
            }
            guard let handle = unsafe handle else {
                let problem = libraryError("")
                if problem.isEmpty { break }
                throw .unreadable("\(what)\(problem)")
            }
            unsafe found.append(Certificate(owning: handle))
            guard found.count <= countMax else {
                throw .unreadable("\(what): more than \(countMax) certificates")
            }
        }
    }
    guard !found.isEmpty else { throw .unreadable("\(what): no PEM certificate in it") }
    return found
}

/// The longest PEM text read at once, in bytes.
let certificateTextBytesMax = 1 << 20
