internal import Foundation

/// Something the benchmark cannot go on without went wrong.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A process of the benchmark's own, with its output in files.
final class Program {
    private let process = Process()
    private let name: String
    private let outputFile: URL
    private let errorFile: URL

    /// Starts it; what it writes goes to files in the folder.
    init(_ arguments: [String], name: String, in folder: URL) throws {
        self.name = name
        let file = "\(name)-\(UInt32.random(in: 0 ... .max))"
        outputFile = folder.appending(path: "\(file).out")
        errorFile = folder.appending(path: "\(file).err")
        for url in [outputFile, errorFile] { try Data().write(to: url) }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        do {
            try process.run()
        } catch {
            throw BenchFailure("cannot start \(name): \(error)")
        }
    }

    /// Its number; `nsenter`, `setpriv` and `env` leave it to the program they start.
    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    var output: Data { (try? Data(contentsOf: outputFile)) ?? Data() }

    /// What it wrote to standard error, and to standard output when that is all.
    var complaint: String {
        let error = (try? Data(contentsOf: errorFile)) ?? Data()
        return String(decoding: error.isEmpty ? output.suffix(2000) : error, as: UTF8.self)
    }

    /// Waits for its end; anything but success throws with what it said.
    @discardableResult
    func finish() throws -> Data {
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchFailure("\(name) ended with \(process.terminationStatus): \(complaint)")
        }
        forget()
        return output
    }

    /// Ends it.
    func stop() {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        forget()
    }

    private func forget() {
        try? (process.standardOutput as? FileHandle)?.close()
        try? (process.standardError as? FileHandle)?.close()
    }

    /// Runs a program to its end and returns what it wrote.
    @discardableResult
    static func run(_ arguments: [String], name: String, in folder: URL) throws -> Data {
        try Program(arguments, name: name, in: folder).finish()
    }
}
