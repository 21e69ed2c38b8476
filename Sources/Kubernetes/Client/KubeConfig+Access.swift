internal import Foundation

extension KubeConfig {
    /// The way into a cluster that a context describes; nil means the current one.
    package func access(context name: String? = nil) throws(AccessError) -> ClusterAccess {
        let name = name ?? currentContext
        guard !name.isEmpty else {
            throw AccessError("the kubeconfig has no current-context; name one with --context")
        }
        guard let context = contexts[name] else {
            throw AccessError("the kubeconfig has no context \(FieldError.quoted(name))")
        }
        do throws(FieldError) {
            let field = Field(root: context.value)
            let cluster = try field.string("cluster") ?? ""
            let user = try field.string("user") ?? ""
            guard let place = clusters[cluster] else {
                throw FieldError(
                    path: "cluster",
                    reason: "there is no cluster \(FieldError.quoted(cluster))"
                )
            }
            var access = try Self.cluster(place)
            if let namespace = try field.string("namespace"), !namespace.isEmpty {
                access.namespace = namespace
            }
            if !user.isEmpty {
                guard let entry = users[user] else {
                    throw FieldError(
                        path: "user",
                        reason: "there is no user \(FieldError.quoted(user))"
                    )
                }
                try Self.readUser(entry, into: &access)
            }
            return access
        } catch {
            throw AccessError("\(context.file): context \(FieldError.quoted(name)): \(error)")
        }
    }

    private static func cluster(_ entry: Entry) throws(FieldError) -> ClusterAccess {
        let field = Field(root: entry.value)
        let server = try field.required("server")
        guard let address = ServerAddress(try server.string()) else {
            throw server.refused("must be an address such as https://10.0.0.1:6443")
        }
        var access = ClusterAccess(server: address)
        if let proxy = try field.field("proxy-url"), try !proxy.string().isEmpty {
            throw proxy.refused("a proxy on the way to the API server is not supported")
        }
        access.serverName = try field.string("tls-server-name") ?? ""
        let authorities = try material(
            field,
            data: "certificate-authority-data",
            file: "certificate-authority",
            folder: entry.folder
        )
        if let authorities { access.trust = .authorities(authorities) }
        if try field.bool("insecure-skip-tls-verify") ?? false {
            guard authorities == nil else {
                throw FieldError(
                    path: "insecure-skip-tls-verify",
                    reason: "must not be set beside a certificate authority"
                )
            }
            access.trust = .anyone
        }
        return access
    }

    private static func readUser(
        _ entry: Entry,
        into access: inout ClusterAccess
    ) throws(FieldError) {
        let field = Field(root: entry.value)
        for name in ["username", "password", "auth-provider", "as", "as-groups", "as-uid"] {
            guard let refused = try field.field(name), refused.value != "" else { continue }
            throw refused.refused("is not supported; use a token, a certificate or `exec`")
        }
        let chain = try material(
            field,
            data: "client-certificate-data",
            file: "client-certificate",
            folder: entry.folder
        )
        let key = try material(
            field,
            data: "client-key-data",
            file: "client-key",
            folder: entry.folder
        )
        switch (chain, key) {
        case (let chain?, let key?):
            access.certificate = ClusterAccess.ClientCertificate(chain: chain, key: key)
        case (nil, nil): break
        case (_?, nil):
            throw FieldError(path: "client-key", reason: "is required beside a client certificate")
        case (nil, _?):
            throw FieldError(path: "client-certificate", reason: "is required beside a client key")
        }
        if let file = try field.string("tokenFile"), !file.isEmpty {
            access.bearer = .file(resolved(file, in: entry.folder))
        } else if let token = try field.field("token"), token.value != "" {
            let text = try token.string()
            guard CredentialText.isToken(text) else { throw token.refused("is no bearer token") }
            access.bearer = .token(text)
        } else if let exec = try field.field("exec") {
            access.bearer = .plugin(try CredentialPlugin(exec, folder: entry.folder))
        }
    }

    // Data in the file itself counts before a file beside it.
    private static func material(
        _ field: Field,
        data: String,
        file: String,
        folder: String
    ) throws(FieldError) -> ClusterAccess.Material? {
        if let data = try field.field(data), data.value != "" {
            guard
                let bytes = Data(
                    base64Encoded: try data.string(),
                    options: .ignoreUnknownCharacters
                )
            else { throw data.refused("must be Base64") }
            return .bytes(Array(bytes))
        }
        guard let path = try field.string(file), !path.isEmpty else { return nil }
        return .file(resolved(path, in: folder))
    }

    static func resolved(_ path: String, in folder: String) -> String {
        path.hasPrefix("/") ? path : folder + "/" + path
    }
}

/// What may stand in a header as a credential.
enum CredentialText {
    /// Longer than any token an API server takes.
    static let bytesMax = 64 << 10

    /// Whether it is a bearer token (RFC 6750 2.1, a little wider).
    static func isToken(_ text: String) -> Bool {
        (1...bytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
