import Foundation
import Testing

/// What a request, a connection and a MiB cost the thread that relays, against thresholds.
///
/// Release builds only: a debug build makes other steps. `AMBIT_COUNTS` names a folder to leave
/// the profiles in, for `callgrind_annotate` and for reading.
@Suite(.serialized, .enabled(if: CostTests.isRelease, "the thresholds are for a release build"))
struct `The relay path` {
    @Test func `takes no more instructions than its thresholds`() throws {
        try CostTests.withFolder { folder in
            let counter = try InstructionCounter(folder)
            let lab = try CountedLab(["--node-binary", counter.nodeBinary])
            counter.supervisor = try lab.lab.status().supervisor
            try CostThresholds.check(.instructions) { try lab.costs(counter) }
        }
    }

    @Test func `makes no more system calls than its thresholds`() throws {
        try CostTests.withFolder { folder in
            let lab = try CountedLab([])
            let counter = SyscallCounter(folder)
            try CostThresholds.check(.systemCalls) { try lab.costs(counter) }
        }
    }
}

enum CostTests {
    #if DEBUG
        static let isRelease = false
    #else
        static let isRelease = true
    #endif

    /// A folder for what is counted: that of `AMBIT_COUNTS`, or one that goes afterwards.
    static func withFolder(_ body: (URL) throws -> Void) throws {
        let named = ProcessInfo.processInfo.environment["AMBIT_COUNTS"] ?? ""
        let name = "ambit-counts-\(UInt32.random(in: 0 ... .max))"
        let folder =
            named.isEmpty
            ? FileManager.default.temporaryDirectory.appending(path: name)
            : URL(fileURLWithPath: named)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { if named.isEmpty { try? FileManager.default.removeItem(at: folder) } }
        try body(folder)
    }
}
