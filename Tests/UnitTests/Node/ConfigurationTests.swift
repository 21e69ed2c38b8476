import Mesh
import Node
import Telemetry
import Testing

@Suite struct `The node's configuration` {
    private static let required = [
        "--node-name", "n1", "--mesh-state", "/m.json", "--pods", "/p.json", "--signer-socket",
        "/s",
    ]

    private static func parse(
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws -> NodeConfiguration.Invocation {
        let flags = file == nil ? [] : ["--config", "/etc/ambit.conf"]
        return try NodeConfiguration.parse(
            arguments: flags + arguments,
            environment: environment
        ) { path in
            guard let file, path == "/etc/ambit.conf" else {
                return .failure(ConfigurationFileFailure(reason: "No such file or directory"))
            }
            return .success(Array(file.utf8))
        }
    }

    private static func configuration(
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws -> NodeConfiguration {
        let invocation = try parse(required + arguments, environment: environment, file: file)
        guard case .run(let configuration) = invocation else {
            Issue.record("not a configuration to run: \(invocation)")
            return NodeConfiguration()
        }
        return configuration
    }

    private static func problems(
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        file: String? = nil
    ) -> [String] {
        do {
            _ = try parse(required + arguments, environment: environment, file: file)
            return []
        } catch let failure as ConfigurationFailure {
            return failure.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test func `has the defaults of the design`() throws {
        let configuration = try Self.configuration()
        #expect(configuration.nodeName == "n1")
        #expect(configuration.trustDomain == "cluster.local")
        #expect(configuration.sameNode == .splice)
        #expect(configuration.connectTimeoutMilliseconds == 10_000)
        #expect(configuration.handshakeTimeoutMilliseconds == 10_000)
        #expect(configuration.idleTunnelTimeoutMilliseconds == 300_000)
        #expect(configuration.pingTimeoutMilliseconds == 20_000)
        #expect(configuration.streamsPerConnectionMax == 100)
        #expect(configuration.certificateLifetimeMilliseconds == 86_400_000)
        #expect(configuration.adminAddress.description == "127.0.0.1:15000")
        #expect(configuration.metricsAddress.description == "[::]:15020")
        #expect(configuration.readinessAddress.description == "[::]:15021")
        #expect(configuration.preservesClientAddress)
    }

    @Test func `takes the flag before the environment, that before the file`() throws {
        let file = "cluster-id = file\nnetwork = file\ntrust-domain = file\n"
        let environment = ["AMBIT_CLUSTER_ID": "variable", "AMBIT_NETWORK": "variable"]
        let configuration = try Self.configuration(
            ["--cluster-id", "flag"],
            environment: environment,
            file: file
        )
        #expect(configuration.clusterID == "flag")
        #expect(configuration.network == "variable")
        #expect(configuration.trustDomain == "file")
        #expect(configuration.clusterDomain == "cluster.local")
    }

    @Test func `reads every form of value`() throws {
        let configuration = try Self.configuration(
            [
                "--drain-deadline=2h30m", "--dns=false", "--worker-threads", "3",
                "--same-node=encrypt", "--log-level", "warn,dns=debug", "--log-format", "json",
                "--metrics-address", "10.0.0.1:9090", "--admin-address=[::1]:1",
                "--connect-timeout=250ms", "--network", "", "--cluster-id=a=b",
            ]
        )
        #expect(configuration.drainDeadlineMilliseconds == 9_000_000)
        #expect(!configuration.answersDNS)
        #expect(configuration.workerThreads == 3)
        #expect(configuration.sameNode == .encrypt)
        #expect(configuration.logLevels[.dns] == .debug)
        #expect(configuration.logFormat == .json)
        #expect(configuration.metricsAddress.port == 9090)
        #expect(configuration.adminAddress.ip.isLoopback)
        #expect(configuration.connectTimeoutMilliseconds == 250)
        #expect(configuration.network == "")
        #expect(configuration.clusterID == "a=b")
    }

    @Test func `lets the last of a repeated flag count`() throws {
        #expect(try Self.configuration(["--network", "a", "--network=b"]).network == "b")
    }

    @Test func `finds the file by the environment too`() throws {
        let invocation = try NodeConfiguration.parse(
            arguments: Self.required,
            environment: ["AMBIT_CONFIG": "/x"]
        ) { path in
            #expect(path == "/x")
            return .success(Array("network = seen".utf8))
        }
        guard case .run(let configuration) = invocation else {
            Issue.record("not to run")
            return
        }
        #expect(configuration.network == "seen")
    }

    @Test(arguments: [
        (
            ["--worker-threads", "many"],
            "worker-threads: `many` is not a whole number (flag --worker-threads)"
        ),
        (
            ["--worker-threads=-1"],
            "worker-threads: -1 is not between 0 and 256 (flag --worker-threads)"
        ),
        (["--dns", "yes"], "dns: `yes` is neither `true` nor `false` (flag --dns)"),
        (
            ["--connect-timeout", "10"],
            "connect-timeout: `10` is not a time such as 250ms, 10s, 5m or 1h30m "
                + "(flag --connect-timeout)"
        ),
        (
            ["--connect-timeout", "2h"],
            "connect-timeout: 2h is not between 10ms and 10m (flag --connect-timeout)"
        ),
        (
            ["--admin-address", "0.0.0.0:15000"],
            "admin-address: 0.0.0.0 is not a loopback address, and this is for the node only "
                + "(flag --admin-address)"
        ),
        (
            ["--metrics-address", "localhost"],
            "metrics-address: `localhost` is not an address with a port, as in [::]:15020 "
                + "(flag --metrics-address)"
        ),
        (
            ["--same-node", "magic"],
            "same-node: `magic` is not one of `splice`, `encrypt` (flag --same-node)"
        ),
        (
            ["--trust-domain", "Cluster.Local"],
            "trust-domain: `Cluster.Local` is not a SPIFFE trust domain: a-z, 0-9, `.`, `-` and "
                + "`_` (flag --trust-domain)"
        ),
        (["--network", "a\nb"], "network: holds a control character (flag --network)"),
        (["--node-name", " "], "node-name: is empty (flag --node-name)"),
        (
            ["--drain-deadlin", "5s"],
            "--drain-deadlin: is not a flag of this program; did you mean `drain-deadline`?"
        ),
        (["--dns"], "dns: has no value (flag --dns)"),
        (["run"], "run: is not a flag; values follow a flag as in --node-name NAME"),
        (["--config", "/none"], "config: /none: No such file or directory"),
    ])
    func `names the key, the reason and the place`(arguments: [String], message: String) {
        #expect(Self.problems(arguments) == [message])
    }

    @Test func `names variables and lines as well`() {
        let problems = Self.problems(
            environment: ["AMBIT_LOG_LEVEL": "loud", "AMBIT_SCRATCH": "anyone's"],
            file: "# a comment\n\n  dns = maybe \nnonsense\nlog-levl = info\nnetwork=a\nnetwork=b\n"
        )
        let levels = "levels are trace, debug, info, warn, error, off"
        #expect(
            problems == [
                "nonsense: is not a line `key = value` (/etc/ambit.conf:4)",
                "log-levl: is not a key; did you mean `log-level`? (/etc/ambit.conf:5)",
                "network: is given twice (/etc/ambit.conf:7)",
                "dns: `maybe` is neither `true` nor `false` (/etc/ambit.conf:3)",
                "log-level: `loud` is not a level; \(levels) "
                    + "(environment variable AMBIT_LOG_LEVEL)",
            ]
        )
    }

    @Test func `names all that is required at once`() throws {
        #expect {
            try Self.parse(["--pods", "/p.json"])
        } throws: { error in
            let keys = (error as? ConfigurationFailure)?.problems.map(\.key)
            return keys == ["node-name"]
        }
        #expect(ConfigurationFailure.exitStatus == 64)
    }

    @Test func `refuses a file that is no text or too long`() {
        func problem(_ bytes: [UInt8]) -> String? {
            do {
                _ = try NodeConfiguration.parse(
                    arguments: Self.required + ["--config", "/f"],
                    environment: [:]
                ) { _ in .success(bytes) }
                return nil
            } catch {
                return error.description
            }
        }
        #expect(problem([0xFF, 0xFE]) == "config: /f: not UTF-8")
        let long = [UInt8](repeating: UInt8(ascii: "#"), count: (1 << 20) + 1)
        #expect(problem(long) == "config: /f: more than 1048576 bytes")
        #expect(problem(Array(long.dropLast())) == nil)
    }

    @Test func `prints what reads back as the same`() throws {
        let arguments = [
            "--drain-deadline=1h0m5s", "--log-level=off,dns=trace", "--idle-tunnel-timeout=100ms",
            "--same-node=encrypt", "--metric-grace=0", "--readiness-address=[fd00::1]:1",
            "--worker-threads=7", "--access-log=false", "--cluster-id=a = b # c",
        ]
        let original = try Self.configuration(arguments)
        let invocation = try Self.parse(Self.required + arguments + ["--print-config"])
        guard case .printConfiguration(let text) = invocation else {
            Issue.record("nothing to print: \(invocation)")
            return
        }
        let again = try Self.parse(file: text)
        #expect(again == .run(original))
        #expect(text.contains("# from flag --drain-deadline\ndrain-deadline = 1h5s\n"))
        #expect(text.contains("\nping-timeout = 20s\n"))
        #expect(try Self.parse(file: original.printed) == .run(original))
    }

    @Test func `helps before it complains`() throws {
        guard case .help(let text) = try Self.parse(["--help", "--nonsense", "1"]) else {
            Issue.record("no help")
            return
        }
        #expect(text.contains("--drain-deadline TIME"))
        #expect(text.contains("(default 30s)"))
        #expect(text.contains("(required)"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
        #expect(try Self.parse(["--version"]) == .version)
    }
}

@Suite struct `A time in the configuration` {
    @Test(
        arguments: [
            ("0", 0), ("1s", 1000), ("90s", 90_000), ("1m30s", 90_000), ("2h", 7_200_000),
            ("1h1m1s1ms", 3_661_001), ("007s", 7000), ("168h", 604_800_000),
        ] as [(String, UInt64)]
    )
    func `adds up its parts`(text: String, milliseconds: UInt64) throws {
        let configuration = try Self.drain(text)
        #expect(configuration?.drainDeadlineMilliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "s", "1", "1 s", "-1s", "1s1m", "1s1s", "1d", "1.5s", "18446744073709551615h",
        "99999999999999999999s", "1S", "s1", "1ms1", "169h", "+1s", "١s",
    ])
    func `is refused when it is not one`(text: String) throws {
        #expect(throws: ConfigurationFailure.self) { try Self.drain(text) }
    }

    private static func drain(_ text: String) throws -> NodeConfiguration? {
        let invocation = try NodeConfiguration.parse(
            arguments: [
                "--node-name", "n", "--mesh-state", "m", "--pods", "p", "--signer-socket", "s",
                "--drain-deadline", text,
            ],
            environment: [:]
        ) { _ in .failure(ConfigurationFileFailure(reason: "there is none")) }
        guard case .run(let configuration) = invocation else { return nil }
        return configuration
    }
}
