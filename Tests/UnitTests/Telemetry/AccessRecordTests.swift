import JSON
import Mesh
import Telemetry
import Testing

@Suite struct `An access record` {
    // 2026-08-21T09:05:00.000123Z
    private let time: UInt64 = 1_787_303_100_000_123_000

    private func record() -> AccessRecord {
        var source = AccessRecord.Party(address: SocketAddress("10.1.0.5:40000"))
        source.take(MetricsFixture.client)
        source.identity = MetricsFixture.client.identity
        var destination = AccessRecord.Party(
            address: SocketAddress("[fd00::2]:15008")
        )
        destination.take(MetricsFixture.web)
        destination.identity = MetricsFixture.web.identity
        var record = AccessRecord(
            event: .complete,
            direction: .outbound,
            source: source,
            destination: destination
        )
        record.hboneAddress = SocketAddress("[fd00::2]:8080")
        record.service = "web.shop.svc.cluster.local"
        record.bytesReceived = 12
        record.bytesSent = 3456
        record.durationNanoseconds = 7_999_999
        return record
    }

    @Test func `is one line of text`() throws {
        let line = String(decoding: record().render(.text, time: time), as: UTF8.self)
        #expect(
            line == "2026-08-21T09:05:00.000123Z\tinfo\taccess\tconnection complete\t"
                + "src.addr=10.1.0.5:40000 src.workload=\"client-6f9\" src.namespace=\"shop\" "
                + "src.identity=\"spiffe://cluster.local/ns/shop/sa/client\" "
                + "src.cluster=\"Kubernetes\" "
                + "dst.addr=[fd00::2]:15008 dst.hbone_addr=[fd00::2]:8080 "
                + "dst.service=\"web.shop.svc.cluster.local\" dst.workload=\"web\" "
                + "dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/web\" "
                + "dst.cluster=\"Kubernetes\" "
                + "direction=\"outbound\" bytes_sent=3456 bytes_recv=12 duration=\"7ms\"\n"
        )
    }

    @Test func `is one JSON object with the same fields`() throws {
        var record = record()
        record.policy = "shop/allow-client"
        record.rule = 0
        record.dryRun = ["shop/strict would deny", "shop/other would deny"]
        record.error = "denied"
        record.flag = .deny
        let bytes = record.render(.json, time: time)
        #expect(bytes.last == UInt8(ascii: "\n"))
        let json = try JSON.parse(bytes)
        let members = try #require(json.objectValue)
        #expect(
            members.map(\.0) == [
                "level", "time", "scope", "message", "src.addr", "src.workload", "src.namespace",
                "src.identity", "src.cluster", "dst.addr", "dst.hbone_addr", "dst.service",
                "dst.workload", "dst.namespace", "dst.identity", "dst.cluster", "direction",
                "bytes_sent", "bytes_recv", "duration", "policy", "rule", "dry_run",
                "response_flags", "error",
            ]
        )
        #expect(json["level"]?.stringValue == "error")
        #expect(json["src.addr"]?.stringValue == "10.1.0.5:40000")
        #expect(json["bytes_sent"]?.integerValue == 3456)
        #expect(json["rule"]?.integerValue == 0)
        #expect(json["dry_run"]?.stringValue == "shop/strict would deny; shop/other would deny")
    }

    @Test func `leaves out what is not known`() {
        let record = AccessRecord(
            event: .refused,
            direction: .inbound,
            source: AccessRecord.Party(),
            destination: AccessRecord.Party()
        )
        let line = String(decoding: record.render(.text, time: 0), as: UTF8.self)
        #expect(
            line == "1970-01-01T00:00:00.000000Z\twarn\taccess\tconnection failed\t"
                + "direction=\"inbound\" bytes_sent=0 bytes_recv=0 duration=\"0ms\"\n"
        )
    }

    @Test(arguments: [
        (AccessRecord.Event.opened, nil, LogLevel.debug),
        (.complete, nil, .info), (.complete, "reset", .error), (.refused, "denied", .warn),
    ])
    func `has a level by what became of it`(
        event: AccessRecord.Event,
        error: String?,
        level: LogLevel
    ) throws {
        var record = record()
        record.event = event
        record.error = error
        #expect(record.level == level)
        let line = String(decoding: record.render(.text, time: time), as: UTF8.self)
        #expect(line.split(separator: "\t")[1] == level.name)
    }

    @Test(
        arguments: [
            (0, "1970-01-01"), (951_782_400, "2000-02-29"), (951_868_800, "2000-03-01"),
            (4_107_542_400, "2100-03-01"), (4_107_456_000, "2100-02-28"),
            (1_767_225_599, "2025-12-31"),
            (1_767_225_600, "2026-01-01"), (1_709_164_800, "2024-02-29"),
        ] as [(UInt64, String)]
    )
    func `tells the date in leap years and others`(seconds: UInt64, date: String) throws {
        let line = record().render(.text, time: seconds * 1_000_000_000)
        #expect(String(decoding: line.prefix(10), as: UTF8.self) == date)
    }
}

@Suite struct `A hostile value in the log` {
    private static let hostile = [
        "x\n2026-08-21T09:05:00.0Z\tinfo\taccess\tconnection complete\tsrc.identity=\"forged\"",
        "x\r\nforged", "x\" policy=\"forged", "x\\", "x\\\" error=\"forged", "tab\there",
        "\u{1B}[2J\u{1B}[1;31mred", "nul\0byte", "bell\u{7}", "del\u{7F}", "c1\u{9B}31m",
        "nel\u{85}line", "separator\u{2028}line\u{2029}", "bidi\u{202E}gnirts\u{2066}",
        "zero\u{200B}width\u{FEFF}", "{\"level\":\"error\"}", "é中🎉", "",
        String(repeating: "\"", count: 5000), String(repeating: "é", count: 5000),
    ]

    @Test(arguments: hostile, LogFormat.allCases)
    func `stays inside its field`(value: String, format: LogFormat) throws {
        var source = AccessRecord.Party()
        source.workload = value
        source.namespace = "shop"
        var record = AccessRecord(
            event: .complete,
            direction: .inbound,
            source: source,
            destination: AccessRecord.Party()
        )
        record.service = value
        record.error = value
        let bytes = record.render(format, time: 0)
        #expect(bytes.last == UInt8(ascii: "\n"))
        let line = try #require(String(validating: bytes, as: UTF8.self))
        let isPlain = line.unicodeScalars.dropLast().allSatisfy { scalar in
            switch scalar.value {
            case 0x09: format == .text
            case 0..<0x20, 0x7F...0x9F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF:
                false
            default: true
            }
        }
        #expect(isPlain)
        // What the reader gets back is the value, or its beginning when it is long.
        let cut = value.utf8.count > 2048
        let read: String
        switch format {
        case .json: read = try #require(try JSON.parse(bytes)["error"]?.stringValue ?? "")
        case .text: read = try Self.textField("error", of: line) ?? ""
        }
        if cut {
            #expect(read.hasSuffix("…"))
            #expect(value.hasPrefix(read.dropLast()))
            #expect(read.utf8.count <= 2048 + 3)
        } else {
            #expect(read == value)
        }
    }

    // Reads a field of a text line with a JSON reader, since values are quoted as JSON strings.
    private static func textField(_ key: String, of line: String) throws -> String? {
        let parts = line.dropLast().split(separator: "\t", omittingEmptySubsequences: false)
        #expect(parts.count == 5)
        var rest = parts[parts.count - 1]
        while !rest.isEmpty {
            let name = rest.prefix { $0 != "=" }
            rest = rest.dropFirst(name.count + 1)
            var end = rest.startIndex
            var isQuoted = false
            var isEscaped = false
            while end < rest.endIndex, isQuoted || rest[end] != " " {
                if rest[end] == "\"", !isEscaped { isQuoted.toggle() }
                isEscaped = rest[end] == "\\" && !isEscaped
                end = rest.index(after: end)
            }
            let value = rest[..<end]
            if name == key { return try JSON.parse(Array(value.utf8)).stringValue }
            rest = rest[end...].dropFirst()
        }
        return nil
    }
}
