/// One container of a pod: what the lab runs and what services and probes refer to.
package struct Container: Sendable, Equatable {
    /// A port the container says it listens on.
    package struct Port: Sendable, Equatable {
        /// Empty when the port has no name.
        package var name: String
        package var port: UInt16
        package var transport: TransportProtocol
    }

    /// One environment variable with a literal value.
    package struct Variable: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    package var name: String
    package var image: String
    /// The program and its first arguments; empty when the image's own is meant.
    package var command: [String]
    package var arguments: [String]
    package var environment: [Variable]
    /// Empty when the image's own is meant.
    package var workingDirectory: String
    package var ports: [Port]
    /// The ports that kubelet's HTTP, TCP and gRPC probes go to.
    package var probePorts: [PortReference]
    /// Whether it is an init container that keeps running beside the others.
    package var restartsAlways: Bool

    /// Reads an element of `spec.containers` or `spec.initContainers`.
    package init(_ field: Field) throws(FieldError) {
        let name = try field.required("name")
        self.name = try name.string()
        guard ObjectName.label.allows(self.name) else { throw name.refused(ObjectName.label.rule) }
        image = try field.string("image") ?? ""
        command = try field.strings("command")
        arguments = try field.strings("args")
        // A variable from a field, a secret or a config map has no value here.
        environment = try field.list("env") { variable throws(FieldError) in
            Variable(
                name: try variable.required("name").string(),
                value: try variable.string("value") ?? ""
            )
        }
        workingDirectory = try field.string("workingDir") ?? ""
        ports = try field.list("ports") { port throws(FieldError) in
            Port(
                name: try port.string("name") ?? "",
                port: try port.required("containerPort").port(),
                transport: try TransportProtocol(port)
            )
        }
        probePorts = []
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            guard let probe = try field.field(probe) else { continue }
            for action in ["httpGet", "tcpSocket", "grpc"] {
                guard let action = try probe.field(action) else { continue }
                probePorts.append(try PortReference(try action.required("port")))
            }
        }
        restartsAlways = try field.string("restartPolicy") == "Always"
    }
}
