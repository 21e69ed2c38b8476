import Synchronization

/// A value that tasks and closures of a test share.
final class Shared<Value: Sendable>: Sendable {
    private let held: Mutex<Value>

    init(_ value: Value) { held = Mutex(value) }

    var value: Value { held.withLock { $0 } }

    func change(_ body: (inout Value) -> Void) { held.withLock { body(&$0) } }
}

/// Waits until something holds; false when it does not within twenty seconds.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
        if ContinuousClock.now > deadline || Task.isCancelled { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}

/// Runs a body and fails when it takes longer than it may.
func within<Value: Sendable>(
    _ limit: Duration = .seconds(5),
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            let deadline = ContinuousClock.now + limit
            while ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(10))
            }
            throw TookTooLong()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw TookTooLong() }
        return first
    }
}

struct TookTooLong: Error {}
