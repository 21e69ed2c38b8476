import Kubernetes
import Testing

@Suite struct `Fuzzed answers of an API server` {
    /// A property that an input broke.
    struct Broken: Error {
        let property: String
    }

    private static let pod =
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop","#
        + #""resourceVersion":"7"},"spec":{"containers":[{"name":"a"}]},"status":{"podIP":"::1"}}"#

    private static let watches: [[UInt8]] = [
        #"{"type":"ADDED","object":\#(pod)}"# + "\n"
            + #"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9"}}}"#
            + "\n" + #"{"type":"DELETED","object":\#(pod)}"# + "\n",
        #"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"# + "\n",
        #"{"type":"MODIFIED","object":\#(pod.replacing("\"7\"", with: "\"x\""))}"# + "\r\n\n"
            + #"{"type":"LATER","object":{}}"# + "\n",
    ].map { Array($0.utf8) }

    @Test func `are the same events however they are cut, within their bounds`() {
        fuzz("watch", corpus: Self.watches) { bytes, generator in
            let whole = try Self.lines(bytes, pieces: bytes.count + 1)
            let cut = try Self.lines(bytes, pieces: 1 + generator.below(7))
            guard whole == cut else { throw Broken(property: "cutting changes the lines") }
            var known = KnownObjects()
            for line in whole ?? [] {
                guard !line.contains(0x0A), line.count <= 2_048 else {
                    throw Broken(property: "a line out of bounds")
                }
                guard let event = try? WatchEvent(line: line) else { continue }
                try Self.take(event, &known)
            }
        }
    }

    // Nil when a line is too long.
    private static func lines(_ bytes: [UInt8], pieces: Int) throws -> [[UInt8]]? {
        var lines = WatchLines(bytesMax: 2_048)
        var found: [[UInt8]] = []
        var rest = bytes[...]
        do {
            while !rest.isEmpty {
                found += try lines.append(rest.prefix(pieces))
                rest = rest.dropFirst(pieces)
            }
        } catch {
            return nil
        }
        return found
    }

    private static func take(_ event: WatchEvent, _ known: inout KnownObjects) throws {
        let before = known.resourceVersion
        switch event {
        case .set(let object), .deleted(let object):
            let key = ObjectKey(
                kind: "Pod",
                namespace: "",
                name: object["metadata"]["name"].stringValue ?? ""
            )
            let version = object["metadata"]["resourceVersion"].stringValue ?? ""
            if case .set = event { _ = known.set(key, version: version) }
            if case .deleted = event, known.remove(key, version: version) {
                guard !known.remove(key, version: version) else {
                    throw Broken(property: "removed twice")
                }
            }
            _ = try? Pod(Field(root: object))
        case .bookmark(let version): known.advance(to: version)
        case .failed, .unknown: break
        }
        if let old = UInt64(before), let new = UInt64(known.resourceVersion), new < old {
            throw Broken(property: "back in time from \(old) to \(new)")
        }
    }

    private static let kubeconfigs: [[UInt8]] = [
        """
        apiVersion: v1
        kind: Config
        current-context: c
        contexts: [{name: c, context: {cluster: k, user: u, namespace: shop}}]
        clusters:
        - name: k
          cluster: {server: "https://[::1]:6443/x", certificate-authority-data: AAAA,
                    tls-server-name: a}
        users: [{name: u, user: {token: t, client-certificate: a, client-key-data: QQ==}}]
        """,
        """
        current-context: c
        contexts: [{name: c, context: {cluster: k, user: u}}]
        clusters: [{name: k, cluster: {server: "http://h:80", insecure-skip-tls-verify: true}}]
        users:
        - name: u
          user:
            exec: {apiVersion: client.authentication.k8s.io/v1, command: ./x, args: [a],
                   env: [{name: A, value: b}], provideClusterInfo: true, interactiveMode: Never}
        """,
    ].map { Array($0.utf8) }

    @Test func `and kubeconfigs never trap, and every refusal says why`() {
        fuzz("kubeconfig", corpus: Self.kubeconfigs) { bytes, _ in
            do throws(AccessError) {
                var config = KubeConfig()
                try config.read(bytes, from: "/nowhere/config")
                let access = try config.access()
                let server = access.server
                guard !server.host.isEmpty, ServerAddress("\(server)") == server else {
                    throw AccessError("")
                }
            } catch {
                guard !error.reason.isEmpty else { throw Broken(property: "no reason") }
                guard error.reason.utf8.count < 4_096 else {
                    throw Broken(property: "a reason of \(error.reason.utf8.count) bytes")
                }
            }
        }
    }

    @Test func `and addresses are the same when they are read again`() {
        let corpus = ["https://h:1/a", "http://[::1]:80", "https://a.b.c:65535//x/"]
        fuzz("address", corpus: corpus.map { Array($0.utf8) }) { bytes, _ in
            guard let text = String(validating: bytes, as: UTF8.self),
                let address = ServerAddress(text)
            else { return }
            guard ServerAddress("\(address)") == address else {
                throw Broken(property: "\(text) is read as \(address)")
            }
        }
    }
}
