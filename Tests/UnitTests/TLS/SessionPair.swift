import Glibc
import TLS

/// What tests of TLS stand on: an authority, identities, and two sessions joined by arrays.
enum Fixture {
    static let client = identity("spiffe://cluster.local/ns/shop/sa/client")
    static let server = identity("spiffe://cluster.local/ns/shop/sa/web")
    static let now = Int64(time(nil))
    static let authority = root()

    static func identity(_ uri: String) -> PeerIdentity {
        guard let identity = try? PeerIdentity(uri: uri) else {
            preconditionFailure("not an id: \(uri)")
        }
        return identity
    }

    static func root(trustDomain: String = "cluster.local") -> Authority {
        do {
            return try Authority.root(
                trustDomain: trustDomain,
                notBefore: now - 3600,
                notAfter: now + 86400
            )
        } catch {
            preconditionFailure("\(error)")
        }
    }

    static func leaf(_ identity: PeerIdentity) -> CertificateTemplate {
        .workload(identity, notBefore: now - 60, notAfter: now + 3600)
    }

    /// A context for a template signed by an authority; by default all is as it should be.
    static func context(
        _ role: TLSContext.Role,
        _ template: CertificateTemplate? = nil,
        by authority: Authority = Fixture.authority,
        trusting roots: [Authority] = [Fixture.authority],
        key: PrivateKey? = nil
    ) throws -> TLSContext {
        let key = try key ?? PrivateKey()
        let template = template ?? leaf(role == .client ? client : server)
        let chain = try authority.issue(template, for: key)
        let trust = try TrustBundle(roots: roots.map(\.certificate))
        return try TLSContext(role: role, chain: chain, key: key, trust: trust)
    }
}

/// Two sessions and the bytes under way between them.
final class SessionPair {
    let client: TLSSession
    let server: TLSSession
    private(set) var clientError: TLSError?
    private(set) var serverError: TLSError?
    private(set) var clientClosed = false
    private(set) var serverClosed = false
    private(set) var clientReceived: [UInt8] = []
    private(set) var serverReceived: [UInt8] = []
    private(set) var wire: [UInt8] = []
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    private let output = OutputBuffer()
    private var random = SystemRandomNumberGenerator()
    private let pieceMax: Int

    init(
        client: TLSContext,
        server: TLSContext,
        clientExpects: PeerExpectation = .identities([Fixture.server.uri]),
        serverExpects: PeerExpectation = .trustDomain("cluster.local"),
        pieceMax: Int = 1 << 20
    ) throws {
        self.client = try TLSSession(context: client, expecting: clientExpects)
        self.server = try TLSSession(context: server, expecting: serverExpects)
        self.pieceMax = pieceMax
    }

    var isEstablished: Bool { client.isEstablished && server.isEstablished }

    /// Moves bytes both ways in random pieces until nothing is under way.
    func run() {
        receive([], isServer: false)
        while !toServer.isEmpty || !toClient.isEmpty {
            receive(take(&toServer), isServer: true)
            receive(take(&toClient), isServer: false)
        }
    }

    func send(_ bytes: [UInt8], fromServer: Bool) -> TLSError? {
        let session = fromServer ? server : client
        let error = unsafe bytes.withUnsafeBytes { unsafe session.write($0, output: output) }
        flush(fromServer: fromServer)
        return error
    }

    func updateKeys(fromServer: Bool) -> Bool {
        let ok = (fromServer ? server : client).updateKeys(output: output)
        flush(fromServer: fromServer)
        return ok
    }

    func close(fromServer: Bool) {
        (fromServer ? server : client).close(output: output)
        flush(fromServer: fromServer)
    }

    /// Forgets what was received and gives back what the test itself holds.
    func release() {
        wire = []
        clientReceived = []
        serverReceived = []
        toServer = []
        toClient = []
        output.release()
    }

    func receive(_ bytes: [UInt8], isServer: Bool) {
        let session = isServer ? server : client
        var received: [UInt8] = []
        var failure: TLSError?
        var bytes = bytes
        unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe session.feed(bytes)
            var room = [UInt8](repeating: 0, count: 40000)
            loop: while true {
                let outcome = unsafe room.withUnsafeMutableBytes {
                    unsafe session.read(scratch: $0, output: output)
                }
                switch outcome {
                case .bytes(let plain): unsafe received.append(contentsOf: plain)
                case .handshakeDone: continue
                case .needMore: break loop
                case .closed:
                    if isServer { serverClosed = true } else { clientClosed = true }
                    break loop
                case .failed(let error):
                    failure = error
                    break loop
                }
            }
        }
        if isServer {
            serverReceived += received
            serverError = serverError ?? failure
        } else {
            clientReceived += received
            clientError = clientError ?? failure
        }
        flush(fromServer: isServer)
    }

    func takeToServer() -> [UInt8] {
        defer { toServer = [] }
        return toServer
    }

    func takeToClient() -> [UInt8] {
        defer { toClient = [] }
        return toClient
    }

    private func take(_ bytes: inout [UInt8]) -> [UInt8] {
        let count = min(bytes.count, Int.random(in: 1...pieceMax, using: &random))
        let piece = Array(bytes.prefix(count))
        bytes.removeFirst(count)
        return piece
    }

    private func flush(fromServer: Bool) {
        let bytes = unsafe Array(output.bytes)
        output.removeAll()
        wire += bytes
        if fromServer { toClient += bytes } else { toServer += bytes }
    }
}
