import Foundation
import Testing

/// A running lab that ends with the test that made it.
final class TestLab: Sendable {
    let name: String
    private let folder: URL

    /// What a command came to.
    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let error: String
    }

    /// The folder the build put the programs and this test bundle in.
    static let programs: URL = URL(fileURLWithPath: "/proc/self/exe")
        .resolvingSymlinksInPath().deletingLastPathComponent()

    /// Starts a lab with the objects of the YAML text; `flags` go to `ambit lab up`.
    ///
    /// Nodes have two workers unless `flags` say otherwise, however many processors there are: what
    /// workers do beside each other is to be seen. A `launcher` is a command that runs another,
    /// such as `taskset -c 1`: the lab is under it.
    init(_ yaml: String, flags: [String] = [], launcher: [String] = []) throws {
        name = "test-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"
        folder = FileManager.default.temporaryDirectory.appending(path: "ambit-\(name)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = try write("lab.yaml", yaml)
        let up = try Command(
            "/usr/bin/env",
            launcher + [
                TestLab.programs.appending(path: "ambit").path, "lab", "up", file.path,
                "--name", name, "--node-flag", "worker-threads=2",
            ] + flags
        ).run(120)
        guard up.status == 0 else {
            let logs = (try? ambit(["lab", "logs", "node-1", "--name", name]).output) ?? ""
            throw Failure("lab up: \(up.status) \(up.error)\(up.output)\n\(logs)")
        }
    }

    deinit {
        _ = try? ambit(["lab", "down", "--name", name], timeout: 60)
        try? FileManager.default.removeItem(at: folder)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// Writes a file into the lab's own folder on the host.
    func write(_ file: String, _ text: String) throws -> URL {
        let path = folder.appending(path: file)
        try Data(text.utf8).write(to: path)
        return path
    }

    /// A path in the lab's own folder, the same inside pods.
    func path(_ file: String) -> String { folder.appending(path: file).path }

    /// Runs `ambit` to its end.
    @discardableResult
    func ambit(_ arguments: [String], timeout: Double = 60) throws -> Outcome {
        try Command(TestLab.programs.appending(path: "ambit").path, arguments).run(timeout)
    }

    /// Runs a command of the lab to its end; a failure throws with what it said.
    @discardableResult
    func lab(_ arguments: [String], timeout: Double = 60) throws -> String {
        let done = try ambit(["lab"] + arguments + ["--name", name], timeout: timeout)
        guard done.status == 0 else {
            throw Failure("lab \(arguments): \(done.status) \(done.error)\(done.output)")
        }
        return done.output
    }

    /// Runs a command in a pod, named `NAMESPACE/POD`, to its end.
    @discardableResult
    func exec(_ pod: String, _ command: [String], timeout: Double = 60) throws -> Outcome {
        try run(pod, command).finish(timeout)
    }

    /// Runs a shell script in a pod to its end.
    @discardableResult
    func shell(_ pod: String, _ script: String, timeout: Double = 60) throws -> Outcome {
        try exec(pod, ["sh", "-c", script], timeout: timeout)
    }

    /// Starts a command in a pod and lets it run.
    func run(_ pod: String, _ command: [String]) throws -> Running {
        let parts = pod.split(separator: "/").map(String.init)
        let arguments = ["lab", "exec", "-n", parts[0], parts[1], "--name", name, "--"] + command
        return try Command(TestLab.programs.appending(path: "ambit").path, arguments).start()
    }

    /// Adds or changes objects.
    func apply(_ yaml: String) throws {
        let file = try write("apply-\(UInt32.random(in: 0 ... .max)).yaml", yaml)
        try lab(["apply", file.path])
    }

    /// The log of a node's proxy.
    func logs(_ node: String) throws -> [String] {
        try lab(["logs", node]).split(separator: "\n").map(String.init)
    }

    /// The access-log lines of a node that contain all of the given parts.
    func access(_ node: String, _ parts: String...) throws -> [String] {
        try logs(node).filter { line in
            line.contains("\taccess\t") && parts.allSatisfy { line.contains($0) }
        }
    }

    /// Tries until the condition holds; a condition, not a pause, ends the waiting.
    func eventually(
        _ what: String,
        within seconds: Double = 15,
        _ condition: () throws -> Bool
    ) throws {
        let end = Date(timeIntervalSinceNow: seconds)
        while Date() < end {
            if try condition() { return }
            usleep(50_000)
        }
        throw Failure("not within \(seconds) s: \(what)")
    }
}

/// A program to run, with its output caught.
struct Command {
    let path: String
    let arguments: [String]

    init(_ path: String, _ arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// Starts it.
    func start() throws -> Running {
        try Running(path, arguments)
    }

    /// Runs it to its end.
    func run(_ timeout: Double) throws -> TestLab.Outcome {
        try start().finish(timeout)
    }
}

/// A program that runs.
final class Running: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let lock = NSLock()
    private var output = Data()
    private var error = Data()
    private let ended = DispatchGroup()

    init(_ path: String, _ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = input
        let out = Pipe()
        let err = Pipe()
        process.standardOutput = out
        process.standardError = err
        try process.run()
        collect(out) { [weak self] data in self?.output.append(data) }
        collect(err) { [weak self] data in self?.error.append(data) }
    }

    private func collect(_ pipe: Pipe, _ add: @escaping @Sendable (Data) -> Void) {
        ended.enter()
        let thread = Thread { [lock, ended] in
            while true {
                let data = pipe.fileHandleForReading.availableData
                if data.isEmpty { break }
                lock.withLock { add(data) }
            }
            ended.leave()
        }
        thread.start()
    }

    /// Writes to its standard input.
    func send(_ text: String) { input.fileHandleForWriting.write(Data(text.utf8)) }

    /// Closes its standard input.
    func closeInput() { try? input.fileHandleForWriting.close() }

    /// What it has written so far.
    var outputSoFar: String { lock.withLock { String(decoding: output, as: UTF8.self) } }

    /// What it has written to standard error so far.
    var errorSoFar: String { lock.withLock { String(decoding: error, as: UTF8.self) } }

    var isRunning: Bool { process.isRunning }

    /// Waits for its end; after `timeout` seconds it is terminated and the outcome says 124.
    func finish(_ timeout: Double = 60) throws -> TestLab.Outcome {
        closeInput()
        let isOver = ended.wait(timeout: .now() + timeout) == .success
        if !isOver { process.terminate() }
        process.waitUntilExit()
        return lock.withLock {
            TestLab.Outcome(
                status: isOver ? process.terminationStatus : 124,
                output: String(decoding: output, as: UTF8.self),
                error: String(decoding: error, as: UTF8.self)
            )
        }
    }

    /// Ends it at once.
    func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
