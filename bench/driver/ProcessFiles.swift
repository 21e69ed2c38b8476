internal import Bench
internal import Foundation

/// What `/proc` says of processes.
enum ProcessFiles {
    static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func numbers(in folder: String) -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap {
            Int32($0)
        }
    }

    /// The children of a process that is the first of a process namespace, by their numbers there.
    static func children(of parent: Int32) -> [Int32: Int32] {
        var found: [Int32: Int32] = [:]
        for process in numbers(in: "/proc") {
            guard let status = text("/proc/\(process)/status") else { continue }
            var isChild = false
            var inner: [Int32] = []
            for line in status.split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "\t" }
                if words.first == "PPid:" { isChild = words.last.flatMap { Int32($0) } == parent }
                if words.first == "NSpid:" { inner = words.dropFirst().compactMap { Int32($0) } }
            }
            if isChild, inner.count > 1, let last = inner.last { found[last] = process }
        }
        return found
    }

    /// Seconds of processor time of all threads of the processes, to the nanosecond.
    static func seconds(of processes: [Int32]) -> Double {
        var sum = 0.0
        for process in processes {
            for thread in numbers(in: "/proc/\(process)/task") {
                let path = "/proc/\(process)/task/\(thread)/schedstat"
                sum += text(path).flatMap { CPUTimes.nanoseconds(schedstat: $0) } ?? 0
            }
        }
        return sum / 1e9
    }

    /// Idle and stolen seconds of the machine.
    static func machine() throws -> (idle: Double, stolen: Double) {
        guard let times = text("/proc/stat").flatMap({ CPUTimes.machine($0) }) else {
            throw BenchFailure("cannot read /proc/stat")
        }
        return times
    }

    /// Seconds used so far by the programs that are not part of the benchmark, kernel threads left
    /// out; `folder` is a `/proc` that shows them.
    static func secondsOutside(_ folder: String) -> Double {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/self"))
            .flatMap { Int32($0) }
        var processes: [Int32: (parent: Int32, seconds: Double)] = [:]
        for process in numbers(in: folder) {
            let text = text("\(folder)/\(process)/stat")
            processes[process] = text.flatMap { CPUTimes.process($0) }
        }
        return processes.reduce(0) { sum, entry in
            var ancestor = entry.key
            while ancestor > 0, ancestor != own, ancestor != 2 {
                ancestor = processes[ancestor]?.parent ?? 0
            }
            return ancestor == 0 ? sum + entry.value.seconds : sum
        }
    }

    /// Resident and proportional bytes of processes.
    static func memory(of processes: [Int32]) throws -> (resident: Double, proportional: Double) {
        var resident = 0.0
        var proportional = 0.0
        for process in processes {
            guard let rollup = text("/proc/\(process)/smaps_rollup") else {
                throw BenchFailure("cannot read the memory of process \(process)")
            }
            for line in rollup.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count > 1, let kilobytes = Double(words[1]) else { continue }
                if words[0] == "Rss:" { resident += kilobytes * 1024 }
                if words[0] == "Pss:" { proportional += kilobytes * 1024 }
            }
        }
        return (resident, proportional)
    }
}
