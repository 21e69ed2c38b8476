import Foundation

/// Counts the instructions of workers with valgrind's callgrind, which every node runs under.
///
/// Virtual instructions of user space: what else the machine does has no part in them.
final class InstructionCounter: WorkerCounter {
    /// The program for `--node-binary`.
    let nodeBinary: String
    private let folder: URL
    /// Set once the lab is up: what runs in it is reached through its namespaces.
    var supervisor = 0

    /// Prepares a program that runs `ambit-node` under callgrind, which counts when told to.
    init(_ folder: URL) throws {
        self.folder = folder
        let node = folder.appending(path: "ambit-node")
        // Valgrind 3.19 gives up at Swift's debug information (DWARF 5); function names stay.
        let strip = try Command(
            "/usr/bin/env",
            [
                "strip", "--strip-debug", "-o", node.path,
                TestLab.programs.appending(path: "ambit-node").path,
            ]
        ).run(60)
        guard strip.status == 0 else { throw TestLab.Failure("strip: \(strip.error)") }
        nodeBinary = folder.appending(path: "node").path
        let script = """
            #!/bin/sh
            exec valgrind -q --tool=callgrind --instr-atstart=no --separate-threads=yes \
            --vgdb-prefix=\(folder.path)/vgdb --callgrind-out-file=\(folder.path)/count.%p \
            \(node.path) "$@"

            """
        try Data(script.utf8).write(to: URL(fileURLWithPath: nodeBinary))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: nodeBinary
        )
    }

    func begin(_ workers: [CountedWorker]) throws {
        for worker in workers {
            try tell(worker, "instrumentation", "on")
            try tell(worker, "zero")
        }
    }

    func end(_ workers: [CountedWorker], _ name: String) throws -> [Int] {
        let before = try files()
        for worker in workers { try tell(worker, "dump", name) }
        for worker in workers { try tell(worker, "instrumentation", "off") }
        let new = try files().filter { !before.contains($0) }
        return try workers.map { worker in
            let number = String(worker.place)
            let suffix = "-" + String(repeating: "0", count: max(0, 2 - number.count)) + number
            let found = new.filter {
                $0.hasPrefix("count.\(worker.process).") && $0.hasSuffix(suffix)
            }
            guard found.count == 1, let file = found.first else {
                throw TestLab.Failure("callgrind wrote \(new) for thread \(worker.place)")
            }
            return try keep(file, "\(worker.role.rawValue)-\(name).callgrind")
        }
    }

    private func files() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
    }

    // Reads the count and gives the file a name that says what it counted.
    private func keep(_ file: String, _ name: String) throws -> Int {
        let path = folder.appending(path: file)
        let text = String(decoding: try Data(contentsOf: path), as: UTF8.self)
        let line = text.split(separator: "\n").first { $0.hasPrefix("totals: ") }
        guard let count = line?.split(separator: " ").last.flatMap({ Int($0) }) else {
            throw TestLab.Failure("no totals in \(file)")
        }
        let kept = folder.appending(path: name.replacing(" ", with: "-"))
        try? FileManager.default.removeItem(at: kept)
        try FileManager.default.moveItem(at: path, to: kept)
        return count
    }

    private func tell(_ worker: CountedWorker, _ words: String...) throws {
        let done = try Command(
            "/usr/bin/env",
            [
                "nsenter", "-t", "\(supervisor)", "-p", "-m", "vgdb",
                "--vgdb-prefix=\(folder.path)/vgdb", "--pid=\(worker.process)",
            ] + words
        ).run(60)
        guard done.status == 0 else {
            throw TestLab.Failure("vgdb \(words): \(done.status) \(done.error)\(done.output)")
        }
    }
}
