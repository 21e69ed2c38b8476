import Foundation
import Glibc
import HTTP
import Mesh
import Reactor
import Testing

private func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0) }
}

/// A file that goes away with the value.
private final class TemporaryFile {
    let path: String

    init(_ bytes: [UInt8], named name: String = UUID().uuidString) throws {
        path = NSTemporaryDirectory() + name
        try Data(bytes).write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite(.timeLimit(.minutes(2))) struct `Our HTTP2 server` {
    @Test(arguments: [[], ["-w16", "-W16"], ["--padding=200"], ["--continuation"], ["--no-dep"]])
    func `serves nghttp whole responses`(options: [String]) throws {
        let server = try SmallServer(connections: 1)
        let url = "http://127.0.0.1:\(server.port)/700000"
        let run = try ProgramRun("/usr/bin/nghttp", options + [url])
        #expect(run.status == 0)
        #expect(run.output == pattern(700_000))
        #expect(server.complaints == [])
    }

    @Test(arguments: [[], ["--padding=255"], ["--trailer=checksum: 1"]])
    func `takes uploads of nghttp`(options: [String]) throws {
        let server = try SmallServer(connections: 1)
        let file = try TemporaryFile(pattern(1_500_000))
        let url = "http://127.0.0.1:\(server.port)/"
        let run = try ProgramRun("/usr/bin/nghttp", options + ["-d", file.path, url])
        #expect(run.text == "1500000")
        #expect(server.complaints == [])
    }

    @Test func `serves h2load's streams all at once`() throws {
        let server = try SmallServer(connections: 4)
        let url = "http://127.0.0.1:\(server.port)/3000"
        let run = try ProgramRun("/usr/bin/h2load", ["-n4000", "-c4", "-m100", url])
        #expect(run.text.contains("4000 succeeded, 0 failed, 0 errored"))
        #expect(server.complaints == [])
    }

    @Test func `exchanges with curl`() throws {
        let server = try SmallServer(connections: 2)
        let url = "http://127.0.0.1:\(server.port)/5000000"
        let get = try ProgramRun("/usr/bin/curl", ["-s", "--http2-prior-knowledge", url])
        #expect(get.output == pattern(5_000_000))
        let file = try TemporaryFile(pattern(5_000_000))
        let put = try ProgramRun(
            "/usr/bin/curl",
            ["-s", "--http2-prior-knowledge", "-T", file.path, url]
        )
        #expect(put.text == "5000000")
        #expect(server.complaints == [])
    }
}

@Suite(.timeLimit(.minutes(2))) struct `Our HTTP2 client` {
    /// nginx in a folder of its own, stopped at the end.
    private final class Nginx {
        let process = Process()
        let folder: URL
        let port: UInt16

        init(files: [String: [UInt8]]) throws {
            // A port that is free now; nginx cannot choose one itself.
            let probe = TestSocket(
                owning: try checked("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
            )
            try probe.bind(SocketAddress(IPAddress(v4: 0x7F00_0001), 0))
            port = probe.local?.port ?? 0
            folder = URL(filePath: NSTemporaryDirectory() + "ambit-nginx-" + UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, bytes) in files {
                try Data(bytes).write(to: folder.appending(path: name))
            }
            let configuration = """
                daemon off; master_process off; pid \(folder.path)/pid; user root;
                error_log \(folder.path)/error.log;
                events {}
                http {
                  access_log off; client_body_temp_path \(folder.path)/body;
                  proxy_temp_path \(folder.path)/p; fastcgi_temp_path \(folder.path)/f;
                  uwsgi_temp_path \(folder.path)/u; scgi_temp_path \(folder.path)/s;
                  server { listen 127.0.0.1:\(port) http2; root \(folder.path); }
                }
                """
            let path = folder.appending(path: "nginx.conf")
            try Data(configuration.utf8).write(to: path)
            process.executableURL = URL(filePath: "/usr/bin/timeout")
            process.arguments = [
                "-s", "KILL", "60", "/usr/sbin/nginx", "-c", path.path, "-p", folder.path,
            ]
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        func connect() throws -> TestSocket {
            for _ in 0..<500 {
                let client = TestSocket(
                    owning: try checked("socket") {
                        socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                    }
                )
                if client.connect(SocketAddress(IPAddress(v4: 0x7F00_0001), port)) == 0 {
                    return client
                }
                usleep(10_000)
            }
            throw SystemError(call: "connect", code: ECONNREFUSED)
        }

        deinit {
            // `timeout` leads a group of its own.
            _ = kill(-process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try? FileManager.default.removeItem(at: folder)
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/sbin/nginx")))
    func `fetches from nginx on many streams`() throws {
        let nginx = try Nginx(files: ["large": pattern(2_000_000), "small": pattern(10)])
        let connection = HTTP2OverSocket(.client, try nginx.connect())
        var sizes: [UInt32: Int] = [:]
        var received: [UInt32: [UInt8]] = [:]
        var statuses: [String] = []
        var ended = 0
        for round in 0..<20 {
            let name = round % 2 == 0 ? "large" : "small"
            let stream = try connection.machine.request(
                [":method": "GET", ":scheme": "http", ":path": "/" + name, ":authority": "a"],
                endStream: true
            )
            sizes[stream] = round % 2 == 0 ? 2_000_000 : 10
        }
        while ended < sizes.count {
            let isOpen = try connection.receive { event, bytes in
                switch event {
                case .headers(_, let fields, _): statuses.append(fields[":status"] ?? "")
                case .data(let stream, let range, let endStream):
                    received[stream, default: []] += bytes[range]
                    ended += endStream ? 1 : 0
                case .failed, .reset: Issue.record("\(event)")
                default: break
                }
            }
            try #require(isOpen)
        }
        #expect(statuses == Array(repeating: "200", count: 20))
        for (stream, size) in sizes {
            #expect(received[stream] == pattern(size))
        }
        // A file that is not there, on the same connection.
        let missing = try connection.machine.request(
            [":method": "GET", ":scheme": "http", ":path": "/none", ":authority": "a"],
            endStream: true
        )
        var status: String?
        while status == nil {
            let isOpen = try connection.receive { event, _ in
                if case .headers(missing, let fields, _) = event { status = fields[":status"] }
            }
            try #require(isOpen)
        }
        #expect(status == "404")
    }
}
