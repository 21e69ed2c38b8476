internal import AmbientProtocol
internal import FoundationEssentials
internal import Mesh

extension GatewayAddress {
    init(
        _ wire: Istio_Workload_GatewayAddress,
        _ fields: WireFields,
        _ field: String
    ) throws(ResourceRejection) {
        let destination: Destination
        switch wire.destination {
        case .hostname(let name):
            destination = .hostname(
                namespace: try fields.segment(name.namespace, field + ".hostname.namespace"),
                hostname: try fields.requiredText(name.hostname, field + ".hostname.hostname")
            )
        case .address(let address):
            let virtual = try Service.VirtualAddress(address, fields, field + ".address")
            guard virtual.prefix.isHost else {
                throw fields.failure(field + ".address", "is a block")
            }
            destination = .address(network: virtual.network, virtual.prefix.address)
        case nil: throw fields.failure(field, "names no destination")
        }
        let port = try fields.port(wire.hboneMtlsPort, field + ".hbone_mtls_port")
        self.init(destination: destination, hboneMTLSPort: port == 0 ? 15_008 : port)
    }

    var wire: Istio_Workload_GatewayAddress {
        var wire = Istio_Workload_GatewayAddress()
        switch destination {
        case .hostname(let namespace, let hostname):
            wire.hostname.namespace = namespace
            wire.hostname.hostname = hostname
        case .address(let network, let address):
            wire.address.network = network
            wire.address.address = Data(address.bytes)
        }
        wire.hboneMtlsPort = UInt32(hboneMTLSPort)
        return wire
    }
}

extension Service.VirtualAddress {
    init(
        _ wire: Istio_Workload_NetworkAddress,
        _ fields: WireFields,
        _ field: String
    ) throws(ResourceRejection) {
        let address = try fields.address(wire.address, field)
        self.init(
            network: try fields.text(wire.network, field + ".network"),
            prefix: try fields.prefix(
                address,
                bytes: wire.address.count,
                length: wire.hasLength ? wire.length : nil,
                field
            )
        )
    }

    var wire: Istio_Workload_NetworkAddress {
        var wire = Istio_Workload_NetworkAddress()
        wire.network = network
        wire.address = Data(prefix.address.bytes)
        if !prefix.isHost { wire.length = UInt32(prefix.length) }
        return wire
    }
}

extension ServicePort {
    var wire: Istio_Workload_Port {
        var wire = Istio_Workload_Port()
        wire.servicePort = UInt32(servicePort)
        wire.targetPort = UInt32(targetPort)
        return wire
    }
}

extension WireFields {
    /// A text that may stand in a SPIFFE id, and so in `ns/name` keys.
    func segment(_ value: String, _ field: String) throws(ResourceRejection) -> String {
        guard SPIFFEID.isSegment(value), value.utf8.count <= Self.textBytesMax else {
            throw failure(field, "is not made of letters, digits, '-', '_' and '.' only")
        }
        return value
    }

    func address(_ bytes: Data, _ field: String) throws(ResourceRejection) -> IPAddress {
        guard let address = IPAddress(bytes: bytes) else {
            throw failure(field, "is an address of \(bytes.count) bytes, not 4 or 16")
        }
        return address
    }

    /// A block; host bits that are set are cleared, a length too great is refused.
    ///
    /// The length counts bits of the address as it was sent: an IPv4-mapped one has 96 more.
    func prefix(
        _ address: IPAddress,
        bytes: Int,
        length: UInt32?,
        _ field: String
    ) throws(ResourceRejection) -> IPPrefix {
        guard var length else { return IPPrefix(host: address) }
        if bytes == 16, address.family == .v4 {
            guard (96...128).contains(length) else {
                throw failure(field, "has the length \(length), of an IPv4-mapped address")
            }
            length -= 96
        }
        guard let bits = UInt8(exactly: length), let prefix = IPPrefix(address, length: bits)
        else { throw failure(field, "has the length \(length), more than the address has") }
        return prefix
    }

    func ports(
        _ wire: [Istio_Workload_Port],
        _ field: String
    ) throws(ResourceRejection) -> [ServicePort] {
        var ports: [ServicePort] = []
        ports.reserveCapacity(wire.count)
        for (index, one) in wire.enumerated() {
            let place = "\(field)[\(index)]"
            let servicePort = try port(one.servicePort, place)
            guard servicePort != 0 else { throw failure(place, "has no service_port") }
            if case .UNRECOGNIZED(let number) = one.appProtocol {
                throw unknown(place + ".app_protocol", number)
            }
            let targetPort = try port(one.targetPort, place)
            ports.append(ServicePort(servicePort: servicePort, targetPort: targetPort))
        }
        return ports
    }
}
