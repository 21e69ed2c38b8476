import APIServerDouble
import Foundation
import Kubernetes
import Testing

@Suite(.timeLimit(.minutes(1))) struct `Access to an API server` {
    private final class Folder: Sendable {
        let path = NSTemporaryDirectory() + "ambit-access-\(UUID().uuidString)"

        init() throws {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true
            )
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ bytes: [UInt8], executable: Bool = false) throws {
            let file = path + "/" + name
            try Data(bytes).write(to: URL(filePath: file), options: .atomic)
            if executable {
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o755],
                    ofItemAtPath: file
                )
            }
        }

        func write(_ name: String, _ text: String, executable: Bool = false) throws {
            try write(name, Array(text.utf8), executable: executable)
        }

        func access(_ config: String) throws -> ClusterAccess {
            var parsed = KubeConfig()
            try parsed.read(Array(config.utf8), from: path + "/config")
            return try parsed.access()
        }
    }

    private func config(_ cluster: String, user: String = "{}") -> String {
        """
        apiVersion: v1
        kind: Config
        current-context: c
        contexts: [{name: c, context: {cluster: k, user: u, namespace: shop}}]
        clusters: [{name: k, cluster: \(cluster)}]
        users: [{name: u, user: \(user)}]
        """
    }

    private func code(_ access: ClusterAccess) async -> ClusterError.Code? {
        let server = APIServer(access, timing: .short)
        do {
            _ = try await server.list(.namespaces, in: ObjectSelection())
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `trusts the authority it is given and no other`() async throws {
        let folder = try Folder()
        let (one, other) = (try TestAuthority("one"), try TestAuthority("other"))
        try folder.write("ca.crt", try one.authorities)
        let double = APIServerDouble()
        var address = try await double.start(tls: try one.server())
        let port = address.split(separator: ":").last ?? ""
        let cluster = "{server: \"\(address)\", certificate-authority: ca.crt}"
        #expect(await code(try folder.access(config(cluster))) == nil)
        #expect(await code(try folder.access(config("{server: \"\(address)\"}"))) == .unavailable)
        let data = Base64.text(try other.authorities)
        let wrong = "{server: \"\(address)\", certificate-authority-data: \(data)}"
        #expect(await code(try folder.access(config(wrong))) == .unavailable)
        let anyone = "{server: \"\(address)\", insecure-skip-tls-verify: true}"
        #expect(await code(try folder.access(config(anyone))) == nil)
        // By another name than the certificate's, and told which one to expect.
        await double.stop()
        address = try await double.start(tls: try one.server(dns: "api.internal"))
        let named = address.replacing("127.0.0.1", with: "localhost")
        #expect(!port.isEmpty)
        let byName = "{server: \"\(named)\", certificate-authority: ca.crt}"
        #expect(await code(try folder.access(config(byName))) == .unavailable)
        let expected =
            "{server: \"\(named)\", certificate-authority: ca.crt, tls-server-name: api.internal}"
        #expect(await code(try folder.access(config(expected))) == nil)
        await double.stop()
    }

    @Test func `goes on when the authority and the token are replaced`() async throws {
        let folder = try Folder()
        let (old, new) = (try TestAuthority("old"), try TestAuthority("new"))
        try folder.write("ca.crt", try old.authorities)
        try folder.write("token", "first\n")
        try folder.write("namespace", "ambit-system\n")
        let double = APIServerDouble()
        double.reviewer.callers = ["first"]
        let address = try await double.start(tls: try old.server())
        let port = String(address.split(separator: ":").last ?? "")
        let access = try ClusterAccess.inCluster(
            environment: [
                "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port,
            ],
            folder: folder.path
        )
        #expect(access.namespace == "ambit-system")
        let server = APIServer(access, timing: .short)
        let watcher = await Watcher(server, of: Namespace.self)
        #expect(await soon { await watcher.syncs == 1 })
        double.reviewer.callers = ["second"]
        #expect(await code(access) == .unauthorized)
        try folder.write("token", "second")
        _ = try await server.list(.namespaces, in: ObjectSelection())
        await double.stop()
        try folder.write("ca.crt", try new.authorities)
        _ = try await double.start(port: Int(port) ?? 0, tls: try new.server())
        try double.put(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "late"]])
        #expect(await soon { await watcher.names.contains("/late") })
        await double.stop()
    }

    @Test func `shows a client certificate where there is one`() async throws {
        let folder = try Folder()
        let (servers, clients) = (try TestAuthority("servers"), try TestAuthority("clients"))
        let (chain, key) = try clients.issue("admin")
        try folder.write("ca.crt", try servers.authorities)
        try folder.write("admin.key", key)
        let double = APIServerDouble()
        let address = try await double.start(tls: try servers.server(clients: clients))
        let cluster = "{server: \"\(address)\", certificate-authority: ca.crt}"
        let user =
            "{client-certificate-data: \(Base64.text(chain)), client-key: admin.key}"
        #expect(await code(try folder.access(config(cluster, user: user))) == nil)
        #expect(await code(try folder.access(config(cluster))) == .unavailable)
        await double.stop()
    }

    @Test(arguments: ["v1", "v1beta1"])
    func `asks a plugin, and again when what it said expires`(version: String) async throws {
        let folder = try Folder()
        let script = """
            #!/bin/sh
            echo run >> "$(dirname "$0")/runs"
            case "$KUBERNETES_EXEC_INFO" in *'"server":"http'*) ;; *) exit 3;; esac
            printf '{"apiVersion":"client.authentication.k8s.io/\(version)",'
            printf '"kind":"ExecCredential",'
            printf '"status":{"token":"%s%s"%s}}' "$PREFIX" "$1" "$EXPIRY"
            """
        try folder.write("plugin", script, executable: true)
        let double = APIServerDouble()
        double.reviewer.callers = ["good-token"]
        let address = try await double.start()
        func user(_ expiry: String) -> String {
            """
            {exec: {apiVersion: client.authentication.k8s.io/\(version), command: ./plugin,
              args: [token], provideClusterInfo: true, interactiveMode: IfAvailable,
              env: [{name: PREFIX, value: good-}, {name: EXPIRY, value: '\(expiry)'}]}}
            """
        }
        func runs() -> Int {
            let text = (try? String(contentsOfFile: folder.path + "/runs", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").count
        }
        let cluster = "{server: \"\(address)\"}"
        let lasting = APIServer(try folder.access(config(cluster, user: user(""))), timing: .short)
        for _ in 0..<3 { _ = try await lasting.list(.namespaces, in: ObjectSelection()) }
        #expect(runs() == 1)
        let past = ",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\""
        let short = APIServer(try folder.access(config(cluster, user: user(past))), timing: .short)
        for _ in 0..<3 { _ = try await short.list(.namespaces, in: ObjectSelection()) }
        #expect(runs() == 4)
        await double.stop()
    }

    @Test func `says what to install when the plugin is missing`() async throws {
        let folder = try Folder()
        let user = """
            {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin-here,
              installHint: get it from the shop}}
            """
        let access = try folder.access(config("{server: \"http://127.0.0.1:1\"}", user: user))
        let error = await #expect(throws: ClusterError.self) {
            try await APIServer(access).list(.pods, in: ObjectSelection())
        }
        #expect(error?.reason.contains("get it from the shop") == true)
    }

    @Test(arguments: [
        ("{server: \"https://u:p@h\"}", "{}", "must be an address"),
        ("{server: h}", "{}", "server"),
        ("{server: \"https://h\", proxy-url: \"http://p\"}", "{}", "proxy-url: a proxy"),
        ("{server: \"https://h\", certificate-authority-data: '*'}", "{}", "Base64"),
        ("{server: \"https://h\"}", "{username: u, password: p}", "not supported"),
        ("{server: \"https://h\"}", "{auth-provider: {name: gcp}}", "auth-provider"),
        ("{server: \"https://h\"}", "{client-key: k}", "client-certificate"),
        ("{server: \"https://h\"}", "{token: \"a\\nb\"}", "token"),
        (
            "{server: \"https://h\"}",
            "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: c}}", "v1beta1"
        ),
    ])
    func `is refused with the reason`(cluster: String, user: String, word: String) throws {
        let folder = try Folder()
        let error = #expect(throws: AccessError.self) {
            try folder.access(config(cluster, user: user))
        }
        #expect(error?.reason.contains(word) == true, "\(error?.reason ?? "")")
    }

    @Test func `takes the first of several files, and passes over those that are not there`() throws
    {
        let folder = try Folder()
        try folder.write("one", config("{server: \"https://one\"}", user: "{tokenFile: t}"))
        try folder.write("two", config("{server: \"https://two\"}"))
        let config = try KubeConfig.load(environment: [
            "KUBECONFIG": "\(folder.path)/zero:\(folder.path)/one:\(folder.path)/two"
        ])
        let access = try config.access()
        #expect(access.server.description == "https://one:443")
        #expect(access.bearer == .file(folder.path + "/t"))
        #expect(access.namespace == "shop")
        #expect(throws: AccessError.self) { try config.access(context: "other") }
        #expect(throws: AccessError.self) {
            try KubeConfig.load(environment: ["KUBECONFIG": folder.path + "/zero"])
        }
    }

    @Test func `never prints its secrets`() throws {
        let folder = try Folder()
        let access = try folder.access(config("{server: \"https://h\"}", user: "{token: hush}"))
        #expect("\(access)" == "https://h:443")
        #expect(String(reflecting: access) == "https://h:443")
        #expect(!"\(access.bearer)".contains("hush"))
    }

    @Test(arguments: [
        ("https://[fd00::1]:6443/a/b/", "https://[fd00::1]:6443/a/b"),
        ("http://h", "http://h:80"), ("HTTPS://h", "https://h:443"),
    ])
    func `reads the server's address`(text: String, shown: String) {
        #expect(ServerAddress(text)?.description == shown)
    }

    @Test func `is not led elsewhere by a redirect`() async throws {
        let pair = try await Pair()
        pair.double.faults.answers = [Faults.Answer(status: 302, times: 1)]
        let error = await #expect(throws: ClusterError.self) {
            try await pair.server.list(.pods, in: ObjectSelection())
        }
        #expect(error?.code == .other)
        #expect(pair.double.requests.count == 1)
        await pair.double.stop()
    }
}
