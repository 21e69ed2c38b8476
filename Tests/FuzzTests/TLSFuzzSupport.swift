import Foundation
import TLS

/// What a fuzz test found broken.
struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// An authority, two contexts, and ends of sessions to feed.
struct TLSFuzzBench {
    static let clientURI = "spiffe://cluster.local/ns/shop/sa/client"
    static let serverURI = "spiffe://cluster.local/ns/shop/sa/web"

    let authority: Authority
    let trust: TrustBundle
    let client: TLSContext
    let server: TLSContext
    let key: PrivateKey
    let now: Int64

    init() throws {
        now = Int64(Date().timeIntervalSince1970)
        authority = try Authority.root(
            trustDomain: "cluster.local",
            notBefore: now - 60,
            notAfter: now + 7200
        )
        trust = try TrustBundle(roots: [authority.certificate])
        key = try PrivateKey()
        let clientChain = try authority.issue(
            .workload(
                PeerIdentity(uri: Self.clientURI),
                notBefore: now - 60,
                notAfter: now + 3600
            ),
            for: key
        )
        let serverChain = try authority.issue(
            .workload(
                PeerIdentity(uri: Self.serverURI),
                notBefore: now - 60,
                notAfter: now + 3600
            ),
            for: key
        )
        client = try TLSContext(role: .client, chain: clientChain, key: key, trust: trust)
        server = try TLSContext(role: .server, chain: serverChain, key: key, trust: trust)
    }

    func end(_ role: TLSContext.Role) throws -> TLSFuzzEnd {
        let expected: PeerExpectation =
            role == .client ? .identities([Self.serverURI]) : .trustDomain("cluster.local")
        let context = role == .client ? client : server
        return TLSFuzzEnd(try TLSSession(context: context, expecting: expected))
    }

    /// Two ends after their handshake.
    func pair() throws -> (client: TLSFuzzEnd, server: TLSFuzzEnd) {
        let client = try end(.client)
        let server = try end(.server)
        server.receive(client.receive([]))
        client.receive(server.sent)
        server.receive(client.sent)
        client.receive(server.sent)
        guard client.session.isEstablished, server.session.isEstablished else {
            throw Broken("the unspoiled handshake failed")
        }
        return (client, server)
    }
}

/// One session with its ends as arrays.
final class TLSFuzzEnd {
    let session: TLSSession
    private(set) var plaintext: [UInt8] = []
    private(set) var sent: [UInt8] = []
    private(set) var hasFailed = false
    private let output = OutputBuffer(roomMax: 1 << 20)

    init(_ session: TLSSession) { self.session = session }

    /// Feeds bytes, reads all there is, and returns what is to be sent.
    @discardableResult
    func receive(_ bytes: [UInt8]) -> [UInt8] {
        var room = [UInt8](repeating: 0, count: 20000)
        var bytes = bytes
        unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe session.feed(bytes)
            while true {
                let outcome = unsafe room.withUnsafeMutableBytes {
                    unsafe session.read(scratch: $0, output: output)
                }
                switch outcome {
                case .bytes(let plain): unsafe plaintext.append(contentsOf: plain)
                case .handshakeDone: continue
                case .needMore, .closed: return
                case .failed:
                    hasFailed = true
                    return
                }
            }
        }
        return take()
    }

    func write(_ bytes: [UInt8]) -> [UInt8] {
        _ = unsafe bytes.withUnsafeBytes { unsafe session.write($0, output: output) }
        return take()
    }

    private func take() -> [UInt8] {
        sent = unsafe Array(output.bytes)
        output.removeAll()
        return sent
    }
}
