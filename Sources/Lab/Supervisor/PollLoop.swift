internal import CLinux
internal import Glibc
internal import Reactor

/// The supervisor's loop: descriptors and timers of one thread, by poll().
///
/// The lab's control side has few descriptors and no hurry; handlers may block for the
/// milliseconds that making a namespace takes.
final class PollLoop {
    /// What one descriptor waits for.
    private struct Watch {
        var writable: Bool
        let handler: () -> Void
    }

    private struct Timer {
        let at: UInt64
        let handler: () -> Void
    }

    /// The most descriptors the loop takes.
    static let watchesMax = 500

    private var watches: [Int32: Watch] = [:]
    private var timers: [Timer] = []
    private var stopped = false

    /// Calls the handler whenever the descriptor can be read, or has ended; false when full.
    @discardableResult
    func watch(_ fd: Int32, _ handler: @escaping () -> Void) -> Bool {
        guard watches.count < Self.watchesMax else { return false }
        watches[fd] = Watch(writable: false, handler: handler)
        return true
    }

    /// Whether the handler is also called when the descriptor can be written.
    func setWritable(_ fd: Int32, _ writable: Bool) {
        watches[fd]?.writable = writable
    }

    /// Forgets a descriptor, before it is closed.
    func forget(_ fd: Int32) {
        watches[fd] = nil
    }

    /// Calls the handler once, so many milliseconds from now.
    func after(milliseconds: UInt64, _ handler: @escaping () -> Void) {
        let at = ambit_monotonic() &+ milliseconds &* 1_000_000
        timers.append(Timer(at: at, handler: handler))
    }

    /// Makes `run` return.
    func stop() {
        stopped = true
    }

    /// Handles events until stopped.
    func run() {
        while !stopped {
            let fds = Array(watches.keys)
            let wanted = fds.map { fd in
                Int16(POLLIN) | (watches[fd]?.writable == true ? Int16(POLLOUT) : 0)
            }
            var ready = [Int16](repeating: 0, count: fds.count)
            _ = unsafe ambit_poll(fds, wanted, &ready, Int32(fds.count), timeout())
            for (fd, events) in zip(fds, ready) where events != 0 {
                watches[fd]?.handler()
            }
            fireTimers()
        }
    }

    private func timeout() -> Int32 {
        guard let next = timers.map(\.at).min() else { return -1 }
        let now = ambit_monotonic()
        return next <= now ? 0 : Int32(clamping: (next - now) / 1_000_000 + 1)
    }

    private func fireTimers() {
        let now = ambit_monotonic()
        let due = timers.filter { $0.at <= now }
        timers.removeAll { $0.at <= now }
        for timer in due { timer.handler() }
    }
}
