internal import Foundation

/// Waiting until processes have done what they had to do.
enum Rest {
    /// The part of a core under which a process rests.
    private static let partMax = 0.05

    /// Waits until they took next to no processor time for one second.
    static func wait(for processes: [Int32]) throws {
        var last = ProcessFiles.seconds(of: processes)
        var quiet = 0
        try Waiting.until("processes rest", within: 120, every: 0.25) {
            let now = ProcessFiles.seconds(of: processes)
            quiet = now - last < partMax * 0.25 ? quiet + 1 : 0
            last = now
            return quiet == 4
        }
    }
}
