internal import Foundation
internal import NIOCore
internal import NIOPosix

/// One run of a credential plugin.
enum PluginProcess {
    /// The longest it may take, a login in the browser included.
    static let secondsMax = 120
    /// The longest answer that is read.
    static let answerBytesMax = 1 << 20

    /// Runs the program; fails with what an operator can do about it.
    static func run(
        _ plugin: CredentialPlugin,
        for access: ClusterAccess
    ) async throws(AccessError) -> PluginCredential {
        let name = FieldError.printable(plugin.command)
        guard let path = find(plugin.command) else {
            let hint = plugin.installHint.isEmpty ? "" : "\n" + plugin.installHint
            throw AccessError("the credential plugin \(name) is not installed\(hint)")
        }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = plugin.arguments
        var environment = ProcessInfo.processInfo.environment
        for (key, value) in plugin.environment { environment[key] = value }
        environment["KUBERNETES_EXEC_INFO"] = String(
            decoding: plugin.request(access),
            as: UTF8.self
        )
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        let answer: Answer
        do {
            try process.run()
            let timer = MultiThreadedEventLoopGroup.singleton.next().scheduleTask(
                in: .seconds(Int64(secondsMax))
            ) { process.terminate() }
            defer { timer.cancel() }
            // Reading waits for the program, which no task may do on its own thread.
            answer = try await NIOThreadPool.singleton.runIfActive {
                try collect(output.fileHandleForReading, process)
            }
        } catch {
            throw AccessError("the credential plugin \(name) failed: \(error)")
        }
        guard answer.status == 0 else {
            throw AccessError("the credential plugin \(name) ended with status \(answer.status)")
        }
        do {
            return try PluginCredential(answer.bytes, apiVersion: plugin.apiVersion)
        } catch {
            throw AccessError(
                "the credential plugin \(name) answered what is not understood: \(error)"
            )
        }
    }

    private struct Answer: Sendable {
        let bytes: [UInt8]
        let status: Int32
    }

    private static func collect(_ output: FileHandle, _ process: Process) throws -> Answer {
        var bytes: [UInt8] = []
        while let chunk = try output.read(upToCount: 1 << 16), !chunk.isEmpty {
            bytes.append(contentsOf: chunk)
            guard bytes.count <= answerBytesMax else {
                process.terminate()
                throw AccessError("it answered more than \(answerBytesMax >> 20) MiB")
            }
        }
        process.waitUntilExit()
        return Answer(bytes: bytes, status: process.terminationStatus)
    }

    private static func find(_ command: String) -> String? {
        let files = FileManager.default
        if command.contains("/") { return files.isExecutableFile(atPath: command) ? command : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(command)" }.first { files.isExecutableFile(atPath: $0) }
    }
}
