internal import Foundation
internal import NIOSSL

extension ClusterAccess.Material {
    /// The bytes as they are now.
    func read() throws(AccessError) -> [UInt8] {
        switch self {
        case .bytes(let bytes): bytes
        case .file(let path): try SmallFile.read(path)
        }
    }
}

/// Base64 (RFC 4648 4), for the API's `data` fields.
package enum Base64 {
    /// Bytes as text.
    package static func text(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// Text as bytes; nil when it is no Base64.
    package static func bytes(_ text: String) -> [UInt8]? {
        Data(base64Encoded: text).map { Array($0) }
    }
}

/// What a request shows to the API server, kept fresh.
///
/// Files are read again after `rereadSeconds`; a plugin runs again shortly before its credential
/// expires, or after the server refused it.
actor Credentials {
    /// What one request uses.
    struct Current: Sendable {
        /// The `Authorization` header; nil for none.
        var authorization: String?
        /// Nil for a server without TLS.
        var tls: TLSConfiguration?
    }

    private struct Sources: Equatable {
        var authorities: [UInt8]?
        var chain: [UInt8]?
        var key: [UInt8]?
    }

    /// kubelet rewrites a token at 80 % of its life, at the earliest after eight minutes.
    private let rereadInterval: Duration
    private let access: ClusterAccess
    private var current: Current?
    private var sources: Sources?
    private var plugin: PluginCredential?
    // One run for all requests that wait for it.
    private var run: Task<PluginCredential, any Error>?
    private var lastRead = ContinuousClock.now

    /// Reads nothing before it is asked.
    init(_ access: ClusterAccess, rereadInterval: Duration) {
        self.access = access
        self.rereadInterval = rereadInterval
    }

    /// What to show now; fails when nothing was ever read.
    func get() async throws(AccessError) -> Current {
        let now = ContinuousClock.now
        if let current, now - lastRead < rereadInterval, !isPluginExpiring { return current }
        lastRead = now
        do {
            if case .plugin(let program) = access.bearer, plugin == nil || isPluginExpiring {
                plugin = try await answer(of: program)
            }
            let fresh = try read()
            current = fresh
            return fresh
        } catch let error as AccessError {
            // A file that is just being replaced: what was read before is better than nothing.
            if let current, !isPluginExpiring { return current }
            throw error
        } catch {
            throw AccessError("\(error)")
        }
    }

    private func answer(of program: CredentialPlugin) async throws -> PluginCredential {
        if let run { return try await run.value }
        let access = access
        let run = Task { try await PluginProcess.run(program, for: access) }
        self.run = run
        defer { self.run = nil }
        return try await run.value
    }

    /// The server refused what was shown: read or ask anew before the next request.
    func forget() {
        current = nil
        plugin = nil
    }

    // A little early, so that a request does not carry it over the edge.
    private var isPluginExpiring: Bool {
        guard let expires = plugin?.expires else { return false }
        return Double(expires) - Date().timeIntervalSince1970 < 5
    }

    private func read() throws(AccessError) -> Current {
        var fresh = Current()
        switch access.bearer {
        case .none: break
        case .token(let token): fresh.authorization = "Bearer " + token
        case .file(let path):
            let token = String(decoding: try SmallFile.read(path), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard CredentialText.isToken(token) else {
                throw AccessError("\(path): there is no token in it")
            }
            fresh.authorization = "Bearer " + token
        case .plugin: fresh.authorization = plugin?.token.map { "Bearer " + $0 }
        }
        guard access.server.isTLS else { return fresh }
        var sources = Sources()
        if case .authorities(let material) = access.trust {
            sources.authorities = try material.read()
        }
        if let plugin, plugin.certificate != nil {
            (sources.chain, sources.key) = (plugin.certificate, plugin.key)
        } else if let certificate = access.certificate {
            sources.chain = try certificate.chain.read()
            sources.key = try certificate.key.read()
        }
        if sources == self.sources, let tls = current?.tls {
            fresh.tls = tls
        } else {
            fresh.tls = try tls(sources)
            self.sources = sources
        }
        return fresh
    }

    private func tls(_ sources: Sources) throws(AccessError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if access.trust == .anyone { tls.certificateVerification = .none }
        do {
            if let bytes = sources.authorities {
                let authorities = try NIOSSLCertificate.fromPEMBytes(bytes)
                guard !authorities.isEmpty else { throw AccessError("it is empty") }
                tls.trustRoots = .certificates(authorities)
            }
        } catch {
            throw AccessError("the certificate authority for \(access.server) is no PEM: \(error)")
        }
        do {
            if let chain = sources.chain, let key = sources.key {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(chain).map {
                    .certificate($0)
                }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            }
        } catch {
            throw AccessError("the client certificate for \(access.server) or its key is no PEM")
        }
        return tls
    }
}
