package import Mesh

/// How a person names one end of a connection.
package enum Party {
    /// Finds a workload by `NAMESPACE/NAME`, where NAME is a pod or what made it, or by address.
    ///
    /// A name without namespace is one of `namespace`.
    package static func workload(
        _ text: String,
        in view: MeshView,
        namespace: String
    ) throws(ReachError) -> WorkloadRecord {
        if let address = IPAddress(text) {
            let found = view.snapshot.workloads.first { $0.workload.addresses.contains(address) }
            if let found { return found }
            throw ReachError(.data, "no workload of the mesh has the address \(text)")
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), let name = parts.last, !name.isEmpty else {
            throw ReachError(.usage, "\(text): give NAMESPACE/POD or an address")
        }
        let space = parts.count == 2 ? parts[0] : namespace
        if let pod = view.snapshot.workload(namespace: space, name: name) { return pod }
        let owned = view.snapshot.workloads.first {
            $0.workload.namespace == space && $0.workload.workloadName == name
        }
        if let owned { return owned }
        throw ReachError(
            .data,
            "the mesh has no workload \(space)/\(name); ambit workloads -n \(space) lists them"
        )
    }

    /// A host and a port, as a client dials them: `NAME:PORT`, `1.2.3.4:80`, `[fd00::1]:80`.
    package struct Target: Sendable, Equatable {
        package let host: String
        package let port: UInt16

        /// Whether it is the pod itself, whoever dials it.
        package var isLoopback: Bool {
            host == "localhost" || IPAddress(host)?.isLoopback == true
        }

        /// Reads what a person typed; fails with what is missing.
        package init(_ text: String) throws(ReachError) {
            guard let colon = text.lastIndex(of: ":"),
                let port = UInt16(text[text.index(after: colon)...]), port > 0
            else { throw ReachError(.usage, "\(text): give HOST:PORT, such as payments.shop:80") }
            var host = String(text[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            } else if host.contains(":") {
                throw ReachError(.usage, "\(text): put an IPv6 address into brackets")
            }
            guard !host.isEmpty else { throw ReachError(.usage, "\(text): the host is missing") }
            self.host = host.lowercased()
            self.port = port
        }
    }

    /// The service a client of a namespace means by a name, as its resolver would find it.
    package static func service(
        _ host: String,
        in view: MeshView,
        namespace: String,
        clusterDomain: String
    ) -> ServiceRecord? {
        if host.contains("/") {
            let parts = host.split(separator: "/").map(String.init)
            guard parts.count == 2 else { return nil }
            return view.snapshot.services.first {
                $0.service.namespace == parts[0] && $0.service.name == parts[1]
            }
        }
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        let suffixes = [
            "", ".\(namespace).svc.\(clusterDomain)", ".svc.\(clusterDomain)",
            ".\(clusterDomain)",
        ]
        for suffix in suffixes {
            let found = view.snapshot.services(
                hostname: name + suffix,
                clientNamespace: namespace
            )
            if let record = found.first { return record }
        }
        return nil
    }
}
