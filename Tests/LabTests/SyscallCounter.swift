import Foundation

/// Counts the system calls of workers with strace.
final class SyscallCounter: WorkerCounter {
    private let folder: URL
    private var running: [Running] = []

    init(_ folder: URL) {
        self.folder = folder
    }

    // A child of the test runner inherits its signal mask, which strace keeps: it would never end.
    private static let start = """
        import os, signal, sys
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvp(sys.argv[1], sys.argv[1:])
        """

    private func table(_ worker: CountedWorker) -> URL {
        folder.appending(path: "count.\(worker.thread)")
    }

    func begin(_ workers: [CountedWorker]) throws {
        running = try workers.map { worker in
            let strace = try Command(
                "/usr/bin/env",
                [
                    "python3", "-c", Self.start, "strace", "-c", "-U", "calls,errors,name", "-o",
                    table(worker).path,
                    "-p", "\(worker.thread)",
                ]
            ).start()
            let end = Date(timeIntervalSinceNow: 10)
            while !strace.errorSoFar.contains("attached") {
                guard strace.isRunning, Date() < end else {
                    throw TestLab.Failure("strace: \(strace.errorSoFar)")
                }
                usleep(1000)
            }
            return strace
        }
    }

    func end(_ workers: [CountedWorker], _ name: String) throws -> [Int] {
        for strace in running { strace.stop() }
        running = []
        return try workers.map { worker in
            let text = String(decoding: try Data(contentsOf: table(worker)), as: UTF8.self)
            let last = text.split(separator: "\n").last?.split(separator: " ")
            guard let count = last?.first.flatMap({ Int($0) }), last?.last == "total" else {
                throw TestLab.Failure("strace wrote: \(text)")
            }
            let file = "\(worker.role.rawValue)-\(name).strace".replacing(" ", with: "-")
            let kept = folder.appending(path: file)
            try? FileManager.default.removeItem(at: kept)
            try FileManager.default.moveItem(at: table(worker), to: kept)
            return count
        }
    }
}
