/// What a runtime asks of the plugin by its environment (CNI 1.1.0, "Parameters").
package struct CNIInvocation: Sendable, Equatable {
    /// The operations of the specification.
    package enum Command: String, Sendable, Equatable {
        case add = "ADD"
        case delete = "DEL"
        case check = "CHECK"
        case collectGarbage = "GC"
        case status = "STATUS"
        case version = "VERSION"
    }

    /// The pod Kubernetes' runtimes name in `CNI_ARGS`.
    package struct Pod: Sendable, Hashable {
        package var namespace: String
        package var name: String
        /// Empty where the runtime does not tell.
        package var uid: String
        /// The sandbox, `K8S_POD_INFRA_CONTAINER_ID`; empty where the runtime does not tell.
        package var sandbox: String

        package init(namespace: String, name: String, uid: String = "", sandbox: String = "") {
            self.namespace = namespace
            self.name = name
            self.uid = uid
            self.sandbox = sandbox
        }
    }

    /// The longest `CNI_ARGS` that is read, in bytes.
    static let argumentsBytesMax = 16 << 10

    package let command: Command
    /// Empty for the commands that concern no container.
    package let containerID: String
    /// The path of the network namespace; empty where none is given.
    package let networkNamespace: String
    package let interface: String
    /// Nil when whoever called is not Kubernetes.
    package let pod: Pod?

    /// Reads the environment.
    package init(environment: [String: String]) throws(CNIError) {
        let name = environment["CNI_COMMAND"] ?? ""
        guard let command = Command(rawValue: name) else {
            throw CNIError(
                .invalidEnvironment,
                "CNI_COMMAND must be ADD, DEL, CHECK, GC, STATUS or VERSION",
                details: "it is \(CNIInvocation.quoted(name))"
            )
        }
        self.command = command
        containerID = environment["CNI_CONTAINERID"] ?? ""
        networkNamespace = environment["CNI_NETNS"] ?? ""
        interface = environment["CNI_IFNAME"] ?? ""
        pod = try CNIInvocation.pod(environment["CNI_ARGS"] ?? "")
        switch command {
        case .add, .check: try checkAttachment(needsNamespace: true)
        case .delete: try checkAttachment(needsNamespace: false)
        case .collectGarbage, .status, .version: break
        }
    }

    private func checkAttachment(needsNamespace: Bool) throws(CNIError) {
        guard CNIInvocation.isContainerID(containerID) else {
            throw CNIError(
                .invalidEnvironment,
                "CNI_CONTAINERID must be letters, digits, '_', '.' and '-'",
                details: "it is \(CNIInvocation.quoted(containerID))"
            )
        }
        guard CNIInvocation.isInterface(interface) else {
            throw CNIError(
                .invalidEnvironment,
                "CNI_IFNAME must be the name of an interface, at most 15 bytes",
                details: "it is \(CNIInvocation.quoted(interface))"
            )
        }
        let isPath = networkNamespace.hasPrefix("/") && networkNamespace.utf8.count <= 4096
        guard isPath || (networkNamespace.isEmpty && !needsNamespace) else {
            throw CNIError(
                .invalidEnvironment,
                "CNI_NETNS must be the path of a network namespace",
                details: "it is \(CNIInvocation.quoted(networkNamespace))"
            )
        }
    }

    private static func isContainerID(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetterOrDigit(first), text.utf8.count <= 1024 else {
            return false
        }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || "_.-".utf8.contains($0) }
    }

    private static func isInterface(_ text: String) -> Bool {
        guard (1...15).contains(text.utf8.count), text != ".", text != ".." else { return false }
        return text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/:".utf8.contains($0) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// `KEY=VALUE` parts between semicolons; keys that are not ours are left to others.
    private static func pod(_ arguments: String) throws(CNIError) -> Pod? {
        guard arguments.utf8.count <= argumentsBytesMax else {
            throw CNIError(
                .invalidEnvironment,
                "CNI_ARGS must be at most \(argumentsBytesMax) bytes"
            )
        }
        var values: [Substring: Substring] = [:]
        for part in arguments.split(separator: ";") {
            guard let equals = part.firstIndex(of: "=") else { continue }
            values[part[..<equals]] = part[part.index(after: equals)...]
        }
        guard let namespace = values["K8S_POD_NAMESPACE"], !namespace.isEmpty,
            let name = values["K8S_POD_NAME"], !name.isEmpty
        else { return nil }
        return Pod(
            namespace: String(namespace),
            name: String(name),
            uid: String(values["K8S_POD_UID"] ?? ""),
            sandbox: String(values["K8S_POD_INFRA_CONTAINER_ID"] ?? "")
        )
    }

    private static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(64).map { scalar in
            (0x20...0x7E).contains(scalar.value) ? String(scalar) : "?"
        }
        return "\"\(shown.joined())\""
    }
}
