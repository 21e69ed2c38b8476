import HTTP
import Mesh
import Testing
import Tunnel

private struct BrokenProperty: Error, CustomStringConvertible {
    var description: String
}

private func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }

/// Whether text is safe in a log line and a metric's label.
private func isPrintable(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
}

@Suite struct `Fuzzed HBONE fields` {
    @Test func `an authority is refused or comes back the same`() {
        let corpus = bytes([
            "10.1.0.5:8080", "[2001:db8::5]:443", "web.shop.svc.cluster.local:80", "web:65535",
            "[::ffff:10.0.0.1]:1", "a.b.:1",
        ])
        fuzz("authority", corpus: corpus) { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            guard let authority = ConnectRequest.Authority(text) else { return }
            guard authority.port > 0, isPrintable(authority.description),
                ConnectRequest.Authority(authority.description) == authority
            else { throw BrokenProperty(description: "\(authority)") }
        }
    }

    @Test func `baggage keeps only what is printable, and comes back the same`() {
        let corpus = bytes([
            "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=web,"
                + "service.name=web,service.version=v1,cloud.region=eu,"
                + "cloud.availability_zone=eu-1",
            "service.name = web ; property=1 , k8s.pod.name=", ",,=,;,k8s.job.name=a=b",
        ])
        fuzz("baggage", corpus: corpus) { input, _ in
            var fields = HeaderFields()
            fields.append(name: Array("baggage".utf8), value: input)
            let baggage = Baggage(fields)
            for value in [
                baggage.cluster, baggage.namespace, baggage.workloadName, baggage.canonicalName,
                baggage.canonicalRevision, baggage.region, baggage.zone,
            ] {
                guard isPrintable(value), value.utf8.count <= Baggage.valueBytesMax else {
                    throw BrokenProperty(description: value)
                }
            }
            var again = HeaderFields()
            again.append("baggage", baggage.description)
            guard Baggage(again).description == baggage.description else {
                throw BrokenProperty(description: baggage.description)
            }
        }
    }

    @Test func `forwarded keeps only addresses and names, and comes back the same`() {
        let corpus = bytes([
            "for=\"10.0.0.1:4000\";host=web.shop.svc.cluster.local", "for=\"[2001:db8::1]:1\"",
            "by=_a; for=unknown;HOST=\"a\\b.c:80\";proto=http, for=x", ";;host=a;",
        ])
        fuzz("forwarded", corpus: corpus) { input, _ in
            guard let forwarded = Forwarded(String(decoding: input, as: UTF8.self)) else { return }
            guard isPrintable(forwarded.host ?? ""),
                Forwarded(forwarded.description) == forwarded
            else { throw BrokenProperty(description: forwarded.description) }
        }
    }

    @Test func `a request is refused or comes back the same`() {
        let corpus = bytes([
            "10.1.0.5:80\nk8s.pod.name=a\nfor=\"1.2.3.4:5\"\n"
                + "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\nwest"
        ])
        fuzz("CONNECT", corpus: corpus) { input, _ in
            let parts = input.split(separator: 0x0A, omittingEmptySubsequences: false)
            let names = [
                ":authority", "baggage", "forwarded", "traceparent", "x-forwarded-network",
            ]
            var fields: HeaderFields = [":method": "CONNECT"]
            for (name, value) in zip(names, parts) {
                fields.append(name: name.utf8, value: value)
            }
            guard let request = try? ConnectRequest(fields) else { return }
            guard try ConnectRequest(request.fields) == request else {
                throw BrokenProperty(description: request.fields.description)
            }
        }
    }
}
