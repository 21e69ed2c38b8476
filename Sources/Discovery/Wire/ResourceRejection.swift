/// Why one resource of a response is not taken: its name, the field and the reason.
package struct ResourceRejection: Error, Sendable, Equatable, CustomStringConvertible {
    /// As the response names it.
    package let resource: String
    /// Such as `addresses[0]`; empty when the resource as a whole is meant.
    package let field: String
    package let reason: String

    init(resource: String, field: String, reason: String) {
        self.resource = resource
        self.field = field
        self.reason = reason
    }

    /// Name, field and reason, separated by colons.
    package var description: String {
        [resource, field, reason].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// Checks of the fields of one resource; every failure names the resource and the field.
struct WireFields {
    /// The longest name or other text, in bytes.
    static let textBytesMax = 2048

    let resource: String

    func failure(_ field: String, _ reason: String) -> ResourceRejection {
        ResourceRejection(resource: resource, field: field, reason: reason)
    }

    /// A text that may be empty, without control characters: it ends up in logs and metrics.
    func text(_ value: String, _ field: String) throws(ResourceRejection) -> String {
        guard value.utf8.count <= Self.textBytesMax else {
            throw failure(field, "is longer than \(Self.textBytesMax) bytes")
        }
        // C0 and DEL, and C1 which is C2 80...9F in UTF-8.
        var wasLead = false
        for byte in value.utf8 {
            guard byte >= 0x20, byte != 0x7F, !(wasLead && byte < 0xA0) else {
                throw failure(field, "has a control character")
            }
            wasLead = byte == 0xC2
        }
        return value
    }

    func requiredText(_ value: String, _ field: String) throws(ResourceRejection) -> String {
        guard !value.isEmpty else { throw failure(field, "is missing") }
        return try text(value, field)
    }

    func port(_ value: UInt32, _ field: String) throws(ResourceRejection) -> UInt16 {
        guard let port = UInt16(exactly: value) else {
            throw failure(field, "is \(value), not a port")
        }
        return port
    }

    func unknown(_ field: String, _ number: Int) -> ResourceRejection {
        failure(field, "has the unknown value \(number)")
    }
}
