internal import CLinux
internal import Glibc

/// What the kernel says of a descriptor.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: ambit_EPOLLIN)
    package static let writable = Readiness(rawValue: ambit_EPOLLOUT)
    /// The other side has finished writing.
    package static let readClosed = Readiness(rawValue: ambit_EPOLLRDHUP)
    /// Both directions are finished.
    package static let hangup = Readiness(rawValue: ambit_EPOLLHUP)
    package static let error = Readiness(rawValue: ambit_EPOLLERR)

    // Asked for at every event: plain arithmetic, where set algebra across modules is not.

    /// Whether a read would tell something: bytes, an end or an error.
    package var mayRead: Bool {
        rawValue & (ambit_EPOLLIN | ambit_EPOLLRDHUP | ambit_EPOLLHUP | ambit_EPOLLERR) != 0
    }
    /// Whether the other side is done, one way or another.
    package var isClosing: Bool {
        rawValue & (ambit_EPOLLRDHUP | ambit_EPOLLHUP | ambit_EPOLLERR) != 0
    }
    /// Whether a write would be taken.
    package var mayWrite: Bool { rawValue & ambit_EPOLLOUT != 0 }
    /// Whether an error waits to be taken.
    package var hasError: Bool { rawValue & ambit_EPOLLERR != 0 }
}

/// Something that owns a descriptor watched by a loop.
package protocol ReadinessHandler: AnyObject {
    /// Called on the loop's thread, once per edge: keep what is ready until a call would block.
    func ready(_ readiness: Readiness)
}

/// Something that asked a loop to call it later.
package protocol LoopTask: AnyObject {
    /// Called on the loop's thread after the current batch of events, before it waits again.
    func resume()
}

/// Something that asked a loop to be woken at a time.
package protocol TimerHandler: AnyObject {
    /// Called on the loop's thread at or after the deadline; `tag` is the one given.
    func timerFired(_ tag: Int)
}

/// Readiness, deferred tasks and timers of one thread, over edge-triggered epoll.
///
/// Owned by the thread that made it and never shared; other threads reach it through a `Mailbox`.
/// Handlers are held until they are removed. Work per wake-up is bounded by `eventsMax`; a handler
/// that has more to do than its budget asks for `resume()`.
package final class EventLoop {
    /// Names one watched descriptor; a stale one is ignored.
    package struct Registration: Hashable, Sendable {
        fileprivate let token: UInt64
        fileprivate var slot: Int { Int(token & 0xFFFF_FFFF) }
        fileprivate var generation: UInt32 { UInt32(truncatingIfNeeded: token >> 32) }
    }

    private struct Slot {
        var handler: (any ReadinessHandler)?
        var generation: UInt32
        var descriptor: Int32
    }

    /// Events taken from the kernel at once.
    package static let eventsMax = 256

    /// Monotonic nanoseconds, read once per wake-up.
    package private(set) var now: UInt64
    private let epoll: Descriptor
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var tasks: [any LoopTask] = []
    private var timers = TimerQueue()
    private var tokens = [UInt64](repeating: 0, count: EventLoop.eventsMax)
    private var events = [UInt32](repeating: 0, count: EventLoop.eventsMax)
    private var stopped = false
    /// What the last wait returned.
    private var lastCount: Int32 = 0

    /// Makes a loop for the calling thread.
    package init() throws(SystemError) {
        self.epoll = Descriptor(owning: try checked("epoll_create") { ambit_epoll_create() })
        self.now = ambit_monotonic()
    }

    /// Watches a descriptor for everything, edge-triggered, until `remove`.
    package func add(
        _ descriptor: Int32,
        _ handler: any ReadinessHandler
    ) throws(SystemError) -> Registration {
        let index: Int
        if let reused = free.popLast() {
            index = reused
        } else {
            index = slots.count
            slots.append(Slot(handler: nil, generation: 0, descriptor: -1))
        }
        slots[index].generation &+= 1
        let token = UInt64(slots[index].generation) << 32 | UInt64(index)
        let interest = ambit_EPOLLIN | ambit_EPOLLOUT | ambit_EPOLLRDHUP | ambit_EPOLLET
        do throws(SystemError) {
            try checked("epoll_ctl add") {
                ambit_epoll_ctl(epoll.raw, ambit_EPOLL_CTL_ADD, descriptor, interest, token)
            }
        } catch {
            free.append(index)
            throw error
        }
        slots[index].handler = handler
        slots[index].descriptor = descriptor
        return Registration(token: token)
    }

    /// Stops watching; call it before the descriptor closes.
    ///
    /// Late events for it are dropped.
    package func remove(_ registration: Registration) {
        guard let descriptor = release(registration) else { return }
        _ = ambit_epoll_ctl(epoll.raw, ambit_EPOLL_CTL_DEL, descriptor, 0, 0)
    }

    /// Stops watching a descriptor that is closed next and has no duplicate: the close itself
    /// takes it out of epoll, which spares a call.
    package func removeClosing(_ registration: Registration) {
        _ = release(registration)
    }

    private func release(_ registration: Registration) -> Int32? {
        let index = registration.slot
        guard index < slots.count, slots[index].generation == registration.generation,
            slots[index].handler != nil
        else { return nil }
        let descriptor = slots[index].descriptor
        slots[index].handler = nil
        slots[index].descriptor = -1
        free.append(index)
        return descriptor
    }

    /// Calls the task after the current batch of events; callers keep themselves from asking twice.
    package func later(_ task: any LoopTask) {
        tasks.append(task)
    }

    /// Wakes the handler at a monotonic time in nanoseconds.
    package func schedule(
        at deadline: UInt64,
        _ handler: any TimerHandler,
        tag: Int = 0
    ) -> TimerToken {
        timers.insert(deadline: deadline, handler: handler, tag: tag)
    }

    /// Wakes the handler after a number of milliseconds.
    package func schedule(
        afterMilliseconds delay: UInt64,
        _ handler: any TimerHandler,
        tag: Int = 0
    ) -> TimerToken {
        timers.insert(deadline: now &+ delay &* 1_000_000, handler: handler, tag: tag)
    }

    /// Forgets a timer; one that has fired is ignored.
    package func cancel(_ timer: TimerToken) {
        timers.cancel(timer)
    }

    /// Ends `run` after the current batch.
    package func stop() {
        stopped = true
    }

    /// Runs until `stop`; the calling thread must be the one that made the loop.
    package func run() throws(SystemError) {
        while !stopped {
            try turn(waiting: true)
        }
    }

    /// Runs one batch: events, timers, tasks.
    ///
    /// Waits for the first event only when asked to.
    package func turn(waiting: Bool) throws(SystemError) {
        let count = try wait(waiting: waiting)
        now = ambit_monotonic()
        for index in 0..<count {
            dispatch(token: tokens[index], events: events[index])
        }
        while let due = timers.popDue(now) {
            due.handler.timerFired(due.tag)
        }
        runTasks()
    }

    private func wait(waiting: Bool) throws(SystemError) -> Int {
        var timeout: Int32 = -1
        if !waiting || !tasks.isEmpty {
            timeout = 0
        } else if let deadline = timers.next {
            let current = ambit_monotonic()
            let left = deadline > current ? (deadline - current + 999_999) / 1_000_000 : 0
            timeout = Int32(clamping: left)
        }
        // After work, those who wait for this core go first: what they make ready is found in one
        // call, without sleep and wake-up. On an idle core it returns at once.
        if timeout != 0, lastCount > 0 { sched_yield() }
        let capacity = Int32(EventLoop.eventsMax)
        let count = unsafe tokens.withUnsafeMutableBufferPointer { tokens in
            unsafe events.withUnsafeMutableBufferPointer { events in
                unsafe ambit_epoll_wait(
                    epoll.raw,
                    tokens.baseAddress,
                    events.baseAddress,
                    capacity,
                    timeout
                )
            }
        }
        lastCount = count
        if count >= 0 { return Int(count) }
        if errno == EINTR { return 0 }
        throw SystemError(call: "epoll_wait", code: errno)
    }

    private func dispatch(token: UInt64, events: UInt32) {
        let registration = Registration(token: token)
        let index = registration.slot
        guard index < slots.count, slots[index].generation == registration.generation,
            let handler = slots[index].handler
        else { return }
        handler.ready(Readiness(rawValue: events))
    }

    /// Runs the tasks asked for so far; those they ask for wait for the next turn.
    private func runTasks() {
        guard !tasks.isEmpty else { return }
        let batch = tasks
        tasks.removeAll(keepingCapacity: true)
        for task in batch {
            task.resume()
        }
    }
}
