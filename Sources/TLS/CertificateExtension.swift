internal import COpenSSL

/// One extension to put into a certificate or a request.
package struct CertificateExtension: Sendable {
    /// How the value is given.
    package enum Value: Sendable {
        /// OpenSSL's configuration text (x509v3_config(5)); only for constants of ours.
        case text(String)
        /// The DER of the value.
        case der([UInt8])
    }

    /// A short name of OpenSSL's or a dotted OID.
    package let name: String
    package let value: Value
    package let isCritical: Bool

    /// Describes an extension; nothing is checked before it is used.
    package init(name: String, value: Value, isCritical: Bool = false) {
        self.name = name
        self.value = value
        self.isCritical = isCritical
    }

    /// A subjectAltName of URI names, whatever bytes they hold.
    package static func names(uris: [[UInt8]], critical: Bool) -> Self {
        let names = uris.map { der(tag: 0x86, $0) }
        return Self(
            name: "subjectAltName",
            value: .der(der(tag: 0x30, names.flatMap { $0 })),
            isCritical: critical
        )
    }

    /// One DER element: tag, definite length, content of at most 65535 bytes.
    package static func der(tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        precondition(count <= 0xffff, "a DER element of \(count) bytes")
        let length: [UInt8] =
            switch count {
            case ..<0x80: [UInt8(truncatingIfNeeded: count)]
            case ..<0x100: [0x81, UInt8(truncatingIfNeeded: count)]
            default:
                [0x82, UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
            }
        return [tag] + length + content
    }

    /// Lends the extensions to C as one array.
    static func withC(
        _ extensions: [Self],
        _ body: (UnsafePointer<ambit_extension>?, Int) -> OpaquePointer?
    ) -> OpaquePointer? {
        var arena: [UnsafeMutableRawBufferPointer] = unsafe []
        defer { unsafe arena.forEach { unsafe $0.deallocate() } }
        func keepText(_ text: String) -> UnsafePointer<CChar>? {
            unsafe UnsafePointer(keep(Array(text.utf8))?.assumingMemoryBound(to: CChar.self))
        }
        func keep(_ bytes: [UInt8]) -> UnsafeMutableRawPointer? {
            let copy = UnsafeMutableRawBufferPointer.allocate(
                byteCount: bytes.count + 1,
                alignment: 1
            )
            unsafe copy.copyBytes(from: bytes + [0])
            unsafe arena.append(copy)
            return copy.baseAddress
        }
        var list: [ambit_extension] = unsafe []
        for one in extensions {
            var entry = unsafe ambit_extension()
            unsafe entry.name = keepText(one.name)
            unsafe entry.critical = one.isCritical ? 1 : 0
            switch one.value {
            case .text(let text):
                unsafe entry.text = keepText(text)
            case .der(let bytes):
                unsafe entry.der = UnsafePointer(keep(bytes)?.assumingMemoryBound(to: UInt8.self))
                unsafe entry.der_length = bytes.count
            }
            unsafe list.append(entry)
        }
        return unsafe list.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
    }
}
