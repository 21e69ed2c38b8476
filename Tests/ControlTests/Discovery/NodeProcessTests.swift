import AsyncHTTPClient
import Discovery
import Foundation
import Mesh
import NIOCore
import TLS
import Testing

/// The program `ambit-node` of this build, with its files in a folder of its own.
private final class NodeProcess: Sendable {
    let process: Process
    let folder: URL
    let ports: [Int]

    /// Where the build put it: beside the bundle of tests that is mapped into this process.
    static let path: String? = {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        for line in maps.split(separator: "\n") where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/") else { continue }
            let folder = URL(fileURLWithPath: String(line[start...])).deletingLastPathComponent()
            let path = folder.appendingPathComponent("ambit-node").path
            return FileManager.default.isExecutableFile(atPath: path) ? path : nil
        }
        return nil
    }()

    init(_ plane: TestControlPlane, _ port: UInt16) throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("ambit-test-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = [
            "root.pem": plane.authority.certificate.pem, "token": "good\n",
            "pods.json": #"{"pods": []}"#,
        ]
        for (name, text) in files {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }
        let first = Int.random(in: 20_000...31_000)
        ports = [first, first + 1, first + 2]
        process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.path))
        process.arguments = [
            "--node-name", "node-1", "--kubernetes", "off", "--worker-threads", "1",
            "--pods", folder.appendingPathComponent("pods.json").path,
            "--controller-address", "localhost:\(port)", "--pod-name", "ambit-node-abc",
            "--pod-namespace", "ambit-system",
            "--controller-root", folder.appendingPathComponent("root.pem").path,
            "--controller-token", folder.appendingPathComponent("token").path,
            "--readiness-address", "127.0.0.1:\(ports[0])",
            "--metrics-address", "127.0.0.1:\(ports[1])",
            "--admin-address", "127.0.0.1:\(ports[2])",
        ]
        let log = folder.appendingPathComponent("log")
        try Data().write(to: log)
        process.standardOutput = try FileHandle(forWritingTo: log)
        process.standardError = process.standardOutput
        try process.run()
    }

    deinit {
        process.terminate()
        try? FileManager.default.removeItem(at: folder)
    }

    /// What it logged so far.
    var log: String {
        (try? String(contentsOf: folder.appendingPathComponent("log"), encoding: .utf8)) ?? ""
    }

    /// A page of one of its servers; nil without an answer.
    func get(_ server: Int, _ path: String) async -> (status: Int?, body: String)? {
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(ports[server])\(path)")
        guard
            let response = try? await HTTPClient.shared.execute(request, timeout: .seconds(5)),
            let body = try? await response.body.collect(upTo: 4 << 20)
        else { return nil }
        return (Int("\(response.status)".prefix(3)), String(buffer: body))
    }

    /// Waits until a page of the metrics server has a text in it.
    func shows(_ text: String) async -> Bool {
        for _ in 0..<200 {
            if let page = await get(1, "/metrics"), page.body.contains(text) { return true }
            try? await Task.sleep(for: .milliseconds(100))
        }
        return false
    }
}

@Suite("A node process under a controller")
struct NodeProcessTests {
    @Test func `becomes ready with the first sync and stays so without the controller`()
        async throws
    {
        guard NodeProcess.path != nil else { return }
        let plane = try TestControlPlane()
        let store = plane.store
        let node = try await plane.run { port in
            let node = try NodeProcess(plane, port)
            #expect(await node.shows("ambit_xds_connected 1"))
            #expect(await node.get(0, "/healthz/ready")?.status == 200)
            #expect(
                await node.shows(
                    #"istio_xds_message_total{url="type.googleapis.com/istio.workload.Address"} 1"#
                )
            )
            store.apply(MeshChange(workloads: [Sample.workload("later", at: "10.0.0.77")]))
            #expect(
                await node.shows(
                    #"istio_xds_message_total{url="type.googleapis.com/istio.workload.Address"} 2"#
                )
            )
            #expect(await node.get(2, "/config_dump")?.body.contains("10.0.0.77") == true)
            return node
        }
        // The controller is gone.
        #expect(await node.shows("ambit_xds_connected 0"))
        #expect(await node.shows("istio_xds_connection_terminations_total"))
        #expect(await node.get(0, "/healthz/ready")?.status == 200)
        #expect(await node.get(2, "/config_dump")?.body.contains("10.0.0.77") == true)
        node.process.terminate()
        node.process.waitUntilExit()
        #expect(node.process.terminationStatus == 0, "\(node.log)")
    }

    @Test func `is not ready while the controller refuses it`() async throws {
        guard NodeProcess.path != nil else { return }
        let plane = try TestControlPlane()
        plane.tokens.change { $0 = [:] }
        try await plane.run { port in
            let node = try NodeProcess(plane, port)
            #expect(
                await node.shows(
                    #"istio_xds_connection_terminations_total{reason="ConnectionError"}"#
                )
            )
            #expect(await node.get(0, "/healthz/ready")?.status == 500)
            #expect(node.log.contains("unauthenticated"))
            plane.tokens.change { $0["good"] = TestControlPlane.caller }
            #expect(await node.shows("ambit_xds_connected 1"))
            // It is once it holds what it was sent.
            #expect(await soon { await node.get(0, "/healthz/ready")?.status == 200 })
        }
    }
}
