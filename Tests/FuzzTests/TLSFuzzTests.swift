import Identity
import Mesh
import TLS
import Testing

@Suite struct `TLS under fuzzing` {
    @Test func `reads identities as Mesh does, and never two spellings of one`() {
        let corpus = [
            "spiffe://cluster.local/ns/shop/sa/web", "spiffe://a/ns/b/sa/c",
            "spiffe://cluster.local/ns/kube-system/sa/core.dns_1", "spiffe://td/ns/../sa/x",
            "spiffe://td/ns/%2e/sa/x/", "SPIFFE://TD/ns/a/sa/b",
        ].map { Array($0.utf8) }
        fuzz("SPIFFE names", corpus: corpus) { bytes, _ in
            let text = String(validating: bytes, as: UTF8.self)
            let mesh = text.flatMap { SPIFFEID(uri: $0) }
            let tls = try? PeerIdentity(bytes)
            guard (mesh != nil) == (tls != nil) else { throw Broken("TLS and Mesh disagree") }
            guard let tls else { return }
            guard Array(tls.uri.utf8) == bytes else { throw Broken("respelled") }
            guard mesh?.description == tls.uri, mesh?.trustDomain == tls.trustDomain else {
                throw Broken("other parts")
            }
        }
    }

    @Test func `trusts no certificate that was changed`() throws {
        let bench = try TLSFuzzBench()
        let original = bench.server.chain.leaf
        fuzz("certificates", corpus: [original.der, bench.authority.certificate.der]) { bytes, _ in
            guard let leaf = try? Certificate(der: bytes) else { return }
            _ = leaf.uriNames
            guard let identity = try? leaf.workloadIdentity() else { return }
            guard let chain = try? CertificateChain(pem: [leaf.pem]),
                (try? bench.trust.verify(chain, atSeconds: bench.now)) != nil
            else { return }
            guard identity.uri == TLSFuzzBench.serverURI, leaf.notAfter == original.notAfter else {
                throw Broken("a changed certificate is trusted as \(identity)")
            }
        }
    }

    @Test func `takes no revocation list that was changed`() throws {
        let bench = try TLSFuzzBench()
        let good = try bench.authority.revocationList(
            [Authority.Revoked(serial: "0ABC", revokedAt: bench.now)],
            number: 7,
            thisUpdate: bench.now - 60,
            nextUpdate: bench.now + 60
        )
        let other = good + bench.authority.certificate.pem + good
        fuzz("revocation lists", corpus: [good, other].map { Array($0.utf8) }) { bytes, _ in
            guard
                let reading = try? RevocationList.read(
                    String(decoding: bytes, as: UTF8.self),
                    roots: [bench.authority.certificate],
                    authorities: [],
                    nowSeconds: bench.now
                )
            else { return }
            for list in reading.lists {
                guard list.number == "07", list.entries.map(\.serial) == ["0ABC"] else {
                    throw Broken("a changed list is taken: \(list.number)")
                }
            }
        }
    }

    @Test func `accepts only one strict URI in names of any shape`() throws {
        let bench = try TLSFuzzBench()
        func names(_ list: [(UInt8, String)]) -> [UInt8] {
            CertificateExtension.der(
                tag: 0x30,
                list.flatMap { CertificateExtension.der(tag: $0.0, Array($0.1.utf8)) }
            )
        }
        let corpus = [
            names([(0x86, TLSFuzzBench.serverURI)]),
            names([(0x82, "web.shop"), (0x86, TLSFuzzBench.serverURI)]),
            names([(0x86, TLSFuzzBench.serverURI), (0x86, TLSFuzzBench.clientURI)]),
            names([(0xa0, "x"), (0x87, "1234"), (0x81, "a@b")]),
        ]
        fuzz("subject alternative names", corpus: corpus) { bytes, _ in
            guard bytes.count < 60000 else { return }
            var template = CertificateTemplate.workload(
                try PeerIdentity(uri: TLSFuzzBench.serverURI),
                notBefore: bench.now - 60,
                notAfter: bench.now + 60
            )
            template.extensions.removeAll { $0.name == "subjectAltName" }
            template.extensions.append(
                CertificateExtension(name: "subjectAltName", value: .der(bytes))
            )
            let leaf = try bench.authority.issue(template, for: bench.key).leaf
            guard let identity = try? leaf.workloadIdentity() else { return }
            guard leaf.uriNames == [Array(identity.uri.utf8)], SPIFFEID(uri: identity.uri) != nil,
                bytes.firstRange(of: Array(identity.uri.utf8)) != nil
            else { throw Broken("accepted \(identity)") }
        }
    }

    @Test func `never takes a spoiled hello for a handshake`() throws {
        let bench = try TLSFuzzBench()
        let hello = try bench.end(.client).receive([])
        let other = try bench.end(.client).receive([])
        fuzz("server handshake", corpus: [hello, other, Array("GET / HTTP/1.1\r\n".utf8)]) {
            bytes,
            _ in
            let server = try bench.end(.server)
            server.receive(bytes)
            guard !server.session.isEstablished, server.plaintext.isEmpty else {
                throw Broken("established by a hello alone")
            }
        }
    }

    @Test func `never takes a spoiled flight of the server for a handshake`() throws {
        let bench = try TLSFuzzBench()
        fuzz("client handshake", corpus: [[0]]) { _, random in
            let client = try bench.end(.client)
            let server = try bench.end(.server)
            var flight = server.receive(client.receive([]))
            let index = random.below(flight.count)
            flight[index] ^= UInt8(1 + random.below(255))
            client.receive(flight)
            guard !client.session.isEstablished else {
                // Middlebox compatibility: a ChangeCipherSpec and the record versions mean nothing.
                guard Self.isIgnored(index, in: flight) else {
                    throw Broken("byte \(index) of the server's flight does not matter")
                }
                return
            }
        }
    }

    /// Whether a byte belongs to the version of a record's header or to a ChangeCipherSpec.
    private static func isIgnored(_ index: Int, in flight: [UInt8]) -> Bool {
        var start = 0
        while start + 5 <= flight.count {
            let length = Int(flight[start + 3]) << 8 | Int(flight[start + 4])
            if index < start + 5 + length {
                return index - start == 1 || index - start == 2 || flight[start] == 20
            }
            start += 5 + length
        }
        return false
    }

    @Test func `gives out nothing that was not sent, whatever happens to the records`() throws {
        let bench = try TLSFuzzBench()
        fuzz("records", corpus: [Array("one".utf8), [UInt8](repeating: 5, count: 700)]) {
            bytes,
            random in
            let pair = try bench.pair()
            var wire: [UInt8] = []
            var sent: [UInt8] = []
            for _ in 0..<3 {
                sent += bytes
                wire += pair.client.write(bytes)
            }
            let edits = random.below(3)
            for _ in 0..<edits where !wire.isEmpty {
                let index = random.below(wire.count)
                switch random.below(3) {
                case 0: wire[index] ^= UInt8(1 + random.below(255))
                case 1: wire.remove(at: index)
                default: wire.insert(UInt8(random.below(256)), at: index)
                }
            }
            while !wire.isEmpty, !pair.server.hasFailed {
                let count = 1 + random.below(wire.count)
                pair.server.receive(Array(wire.prefix(count)))
                wire.removeFirst(count)
            }
            guard sent.starts(with: pair.server.plaintext) else { throw Broken("forged bytes") }
            guard edits > 0 || pair.server.plaintext == sent else { throw Broken("bytes lost") }
        }
    }

    @Test func `reads signer messages only as they are written`() {
        let request = SignerRequest(identity: "spiffe://a", request: "PEM", lifetimeSeconds: 60)
        let issued = IssuedCertificate(chain: ["leaf", "other"], roots: ["root"])
        let corpus = [
            request.bytes, SignerAnswer.issued(issued).bytes,
            SignerAnswer.refused(reason: "no").bytes,
        ]
        fuzz("signer messages", corpus: corpus) { bytes, _ in
            if let request = SignerRequest(bytes), request.lifetimeSeconds < .max,
                request.bytes != bytes
            {
                throw Broken("a request reads as another")
            }
            if let answer = SignerAnswer(bytes), answer.bytes != bytes {
                throw Broken("an answer reads as another")
            }
        }
    }

    @Test func `signs no spoiled request for another key or name`() throws {
        let bench = try TLSFuzzBench()
        let identity = try PeerIdentity(uri: TLSFuzzBench.clientURI)
        let request = try CertificateRequest(key: bench.key, identity: identity)
        fuzz("certificate requests", corpus: [Array(request.pem.utf8)]) { bytes, _ in
            let text = String(decoding: bytes, as: UTF8.self)
            guard
                let chain = try? bench.authority.sign(
                    request: text,
                    for: identity,
                    notBefore: bench.now,
                    notAfter: bench.now + 60
                )
            else { return }
            guard try chain.leaf.workloadIdentity() == identity else { throw Broken("other name") }
            // Only the requester's own key can have signed what passed.
            _ = try TLSContext(role: .client, chain: chain, key: bench.key, trust: bench.trust)
        }
    }
}
