import Foundation
import Testing

/// The `ambit` program of this build, run as a person would.
struct LabProgram {
    struct Outcome {
        let exitCode: Int32
        let output: String
        let errors: String
    }

    /// The lab's name, one for each test, so that tests can run side by side.
    let name: String

    init() {
        name = "t" + UUID().uuidString.prefix(12).lowercased().replacing("-", with: "x")
    }

    /// Whether labs can be made here: by root, with the program built beside the tests.
    static var isAvailable: Bool { geteuid() == 0 && path != nil }

    /// Where the build put `ambit`: beside the bundle of tests that is mapped into this process.
    static let path: String? = {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        for line in maps.split(separator: "\n") where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/") else { continue }
            let folder = URL(fileURLWithPath: String(line[start...])).deletingLastPathComponent()
            let path = folder.appendingPathComponent("ambit").path
            return FileManager.default.isExecutableFile(atPath: path) ? path : nil
        }
        return nil
    }()

    /// Starts `ambit lab ARGUMENTS` without waiting for it.
    func start(_ arguments: [String], input: String? = nil) throws -> Running {
        try Running(["lab"] + arguments + ["--name", name], input: input)
    }

    /// Runs `ambit lab ARGUMENTS` to its end.
    func run(_ arguments: String..., input: String? = nil) throws -> Outcome {
        try start(arguments, input: input).wait()
    }

    /// Runs a command in a pod; what follows `--` must come last.
    func execute(_ pod: String, _ command: String...) throws -> Outcome {
        try Running(["lab", "exec", "--name", name, pod, "--"] + command, input: nil).wait()
    }

    /// Ends the lab if it is up.
    func end() {
        _ = try? run("down")
    }

    /// A program that has been started.
    final class Running {
        let process = Process()
        private let output: FileHandle
        private let errors: FileHandle
        private let folder: URL

        init(_ arguments: [String], input: String?) throws {
            folder = FileManager.default.temporaryDirectory
                .appendingPathComponent("ambit-test-" + UUID().uuidString)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            output = try Self.create(folder.appendingPathComponent("output"))
            errors = try Self.create(folder.appendingPathComponent("errors"))
            process.executableURL = URL(fileURLWithPath: try #require(LabProgram.path))
            process.arguments = arguments
            process.standardOutput = output
            process.standardError = errors
            if let input {
                let file = folder.appendingPathComponent("input")
                try Data(input.utf8).write(to: file)
                process.standardInput = try FileHandle(forReadingFrom: file)
            } else {
                process.standardInput = FileHandle.nullDevice
            }
            try process.run()
        }

        deinit {
            try? FileManager.default.removeItem(at: folder)
        }

        /// What it wrote on standard error so far.
        var errorText: String { text("errors") }

        /// Waits for its end.
        func wait() -> Outcome {
            process.waitUntilExit()
            let signalled = process.terminationReason == .uncaughtSignal
            return Outcome(
                exitCode: (signalled ? 128 : 0) + process.terminationStatus,
                output: text("output"),
                errors: text("errors")
            )
        }

        private func text(_ name: String) -> String {
            let file = folder.appendingPathComponent(name)
            return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        }

        private static func create(_ url: URL) throws -> FileHandle {
            try Data().write(to: url)
            return try FileHandle(forWritingTo: url)
        }
    }
}

/// Waits until a condition holds; false when it does not within ten seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let end = Date(timeIntervalSinceNow: 10)
    while Date() < end {
        if try condition() { return true }
        usleep(20_000)
    }
    return try condition()
}
