internal import Foundation

/// Waiting for other programs.
enum Waiting {
    /// Asks until the condition holds; a condition, not a pause, ends the waiting.
    static func until(
        _ what: @autoclosure () -> String,
        within seconds: Double = 30,
        every interval: Double = 0.05,
        _ condition: () throws -> Bool
    ) throws {
        let end = Date(timeIntervalSinceNow: seconds)
        while Date() < end {
            if try condition() { return }
            Thread.sleep(forTimeInterval: interval)
        }
        throw BenchFailure("not within \(Int(seconds)) s: \(what())")
    }
}
