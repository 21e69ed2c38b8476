internal import CLinux
internal import Glibc
internal import Synchronization

/// The one thread that writes log lines, so that no other waits for who reads them.
///
/// It lives until the queue is closed and written; it holds the queue, not the log.
final class LogWriter: Sendable {
    /// How long lines gather after a write; the first one after a quiet time goes out at once.
    private static let gatherMilliseconds: Int32 = 10

    private let queue: LogQueue
    private let output: Int32
    private let droppedLine: @Sendable (UInt64) -> [UInt8]
    private let wakeUp = Signal()
    private let progress = Signal()

    /// Starts the thread; `output` is a descriptor that stays open for the life of the process.
    init(
        queue: LogQueue,
        output: Int32,
        droppedLine: @escaping @Sendable (UInt64) -> [UInt8]
    ) {
        self.queue = queue
        self.output = output
        self.droppedLine = droppedLine
        startThread()
    }

    /// Tells the thread that lines wait; never blocks.
    func wake() { wakeUp.raise() }

    /// Waits until all lines are written, at most so long; false when some are not.
    func drain(milliseconds: Int32) -> Bool {
        let end = ambit_monotonic() &+ UInt64(max(0, milliseconds)) * 1_000_000
        while !queue.isDrained {
            let now = ambit_monotonic()
            guard now < end else { return false }
            wakeUp.raise()
            progress.wait(milliseconds: Int32(clamping: (end - now) / 1_000_000 + 1))
        }
        return true
    }

    private func startThread() {
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(self).toOpaque()
        let code = unsafe pthread_create(&thread, nil, logThread, box)
        precondition(code == 0, "cannot start the log's thread: error \(code)")
        pthread_detach(thread)
    }

    fileprivate func run() {
        unsafe ambit_thread_name("log")
        var buffer: [UInt8] = []
        while true {
            let batch = queue.take(recycling: buffer)
            var bytes = batch.bytes
            if batch.dropped > 0 { bytes += droppedLine(batch.dropped) }
            if bytes.isEmpty {
                progress.raise()
                if batch.isClosed { return }
                buffer = []
                wakeUp.wait(milliseconds: -1)
            } else {
                write(bytes)
                buffer = bytes
                // Under load the next lines come together: no wake-up for each of them.
                wakeUp.wait(milliseconds: Self.gatherMilliseconds)
            }
        }
    }

    private func write(_ bytes: [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(
                    output,
                    UnsafeRawBufferPointer(rebasing: buffer[offset...]).baseAddress,
                    buffer.count - offset
                )
            }
            if count >= 0 {
                offset += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: Signal.waitWritable(output)
            default:
                // The reader is gone or the disk is full: these lines are lost, later ones may not.
                queue.lost(lines: UInt64(bytes[offset...].count { $0 == UInt8(ascii: "\n") }))
                return
            }
        }
    }
}

private func logThread(_ box: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let box = unsafe box else { return nil }
    unsafe Unmanaged<LogWriter>.fromOpaque(box).takeRetainedValue().run()
    return nil
}

/// An event one thread raises and another waits for, kept when nobody waits yet.
private final class Signal: Sendable {
    private let descriptor: Int32

    init() {
        self.descriptor = ambit_eventfd()
        precondition(descriptor >= 0, "cannot make an eventfd: errno \(errno)")
    }

    deinit {
        close(descriptor)
    }

    func raise() {
        var one: UInt64 = 1
        // It fails only when the counter is full, and then the event is raised already.
        _ = unsafe write(descriptor, &one, 8)
    }

    func wait(milliseconds: Int32) {
        Self.poll(descriptor, POLLIN, milliseconds)
        var count: UInt64 = 0
        _ = unsafe read(descriptor, &count, 8)
    }

    static func waitWritable(_ descriptor: Int32) {
        poll(descriptor, POLLOUT, 1000)
    }

    private static func poll(_ descriptor: Int32, _ events: Int32, _ milliseconds: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        _ = unsafe Glibc.poll(&entry, 1, milliseconds)
    }
}
