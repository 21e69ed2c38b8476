import Foundation
import JSON
import Telemetry
import Testing

/// A pipe that a log writes to, with a reader.
private struct LogPipe {
    private let pipe = Pipe()

    init() {
        // As the node does: a reader that leaves must not end the process.
        signal(SIGPIPE, SIG_IGN)
    }

    var output: Int32 { pipe.fileHandleForWriting.fileDescriptor }

    func closeReader() throws { try pipe.fileHandleForReading.close() }

    /// Reads until `count` lines have come, or all when the writing end is closed.
    func lines(until isEnough: ([String]) -> Bool) -> [String] {
        var bytes: [UInt8] = []
        while true {
            bytes += [UInt8](pipe.fileHandleForReading.availableData)
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            if bytes.last == UInt8(ascii: "\n"), isEnough(lines.map(String.init)) {
                return lines.map(String.init)
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct `The log` {
    @Test func `writes lines in order, each with its fields`() throws {
        let pipe = LogPipe()
        let log = Log(format: .text, levels: LogLevels(), output: pipe.output, time: { 0 })
        log.info(.node, "started", ["version": "1.2", "threads": 2, "ready": true])
        log.warn(.capture, "no \"listener\"\n", [:])
        log.debug(.dns, "not wanted")
        log.error(.mesh, "refused", ["reason": LogValue(LogLevel.error.name)])
        #expect(log.drain(milliseconds: 10_000))
        let lines = pipe.lines { $0.count >= 3 }
        let time = "1970-01-01T00:00:00.000000Z"
        #expect(
            lines == [
                "\(time)\tinfo\tnode\tstarted\tversion=\"1.2\" threads=2 ready=true",
                "\(time)\twarn\tcapture\tno \"listener\"\\n",
                "\(time)\terror\tmesh\trefused\treason=\"error\"",
            ]
        )
        #expect(log.dropped == 0)
    }

    @Test func `writes JSON that a reader understands`() throws {
        let pipe = LogPipe()
        let log = Log(format: .json, levels: LogLevels(), output: pipe.output, time: { 0 })
        log.info(.node, "say \"hi\"", ["count": -3, "ok": false, "text": "a\nb"])
        let line = try #require(pipe.lines { $0.count >= 1 }.first)
        let json = try JSON.parse(Array(line.utf8))
        #expect(json["level"]?.stringValue == "info")
        #expect(json["scope"]?.stringValue == "node")
        #expect(json["message"]?.stringValue == "say \"hi\"")
        #expect(json["count"]?.integerValue == -3)
        #expect(json["ok"]?.boolValue == false)
        #expect(json["text"]?.stringValue == "a\nb")
    }

    @Test func `does not make a message that is not wanted`() throws {
        let pipe = LogPipe()
        let log = Log(format: .text, levels: try LogLevels("warn,dns=debug"), output: pipe.output)
        var made = 0
        func message() -> String {
            made += 1
            return "made"
        }
        log.info(.node, message())
        #expect(made == 0)
        log.debug(.dns, message())
        #expect(made == 1)
        log.levels = LogLevels(.trace)
        log.write(.trace, .node, message())
        #expect(made == 2)
        log.levels = LogLevels(.off)
        log.error(.node, message())
        log.write(.off, .node, message())
        #expect(made == 2)
        #expect(log.drain(milliseconds: 10_000))
    }

    @Test func `never waits for a reader that has stopped, and counts what it drops`() throws {
        let pipe = LogPipe()
        let log = Log(
            format: .text,
            levels: LogLevels(),
            output: pipe.output,
            queueBytesMax: 16 * 1024
        )
        // The pipe takes 64 KiB, the queue twice 16: most of each 2 MB finds no room. Nobody reads
        // yet, so a log that waits would never come to an end here.
        let text = String(repeating: "x", count: 200)
        var written: UInt64 = 0
        repeat {
            for _ in 0..<8000 { log.info(.node, text) }
            written += 8000
        } while log.drain(milliseconds: 50)
        let dropped = log.dropped
        #expect(dropped > written / 2)
        var told: UInt64 = 0
        let lines = pipe.lines { lines in
            told = lines.compactMap(Self.droppedLines).reduce(0, +)
            let ordinary = UInt64(lines.count { $0.hasSuffix(text) })
            return ordinary + told == written
        }
        #expect(told == dropped)
        #expect(log.dropped == dropped)
        #expect(lines.allSatisfy { $0.hasSuffix(text) || Self.droppedLines($0) != nil })
        #expect(log.drain(milliseconds: 10_000))
        log.info(.node, "again")
        #expect(pipe.lines { $0.last?.hasSuffix("again") == true }.count == 1)
    }

    private static func droppedLines(_ line: String) -> UInt64? {
        let parts = line.split(separator: "\tlog lines dropped\tlines=")
        return parts.count == 2 ? UInt64(parts[1]) : nil
    }

    @Test func `goes on when its reader is gone`() throws {
        let pipe = LogPipe()
        let log = Log(format: .text, levels: LogLevels(), output: pipe.output)
        try pipe.closeReader()
        for _ in 0..<100 {
            log.info(.node, "unheard")
            #expect(log.drain(milliseconds: 10_000))
        }
        #expect(log.dropped == 100)
    }

    @Test func `loses no line to other threads, and cuts none in two`() async throws {
        let pipe = LogPipe()
        let log = Log(format: .json, levels: LogLevels(), output: pipe.output)
        let reader = Task.detached { pipe.lines { $0.count >= 4000 } }
        await withTaskGroup { group in
            for worker in 0..<4 {
                group.addTask {
                    for line in 0..<1000 {
                        log.info(
                            .node,
                            "line",
                            ["worker": LogValue(worker), "line": LogValue(line)]
                        )
                    }
                }
            }
        }
        var next: [Int64: Int64] = [:]
        for line in await reader.value {
            let json = try JSON.parse(Array(line.utf8))
            let worker = try #require(json["worker"]?.integerValue)
            #expect(json["line"]?.integerValue == next[worker, default: 0])
            next[worker, default: 0] += 1
        }
        #expect(next.values.allSatisfy { $0 == 1000 } && next.count == 4)
        #expect(log.dropped == 0)
    }

    @Test func `writes what was logged before it is let go`() {
        let pipe = LogPipe()
        do {
            let log = Log(format: .text, levels: LogLevels(), output: pipe.output)
            for _ in 0..<50 { log.info(.node, "last words") }
        }
        #expect(pipe.lines { $0.count >= 50 }.count == 50)
    }

    @Test func `writes access records by their level`() {
        let pipe = LogPipe()
        let log = Log(format: .text, levels: LogLevels(.warn), output: pipe.output)
        var record = AccessRecord(
            event: .complete,
            direction: .inbound,
            source: AccessRecord.Party(),
            destination: AccessRecord.Party()
        )
        log.access(record)
        record.error = "reset by the client"
        log.access(record)
        let lines = pipe.lines { $0.count >= 1 }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("error=\"reset by the client\"") == true)
    }
}

@Suite struct `Log levels` {
    @Test func `are read for all scopes and for some`() throws {
        let levels = try LogLevels("dns=debug, warn ,access=off")
        #expect(levels[.dns] == .debug)
        #expect(levels[.access] == .off)
        #expect(levels[.node] == .warn)
        #expect(try LogLevels("proxy=trace", base: levels)[.dns] == .debug)
        #expect(try LogLevels("warning")[.node] == .warn)
    }

    @Test func `read back as they are written`() throws {
        for text in ["info", "off", "debug,access=off,dns=trace", "dns=debug"] {
            let levels = try LogLevels(text)
            #expect(try LogLevels(levels.description) == levels)
        }
        #expect(LogLevels(.warn).description == "warn")
    }

    @Test(arguments: [
        "", "loud", "dns=", "=debug", "dns=debug=x", "nothing=info", "info,,", "INFO",
    ])
    func `are refused when a name is not known`(text: String) {
        #expect(throws: LogLevels.Failure.self) { try LogLevels(text) }
    }
}
