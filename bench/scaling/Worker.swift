internal import Foundation

/// A process of this program that takes commands by lines and answers each with one line of JSON.
final class Worker {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffered = Data()
    private let name: String
    private let log: URL

    /// Starts one of the subcommands; what it logs goes to a file in the folder.
    init(_ name: String, _ arguments: [String], in folder: URL) throws {
        self.name = name
        guard let program = Bundle.main.executablePath else {
            throw ScaleFailure("cannot find this program's own path")
        }
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = [name] + arguments
        process.standardInput = input
        process.standardOutput = output
        let log = folder.appending(path: "\(name).log")
        if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
        let file = try FileHandle(forWritingTo: log)
        try file.seekToEnd()
        process.standardError = file
        self.log = log
        try process.run()
    }

    /// Sends a command and waits for its answer.
    func ask(_ command: String) throws -> Answer {
        try tell(command)
        return try answer()
    }

    /// Sends a command; its answer has to be waited for later.
    func tell(_ command: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((command + "\n").utf8))
    }

    /// The next line, decoded.
    func answer() throws -> Answer {
        while true {
            if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Data(buffered[buffered.startIndex..<end])
                buffered = Data(buffered[buffered.index(after: end)...])
                let answer = try JSONDecoder().decode(Answer.self, from: line)
                if let failure = answer.failure { throw ScaleFailure("\(name): \(failure)") }
                return answer
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else {
                let said = String(decoding: (try? Data(contentsOf: log)) ?? Data(), as: UTF8.self)
                throw ScaleFailure("\(name) ended without an answer: \(said.suffix(2_000))")
            }
            buffered.append(more)
        }
    }

    /// Ends the process and waits for it.
    func end() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

/// What a worker answers; each command fills what it measured.
struct Answer: Codable {
    var failure: String?
    var port: UInt16?
    var seconds = 0.0
    var cpuSeconds = 0.0
    var residentBytes = 0.0
    var idleBytes: Double?
    /// In microseconds.
    var medianMicroseconds = 0.0
    var p99Microseconds = 0.0
    var count = 0
    var bytes = 0.0
    /// Moments on the machine's monotonic clock, in seconds.
    var moments: [Double] = []

    /// Writes it as a line of standard output.
    func send() {
        let data = (try? JSONEncoder().encode(self)) ?? Data()
        FileHandle.standardOutput.write(data + Data("\n".utf8))
    }
}

/// Clocks and memory, as the kernel counts them.
enum Gauge {
    /// The machine's monotonic clock, the same in all processes, in seconds.
    static var moment: Double { ProcessInfo.processInfo.systemUptime }

    /// Whether this process may make namespaces.
    static var isRoot: Bool {
        let line = text("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("Uid:") }
        return line?.split(separator: "\t").dropFirst(2).first == "0"
    }

    /// Resident bytes of this process.
    static var residentBytes: Double { residentBytes("/proc/self") }

    private static func residentBytes(_ folder: String) -> Double {
        let status = text(folder + "/status")
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        return (kilobytes.flatMap { Double($0) } ?? 0) * 1024
    }

    /// Seconds that all threads of this process have run.
    static var cpuSeconds: Double { cpuSeconds("/proc/self") }

    private static func cpuSeconds(_ folder: String) -> Double {
        let tasks =
            (try? FileManager.default.contentsOfDirectory(atPath: folder + "/task")) ?? []
        return tasks.reduce(0) { $0 + seconds("\(folder)/task/\($1)/schedstat") }
    }

    /// Seconds that the calling thread has run.
    static var threadSeconds: Double { seconds("/proc/thread-self/schedstat") }

    /// Resident bytes of a process, and seconds that all its threads have run.
    static func usage(of process: Int32) -> (bytes: Double, seconds: Double) {
        (residentBytes("/proc/\(process)"), cpuSeconds("/proc/\(process)"))
    }

    private static func seconds(_ path: String) -> Double {
        (text(path).split(separator: " ").first.flatMap { Double($0) } ?? 0) / 1e9
    }

    /// What a file holds; empty when it cannot be read.
    static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The value in the middle.
    static func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

    /// The value that a share of the sorted ones stays below.
    static func quantile(_ values: [Double], _ share: Double) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }
}

/// The lines of standard input, read on a thread of their own; ends with the input.
func commandLines() -> AsyncStream<String> {
    let (lines, continuation) = AsyncStream<String>.makeStream()
    Thread.detachNewThread {
        while let line = readLine() { continuation.yield(line) }
        continuation.finish()
    }
    return lines
}
