import APIServerDouble
import Foundation
import Kubernetes
import NIOPosix
import Testing

/// The double is what it says to a client that others wrote.
@Suite(.timeLimit(.minutes(2))) struct `The API server double` {
    private static let kubectl = ["/usr/bin/kubectl", "/usr/local/bin/kubectl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private struct Kubectl: Sendable {
        let folder: String
        let program: String

        struct Result: Sendable {
            let status: Int32
            let text: String
        }

        func run(_ arguments: String..., input: String = "") async throws -> Result {
            let process = Process()
            process.executableURL = URL(filePath: program)
            process.arguments = arguments + ["--request-timeout=10s"]
            process.environment = [
                "HOME": folder, "KUBECONFIG": folder + "/config", "PATH": "/usr/bin:/bin",
            ]
            let (standardInput, output) = (Pipe(), Pipe())
            process.standardInput = standardInput
            process.standardOutput = output
            process.standardError = output
            try process.run()
            try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try standardInput.fileHandleForWriting.close()
            return try await NIOThreadPool.singleton.runIfActive {
                let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
                process.waitUntilExit()
                return Result(
                    status: process.terminationStatus,
                    text: String(decoding: bytes, as: UTF8.self)
                )
            }
        }
    }

    private func with(
        _ body: (APIServerDouble, Kubectl) async throws -> Void
    ) async throws {
        let program = try #require(Self.kubectl)
        let double = APIServerDouble(bookmarkMilliseconds: 100)
        let address = try await double.start()
        let folder = NSTemporaryDirectory() + "ambit-kubectl-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let config = """
            apiVersion: v1
            kind: Config
            current-context: double
            clusters: [{name: double, cluster: {server: "\(address)"}}]
            contexts: [{name: double, context: {cluster: double, user: double}}]
            users: [{name: double, user: {token: double}}]
            """
        try Data(config.utf8).write(to: URL(filePath: folder + "/config"))
        try await body(double, Kubectl(folder: folder, program: program))
        await double.stop()
    }

    private static let manifest = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, labels: {ambit.dev/dataplane-mode: ambient}}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, namespace: shop}
        data: {colour: green}
        """

    @Test(.enabled("kubectl is not installed") { kubectl != nil })
    func `takes what kubectl applies, shows and deletes`() async throws {
        try await with { double, kubectl in
            let first = try await kubectl.run("apply", "-f", "-", input: Self.manifest)
            #expect(first.status == 0 && first.text.contains("configmap/settings created"))
            let again = try await kubectl.run("apply", "-f", "-", input: Self.manifest)
            #expect(again.text.contains("configmap/settings unchanged"), "\(again.text)")
            let changed = Self.manifest.replacing("green", with: "blue")
            let server = try await kubectl.run(
                "apply",
                "--server-side",
                "--force-conflicts",
                "-f",
                "-",
                input: changed
            )
            #expect(server.text.contains("configmap/settings serverside-applied"))
            let shown = try await kubectl.run(
                "get",
                "configmap",
                "settings",
                "-n",
                "shop",
                "-o",
                "jsonpath={.data.colour}"
            )
            #expect(shown.text == "blue")
            let listed = try await kubectl.run("get", "ns", "-l", "ambit.dev/dataplane-mode")
            #expect(listed.text.contains("shop") && !listed.text.contains("default"))
            let deleted = try await kubectl.run("delete", "cm", "settings", "-n", "shop")
            #expect(deleted.status == 0, "\(deleted.text)")
            #expect(
                double.get(ObjectReference(.configMaps, namespace: "shop", name: "settings")) == nil
            )
        }
    }

    @Test(.enabled("kubectl is not installed") { kubectl != nil })
    func `is watched by kubectl until what it waits for is there`() async throws {
        try await with { double, kubectl in
            try double.put(podObject("web"))
            async let waited = kubectl.run(
                "wait",
                "pod/web",
                "-n",
                "shop",
                "--for=condition=Ready",
                "--timeout=20s"
            )
            #expect(await soon { double.requests.contains { $0.contains("watch=true") } })
            var ready = podObject("web")
            ready["status"]["conditions"] = [["type": "Ready", "status": "True"]]
            try double.put(ready)
            let result = try await waited
            #expect(result.text.contains("pod/web condition met"), "\(result.text)")
        }
    }

    @Test(.enabled("kubectl is not installed") { kubectl != nil })
    func `keeps nothing of a dry run`() async throws {
        try await with { double, kubectl in
            let tried = try await kubectl.run(
                "create",
                "--dry-run=server",
                "-f",
                "-",
                input: Self.manifest.split(separator: "---").first.map(String.init) ?? ""
            )
            #expect(tried.text.contains("namespace/shop created (server dry run)"))
            #expect(double.get(ObjectReference(.namespaces, name: "shop")) == nil)
        }
    }
}
