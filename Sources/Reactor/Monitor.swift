internal import Glibc

/// A value behind a lock, with a wait for it to change; for threads outside the workers.
///
/// Bodies run under the lock: keep them short, and never enter the same monitor from within.
@safe
package final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    /// What a waiter wants after a look at the value.
    package enum Step<Result> {
        case done(Result)
        /// Look again when the value changed, or after so many milliseconds.
        case wait(milliseconds: Int64)
    }

    /// Guards a value.
    package init(_ state: sending State) {
        self.state = state
        unsafe lock = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        // A jump of the wall clock must not stretch a wait.
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(changed, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(lock)
        unsafe changed.deallocate()
        unsafe lock.deallocate()
    }

    /// Looks without waking anyone.
    package func read<Result>(_ body: (State) -> Result) -> Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        return body(state)
    }

    /// Changes the value and wakes all who wait.
    package func change<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(lock)
        defer {
            unsafe pthread_cond_broadcast(changed)
            unsafe pthread_mutex_unlock(lock)
        }
        return body(&state)
    }

    /// Asks `body` again and again, after each change or timeout, until it is done.
    package func wait<Result>(_ body: (inout State) -> Step<Result>) -> Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        while true {
            switch body(&state) {
            case .done(let result): return result
            case .wait(let milliseconds): sleep(milliseconds)
            }
        }
    }

    private func sleep(_ milliseconds: Int64) {
        let bounded = min(max(milliseconds, 0), 3_600_000)
        var until = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &until)
        let nanoseconds = Int64(until.tv_nsec) + bounded % 1000 * 1_000_000
        until.tv_sec += Int(bounded / 1000 + nanoseconds / 1_000_000_000)
        until.tv_nsec = Int(nanoseconds % 1_000_000_000)
        unsafe pthread_cond_timedwait(changed, lock, &until)
    }
}
