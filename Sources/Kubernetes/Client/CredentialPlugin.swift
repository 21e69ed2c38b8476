/// A program that gives credentials (client.authentication.k8s.io).
package struct CredentialPlugin: Sendable, Hashable {
    /// `client.authentication.k8s.io/v1` or `…/v1beta1`.
    package let apiVersion: String
    /// A path, or a name that is looked for in `$PATH`.
    package let command: String
    package let arguments: [String]
    /// What is set besides our own environment.
    package let environment: [String: String]
    /// What to tell a user who does not have the program; may be empty.
    package let installHint: String
    /// Whether the program is told which cluster it is for.
    package let wantsCluster: Bool

    private static let versions = [
        "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1",
    ]

    /// Reads `exec` of a kubeconfig's user.
    package init(_ field: Field, folder: String) throws(FieldError) {
        let version = try field.required("apiVersion")
        apiVersion = try version.string()
        guard Self.versions.contains(apiVersion) else {
            throw version.refused(
                "must be \(Self.versions.joined(separator: " or "))",
                found: apiVersion
            )
        }
        let name = try field.required("command")
        let command = try name.string()
        guard !command.isEmpty else { throw name.refused("must not be empty") }
        // As a shell does: with a slash it is a path, without one a name.
        self.command =
            command.contains("/") ? KubeConfig.resolved(command, in: folder) : command
        arguments = try field.strings("args")
        var environment: [String: String] = [:]
        for element in try field.field("env")?.elements() ?? [] {
            let name = try element.required("name").string()
            environment[name] = try element.string("value") ?? ""
        }
        self.environment = environment
        installHint = try field.string("installHint") ?? ""
        wantsCluster = try field.bool("provideClusterInfo") ?? false
        if try field.string("interactiveMode") == "Always" {
            throw try field.required("interactiveMode").refused(
                "the program must be able to run without a terminal"
            )
        }
    }

    /// What the program is told in `$KUBERNETES_EXEC_INFO`.
    func request(_ access: ClusterAccess) -> [UInt8] {
        var request: Value = ["kind": "ExecCredential", "spec": ["interactive": false]]
        request["apiVersion"] = .string(apiVersion)
        if wantsCluster {
            var cluster: Value = ["server": .string("\(access.server)")]
            if !access.serverName.isEmpty {
                cluster["tls-server-name"] = .string(access.serverName)
            }
            switch access.trust {
            case .system: break
            case .anyone: cluster["insecure-skip-tls-verify"] = true
            case .authorities(let material):
                if let bytes = try? material.read() {
                    cluster["certificate-authority-data"] = .string(Base64.text(bytes))
                }
            }
            request["spec"]["cluster"] = cluster
        }
        return request.jsonBytes()
    }
}

/// What a credential plugin answered.
struct PluginCredential: Sendable {
    var token: String?
    var certificate: [UInt8]?
    var key: [UInt8]?
    /// Seconds since 1970; nil when it holds until it is refused.
    var expires: Int64?

    /// Reads what the program wrote; fails with what is wrong with it.
    init(_ bytes: [UInt8], apiVersion: String) throws(FieldError) {
        let value: Value
        do {
            value = try Value(json: bytes)
        } catch {
            throw FieldError(path: "", reason: "the answer is no JSON: \(error)")
        }
        let root = Field(root: value)
        let version = try root.required("apiVersion")
        guard try version.string() == apiVersion else {
            throw version.refused("must be \(apiVersion)")
        }
        let status = try root.required("status")
        token = try status.string("token").flatMap { $0.isEmpty ? nil : $0 }
        if let token, !CredentialText.isToken(token) {
            throw FieldError(path: "status.token", reason: "is no bearer token")
        }
        certificate = try status.string("clientCertificateData").map { Array($0.utf8) }
        key = try status.string("clientKeyData").map { Array($0.utf8) }
        guard (certificate == nil) == (key == nil), token != nil || certificate != nil else {
            throw status.refused("must have a token, or a client certificate and its key")
        }
        if let expiry = try status.field("expirationTimestamp") {
            guard let seconds = Timestamp.seconds(try expiry.string()) else {
                throw expiry.refused("must be a time such as 2026-11-21T10:00:00Z")
            }
            expires = seconds
        }
    }
}
