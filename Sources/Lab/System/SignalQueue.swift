internal import CLinux
internal import Glibc
internal import Reactor

/// Signals as something to read: blocked in this process and queued on a descriptor.
struct SignalQueue: ~Copyable {
    private let descriptor: Descriptor

    /// Blocks the signals and begins to queue them.
    init(_ signals: [Int32]) throws(SystemError) {
        let count = Int32(signals.count)
        descriptor = Descriptor(
            owning: try checked("signalfd") { unsafe ambit_signalfd(signals, count) }
        )
    }

    /// What to wait on.
    var raw: Int32 { descriptor.raw }

    /// The next signal that came; nil when none waits.
    func next() -> Int32? {
        let number = ambit_signal_read(descriptor.raw)
        return number > 0 ? number : nil
    }
}

/// Waits until one of the descriptors can be read or has ended; false after the time is over.
func waitToRead(_ descriptors: [Int32], milliseconds: Int32) -> Bool {
    let wanted = [Int16](repeating: Int16(POLLIN), count: descriptors.count)
    var ready = [Int16](repeating: 0, count: descriptors.count)
    return unsafe ambit_poll(
        descriptors,
        wanted,
        &ready,
        Int32(descriptors.count),
        milliseconds
    ) != 0
}

/// A process that can be waited for though it is not a child.
struct ProcessHandle: ~Copyable {
    private let descriptor: Descriptor

    /// Opens a running process.
    init(_ process: Int32) throws(SystemError) {
        descriptor = Descriptor(
            owning: try checked("pidfd_open") { ambit_pidfd_open(process) }
        )
    }

    /// Waits until it has ended, with all it was init of; false after the time is over.
    func waitForEnd(milliseconds: Int32) -> Bool {
        waitToRead([descriptor.raw], milliseconds: milliseconds)
    }
}

/// Waits for a child of this process to end.
func waitForChild(_ process: Int32) {
    while waitpid(process, nil, 0) == -1 && errno == EINTR { continue }
}

/// The monotonic time in nanoseconds.
func monotonicTime() -> UInt64 { ambit_monotonic() }

/// The time since 1970 in nanoseconds.
func realTime() -> UInt64 { ambit_realtime() }

/// Pauses the thread.
func pause(milliseconds: UInt32) { usleep(milliseconds * 1_000) }
