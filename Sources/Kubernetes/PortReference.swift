/// A port by number or by the name a container gives it.
package enum PortReference: Sendable, Hashable {
    case number(UInt16)
    case name(String)

    /// Reads a number or a name, as Kubernetes' IntOrString.
    package init(_ field: Field) throws(FieldError) {
        guard case .string(let text) = field.value else {
            self = .number(try field.port())
            return
        }
        // The API server takes "8080" for the number.
        if let number = UInt16(text) {
            guard number > 0 else { throw field.refused("must be 1 to 65535, found 0") }
            self = .number(number)
        } else {
            guard !text.isEmpty else { throw field.refused("must be a port number or name") }
            self = .name(text)
        }
    }
}

/// The transport of a port; others than TCP never enter the mesh.
package enum TransportProtocol: String, Sendable, Hashable {
    case tcp = "TCP"
    case udp = "UDP"
    case sctp = "SCTP"
    /// One this version does not know.
    case other = ""

    /// Reads the field `protocol` of a port; TCP when absent.
    package init(_ port: Field) throws(FieldError) {
        guard let text = try port.string("protocol") else {
            self = .tcp
            return
        }
        self = TransportProtocol(rawValue: text) ?? .other
    }
}
