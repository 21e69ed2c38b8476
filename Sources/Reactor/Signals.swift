internal import CLinux
internal import Glibc

/// Signals of the process as events of a loop.
package final class Signals: ReadinessHandler {
    /// The signals a program of ours cares for.
    package enum Signal: Sendable { case terminate, interrupt, hangUp }

    private static let watched = [SIGTERM, SIGINT, SIGHUP]

    private let descriptor: Descriptor
    private let received: (Signal) -> Void

    /// Blocks the signals for this thread and those it starts later; they wait for a `Signals`.
    ///
    /// A thread that does not block them ends the process when one comes.
    package static func block() {
        let raw = unsafe ambit_signalfd(watched, Int32(watched.count))
        if raw >= 0 { _ = Descriptor(owning: raw) }
    }

    /// Blocks the signals for this thread and those it starts later, and watches them.
    ///
    /// Call it, or `block`, before any other thread starts. SIGPIPE is ignored from here on.
    package init(
        loop: EventLoop,
        received: @escaping (Signal) -> Void
    ) throws(SystemError) {
        self.received = received
        signal(SIGPIPE, SIG_IGN)
        descriptor = Descriptor(
            owning: try checked("signalfd") {
                unsafe ambit_signalfd(Self.watched, Int32(Self.watched.count))
            }
        )
        _ = try loop.add(descriptor.raw, self)
    }

    package func ready(_ readiness: Readiness) {
        while true {
            switch ambit_signal_read(descriptor.raw) {
            case SIGTERM: received(.terminate)
            case SIGINT: received(.interrupt)
            case SIGHUP: received(.hangUp)
            case -1: return
            default: continue
            }
        }
    }
}

/// Limits and memory of the process.
package enum Process {
    /// Raises the soft limit of open files to the hard one; what is in force then, nil if unknown.
    @discardableResult
    package static func raiseOpenFiles() -> Int? {
        let limit = ambit_raise_open_files()
        return limit < 0 ? nil : Int(clamping: limit)
    }

    /// Lets other threads go before the calling one, and before those it will start.
    ///
    /// Where there is not enough for all it gets a third of another's share, and since Linux 6.12
    /// one that wakes up need not wait until this one's turn is over, as its slice is longer
    /// (sched(7), sched_setattr(2)). There is no way back without CAP_SYS_NICE.
    package static func yieldToOthers() {
        _ = ambit_set_schedule(5, 20_000_000)
    }

    /// Gives free heap pages back to the system.
    package static func trimMemory() {
        _ = ambit_malloc_trim()
    }

    /// Lets go of the program's read-only pages that are in memory; what runs on is mapped again.
    ///
    /// Takes some microseconds for each thousand pages, and as long again when they are used.
    package static func releaseProgramPages() {
        ambit_release_program_pages()
    }

    /// Cores this process may run on.
    package static var coreCount: Int {
        max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    }

    /// The environment; of a name that stands twice, the first counts.
    package static var environment: [String: String] {
        var found: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text)
            unsafe entry += 1
            guard let equals = pair.firstIndex(of: "=") else { continue }
            let name = String(pair[..<equals])
            if found[name] == nil { found[name] = String(pair[pair.index(after: equals)...]) }
        }
        return found
    }

    /// Milliseconds of a clock that only goes forward.
    package static var monotonicMilliseconds: Int64 {
        Int64(clamping: ambit_monotonic() / 1_000_000)
    }

    /// Wall-clock nanoseconds since 1970.
    package static var wallClock: UInt64 { ambit_realtime() }

    /// Ends the process at once.
    package static func exit(_ status: Int32) -> Never {
        Glibc.exit(status)
    }
}
