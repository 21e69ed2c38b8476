internal import CLinux
internal import Glibc

extension Metrics {
    /// Adds the metrics every Prometheus client has of its process, read from the kernel.
    package func observeProcess() {
        let started = ambit_realtime()
        observe("process_start_time_seconds", help: "When it started, in Unix time.", kind: .gauge)
        {
            [Observation(nanoseconds: started)]
        }
        observe("process_cpu_seconds", help: "Processor time used.", kind: .counter) {
            [Observation(nanoseconds: ProcessStatistics.processorNanoseconds)]
        }
        observe("process_open_fds", help: "File descriptors open now.", kind: .gauge) {
            [Observation(ProcessStatistics.openDescriptors)]
        }
        observe("process_max_fds", help: "File descriptors it may open.", kind: .gauge) {
            [Observation(ambit_open_files_limit())]
        }
        observe("process_resident_memory_bytes", help: "Memory in use.", kind: .gauge) {
            [Observation(ProcessStatistics.residentBytes)]
        }
    }
}

/// What the kernel tells of this process; 0 for what it will not tell.
enum ProcessStatistics {
    // RUSAGE_SELF, whose C type is not the one its call takes.
    private static let wholeProcess: Int32 = 0

    /// Processor time used by all threads.
    static var processorNanoseconds: UInt64 {
        var usage = rusage()
        guard unsafe getrusage(wholeProcess, &usage) == 0 else { return 0 }
        return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
    }

    private static func nanoseconds(_ time: timeval) -> UInt64 {
        UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_usec) * 1000
    }

    /// File descriptors open now, without the one that counts them.
    static var openDescriptors: Int64 {
        guard let directory = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(directory) }
        var count: Int64 = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // `.`, `..` and the directory's own.
        return max(0, count - 3)
    }

    /// Bytes of memory in use.
    static var residentBytes: Int64 {
        // The second number is the resident set in pages.
        let words = text(of: "/proc/self/statm").split(separator: " ")
        guard words.count > 1, let pages = Int64(words[1]) else { return 0 }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func text(of path: String) -> String {
        let descriptor = unsafe ambit_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
