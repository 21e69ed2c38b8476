package import Mesh

/// Which way a connection went, seen from the pod whose node reports it.
package enum Direction: UInt8, Sendable, Hashable {
    case inbound, outbound

    /// The value of the field `direction`.
    package var name: String {
        switch self {
        case .inbound: "inbound"
        case .outbound: "outbound"
        }
    }
}

/// One line of the access log: what became of a connection, refused ones too (PROTOCOL.md §5.2).
package struct AccessRecord: Sendable {
    /// What the line tells.
    package enum Event: Sendable, Hashable {
        /// The connection began; written at level debug.
        case opened
        /// The connection ended; at level error when it failed, else info.
        case complete
        /// The connection was refused before it had labels; written at level warn.
        case refused
    }

    /// One end of the connection; what is not known is left out of the line.
    package struct Party: Sendable, Hashable {
        package var address: SocketAddress?
        package var workload: String = ""
        package var namespace: String = ""
        package var cluster: String = ""
        /// Who it proved to be; set only from mutual TLS.
        package var identity: SPIFFEID?

        /// Makes an end of which only the address is known, or not even that.
        package init(address: SocketAddress? = nil) {
            self.address = address
        }

        /// Takes the workload's names.
        package mutating func take(_ workload: Workload) {
            self.workload = workload.name
            namespace = workload.namespace
            cluster = workload.clusterID
        }
    }

    package var event: Event
    package var direction: Direction
    package var source: Party
    /// The address dialled on the wire: the one with port 15008 in a tunnel.
    package var destination: Party
    /// The authority of the CONNECT request: the address behind the tunnel.
    package var hboneAddress: SocketAddress?
    /// The hostname of the service that was dialled.
    package var service: String = ""
    /// Bytes from the client to the server.
    package var bytesReceived: UInt64 = 0
    /// Bytes from the server to the client.
    package var bytesSent: UInt64 = 0
    package var durationNanoseconds: UInt64 = 0
    /// Why the connection failed; nil when it did not.
    package var error: String?
    package var flag: ResponseFlag = .none
    /// The policy `ns/name` that decided, and which of its rules, counted from 0.
    package var policy: String?
    package var rule: Int?
    /// What dry-run policies would have done.
    package var dryRun: [String] = []

    /// Makes a record of a connection with nothing sent yet.
    package init(
        event: Event,
        direction: Direction,
        source: Party,
        destination: Party
    ) {
        self.event = event
        self.direction = direction
        self.source = source
        self.destination = destination
    }

    /// The level the line is written at.
    package var level: LogLevel {
        switch event {
        case .opened: .debug
        case .complete: error == nil ? .info : .error
        case .refused: .warn
        }
    }

    private var message: String {
        switch event {
        case .opened: "connection opened"
        case .complete: "connection complete"
        case .refused: "connection failed"
        }
    }

    /// Writes the line; `time` is Unix time in nanoseconds.
    package func render(_ format: LogFormat, time: UInt64) -> [UInt8] {
        var line = LogLine(
            format: format,
            time: time,
            level: level,
            scope: .access,
            message: message
        )
        addSource(to: &line)
        addDestination(to: &line)
        line.add("direction", direction.name)
        if event != .opened {
            line.add("bytes_sent", bytesSent)
            line.add("bytes_recv", bytesReceived)
            line.add("duration", "\(durationNanoseconds / 1_000_000)ms")
        }
        line.add("policy", optional: policy)
        if let rule { line.add("rule", rule) }
        if !dryRun.isEmpty { line.add("dry_run", dryRun.joined(separator: "; ")) }
        if flag != .none { line.add("response_flags", flag.label) }
        line.add("error", optional: error)
        return line.finished()
    }

    private func addSource(to line: inout LogLine) {
        if let address = source.address { line.add("src.addr", bare: address.description) }
        line.add("src.workload", optional: source.workload)
        line.add("src.namespace", optional: source.namespace)
        line.add("src.identity", optional: source.identity?.description)
        line.add("src.cluster", optional: source.cluster)
    }

    private func addDestination(to line: inout LogLine) {
        if let address = destination.address { line.add("dst.addr", bare: address.description) }
        if let address = hboneAddress { line.add("dst.hbone_addr", bare: address.description) }
        line.add("dst.service", optional: service)
        line.add("dst.workload", optional: destination.workload)
        line.add("dst.namespace", optional: destination.namespace)
        line.add("dst.identity", optional: destination.identity?.description)
        line.add("dst.cluster", optional: destination.cluster)
    }
}
