import Foundation
import Testing

/// Real namespaces and processes, without a proxy: what the lab itself promises.
@Suite(.enabled(if: LabProgram.isAvailable), .serialized) struct `A lab` {
    private static func objects(_ marker: String) -> String {
        """
        apiVersion: v1
        kind: Node
        metadata: {name: one}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: two}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: client}
        spec: {nodeName: one, containers: [{name: main}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: four}
        spec: {nodeName: two, containers: [{name: main}]}
        status: {podIPs: [{ip: 10.244.1.44}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: six}
        spec: {nodeName: two, containers: [{name: main}]}
        status: {podIPs: [{ip: "fd00:10:244:1::66"}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: host}
        spec: {nodeName: two, hostNetwork: true, containers: [{name: main}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: server}
        spec:
          nodeName: two
          containers:
          - name: main
            command: [sh, -c, "echo started $GREETING; exec sleep \(marker)"]
            env: [{name: GREETING, value: hello}]
        """
    }

    /// Seconds to sleep that no other process has: finds the lab's processes from outside.
    private let marker = String(UInt32.random(in: 1_000_000_000...2_000_000_000))
    private let lab = LabProgram()

    private func up(_ arguments: String...) throws {
        let outcome = try lab.start(
            ["up", "--no-mesh", "-"] + arguments,
            input: Self.objects(marker)
        ).wait()
        try #require(outcome.exitCode == 0, "\(outcome.errors)")
    }

    private func supervisor() throws -> Int32 {
        let text = try lab.run("ps", "-o", "json").output
        let status = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return Int32(try #require(status?["supervisor"] as? Int))
    }

    /// Processes of this machine whose command line has the marker or the lab's name.
    private func processes() -> [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.filter { entry in
            guard Int32(entry) != nil,
                let line = FileHandle(forReadingAtPath: "/proc/\(entry)/cmdline")?
                    .readDataToEndOfFile()
            else { return false }
            let text = String(decoding: line, as: UTF8.self)
            return text.contains(marker) || text.contains(lab.name)
        }
    }

    private func hostTraces() throws -> [String] {
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
        let sockets = FileHandle(forReadingAtPath: "/proc/net/unix")?.readDataToEndOfFile()
        let files = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm")
        let lines =
            mounts.split(separator: "\n").filter { $0.contains("ambit") }
            + String(decoding: sockets ?? Data(), as: UTF8.self).split(separator: "\n")
            .filter { $0.contains(lab.name) }
        return lines.map(String.init) + files.filter { $0.contains("ambit") }
    }

    /// Whether packets go from the client to an address and back: nobody listens, so the answer
    /// of a host that is there is a refusal.
    private func reaches(_ address: String) throws -> Bool {
        let dial = "exec 3<>/dev/tcp/\(address)/9"
        return try lab.execute("client", "timeout", "2", "bash", "-c", dial).errors
            .contains("Connection refused")
    }

    @Test func `connects pods over both families and shows them`() throws {
        try up()
        defer { lab.end() }
        let addresses = try lab.execute("client", "cat", "/proc/net/fib_trie").output
        #expect(addresses.contains("10.244.0.2"))
        for address in [
            "10.244.1.44", "10.244.1.2", "172.18.0.3", "fd00:10:244:1::66", "fd00:10:244:1::2",
        ] {
            #expect(try reaches(address), "\(address)")
        }
        let host = try lab.execute("host", "hostname")
        #expect(host.output == "host\n")
        let table = try lab.run("ps").output
        #expect(table.contains("default/six     Running  no    two   fd00:10:244:1::66"))
    }

    @Test func `has no IPv6 in a pod that has none and no IPv4 address in one that has none`()
        throws
    {
        try up()
        defer { lab.end() }
        let four = try lab.execute("four", "cat", "/proc/net/if_inet6")
        #expect(four.output.isEmpty)
        let six = try lab.execute("six", "sh", "-c", "ip -4 -o addr show eth0")
        #expect(six.output.isEmpty)
        let control = try lab.execute("six", "cat", "/proc/sys/net/ipv4/tcp_congestion_control")
        #expect(["cubic\n", "reno\n"].contains(control.output))
    }

    @Test func `gives a pod files and a host name of its own`() throws {
        try up()
        defer { lab.end() }
        let shown = try lab.execute(
            "client",
            "sh",
            "-c",
            "hostname; cat /etc/resolv.conf /etc/hosts"
        )
        #expect(shown.output.hasPrefix("client\nnameserver 10.96.0.10\nsearch default.svc."))
        #expect(shown.output.contains("10.244.0.2 client\n"))
        let own = try String(contentsOfFile: "/etc/hosts", encoding: .utf8)
        #expect(!own.contains("10.244.0.2"))
        let hidden = try lab.execute("client", "ls", "/dev/shm/ambit-lab")
        #expect(hidden.exitCode != 0)
    }

    @Test func `passes input, output and exit codes of commands through`() throws {
        try up()
        defer { lab.end() }
        let arguments = ["exec", "--name", lab.name, "client", "--", "sh", "-c", "cat; exit 42"]
        let echoed = try LabProgram.Running(["lab"] + arguments, input: "to and fro").wait()
        #expect(echoed.output == "to and fro")
        #expect(echoed.exitCode == 42)
        #expect(try lab.execute("client", "sh", "-c", "kill -TERM $$").exitCode == 143)
        #expect(try lab.execute("client", "/no/such/program").exitCode == 127)
        #expect(try lab.execute("client", "/etc/passwd").exitCode == 126)
        #expect(try lab.execute("nobody", "true").exitCode == 65)
    }

    @Test func `kills a command with whoever asked for it`() throws {
        try up()
        defer { lab.end() }
        let seconds = marker + "1"
        let arguments = ["lab", "exec", "--name", lab.name, "client", "--", "sleep", seconds]
        let running = try LabProgram.Running(arguments, input: nil)
        func isRunning() throws -> Bool {
            try lab.execute("client", "pgrep", "-f", "-x", "sleep \(seconds)").exitCode == 0
        }
        #expect(try eventually(isRunning))
        kill(running.process.processIdentifier, SIGKILL)
        _ = running.wait()
        #expect(try eventually { try !isRunning() })
    }

    @Test func `keeps what pods wrote and starts them again`() throws {
        try up()
        defer { lab.end() }
        #expect(try eventually { try lab.run("logs", "server").output == "started hello\n" })
        _ = try lab.execute("server", "pkill", "-f", "sleep \(marker)")
        #expect(
            try eventually {
                try lab.run("logs", "server").output == "started hello\nstarted hello\n"
            }
        )
    }

    @Test func `changes while it runs, or not at all`() throws {
        try up()
        defer { lab.end() }
        let pod = """
            apiVersion: v1
            kind: Pod
            metadata: {name: late}
            spec: {nodeName: one, containers: [{name: main}]}
            """
        let bad = pod + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: UPPER}\nspec: {}\n"
        let refused = try lab.start(["apply", "-"], input: bad).wait()
        #expect(refused.exitCode == 65)
        #expect(refused.errors.contains("standard input"))
        #expect(refused.errors.contains("metadata.name"))
        #expect(try !lab.run("ps").output.contains("late"))
        #expect(try lab.start(["apply", "-"], input: pod).wait().exitCode == 0)
        #expect(try reaches("10.244.0.3"))
        #expect(try lab.run("delete", "pod", "late").exitCode == 0)
        #expect(try !reaches("10.244.0.3"))
        #expect(try lab.run("delete", "pod", "late").exitCode == 65)
    }

    @Test func `gives pods outside the mesh names and virtual addresses`() throws {
        try up()
        defer { lab.end() }
        let objects = """
            apiVersion: v1
            kind: Pod
            metadata: {name: web, labels: {app: web}}
            spec:
              nodeName: two
              containers:
              - name: main
                command: [python3, -m, http.server, "8080", --directory, /dev/shm]
                readinessProbe: {tcpSocket: {port: 8080}}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
            """
        try #require(try lab.start(["apply", "-"], input: objects).wait().exitCode == 0)
        // `apply` has waited for the probe.
        let fetched = try lab.execute(
            "client",
            "curl",
            "-sS",
            "--max-time",
            "5",
            "-o",
            "/dev/null",
            "http://web/"
        )
        #expect(fetched.exitCode == 0, "\(fetched.errors)")
        let unknown = try lab.execute("client", "getent", "hosts", "none.default.svc.cluster.local")
        #expect(unknown.exitCode == 2)
    }

    @Test func `is cut and mended`() throws {
        try up()
        defer { lab.end() }
        #expect(try lab.run("cut", "two").exitCode == 0)
        #expect(try !reaches("10.244.1.44"))
        #expect(try lab.run("mend", "two").exitCode == 0)
        #expect(try eventually { try reaches("10.244.1.44") })
    }

    @Test func `reaches a node that was made anew at once`() throws {
        try up()
        defer { lab.end() }
        #expect(try reaches("10.244.1.44"))
        #expect(try reaches("fd00:10:244:1::66"))
        #expect(try lab.run("delete", "node", "two").exitCode == 0)
        #expect(try !reaches("10.244.1.44"))
        let again = try lab.start(["apply", "-"], input: Self.objects(marker)).wait()
        #expect(again.exitCode == 0, "\(again.errors)")
        #expect(try reaches("10.244.1.44"))
        #expect(try reaches("fd00:10:244:1::66"))
    }

    @Test func `shows each packet between nodes once`() throws {
        try up()
        defer { lab.end() }
        let capture = try lab.start(["capture", "--seconds", "60"])
        #expect(eventually { capture.errorText.contains("capturing") })
        for _ in 0..<3 { #expect(try reaches("10.244.1.44")) }
        capture.process.interrupt()
        let lines = capture.wait().output.split(separator: "\n")
        let between = lines.filter { $0.contains("10.244.1.44:9") }
        #expect(between.filter { $0.hasSuffix(": TCP SYN") }.count == 3)
        #expect(between.filter { $0.hasSuffix(": TCP ACK+RST") }.count == 3)
        #expect(between.count == 6)
    }

    @Test func `leaves nothing when it is taken down`() throws {
        try up()
        #expect(!processes().isEmpty)
        #expect(try lab.run("down").exitCode == 0)
        #expect(processes().isEmpty)
        #expect(try hostTraces().isEmpty)
        #expect(try lab.run("ps").exitCode == 69)
    }

    @Test func `leaves nothing when its supervisor is killed`() throws {
        try up()
        kill(try supervisor(), SIGKILL)
        #expect(eventually { processes().isEmpty })
        #expect(try hostTraces().isEmpty)
        // The name is free again.
        try up()
        lab.end()
    }

    @Test func `ends with the command that holds it in the foreground`() throws {
        let held = try lab.start(
            ["up", "--no-mesh", "--foreground", "-"],
            input: Self.objects(marker)
        )
        #expect(eventually { held.errorText.contains("is up") })
        kill(held.process.processIdentifier, SIGKILL)
        _ = held.wait()
        #expect(eventually { processes().isEmpty })
    }

    @Test func `is not made of objects that are wrong, nor made twice`() throws {
        let wrong = try lab.start(["up", "--no-mesh", "-"], input: "kind: [").wait()
        #expect(wrong.exitCode == 65)
        #expect(processes().isEmpty)
        try up()
        defer { lab.end() }
        let second = try lab.start(["up", "--no-mesh", "-"], input: Self.objects(marker)).wait()
        #expect(second.exitCode == 73)
        #expect(try lab.run("ps").exitCode == 0)
    }
}
