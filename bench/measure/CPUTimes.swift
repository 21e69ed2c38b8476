/// Processor time by the kernel's account.
package enum CPUTimes {
    /// The length of a tick in `/proc`, in seconds (USER_HZ, which is part of the interface).
    package static let tick = 0.01

    /// Idle and stolen seconds of the whole machine, from `/proc/stat`.
    ///
    /// The kernel measures idle time; busy time it samples at each tick, which misses what runs
    /// from one timer to the next.
    package static func machine(_ text: String) -> (idle: Double, stolen: Double)? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("cpu ") }) else {
            return nil
        }
        let ticks = line.split(separator: " ").dropFirst().compactMap { Double($0) }
        guard ticks.count >= 8 else { return nil }
        // user, nice, system, idle, iowait, irq, softirq, steal
        return ((ticks[3] + ticks[4]) * tick, ticks[7] * tick)
    }

    /// The nanoseconds a thread has run, from its `schedstat`.
    package static func nanoseconds(schedstat text: String) -> Double? {
        text.split(separator: " ").first.flatMap { Double($0) }
    }

    /// A process's `stat`: its parent, and the seconds it and its ended children have run.
    package static func process(_ text: String) -> (parent: Int32, seconds: Double)? {
        // The name is in parentheses and may hold anything.
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 14, let parent = Int32(fields[1]) else { return nil }
        let ticks = fields[11...14].compactMap { Double($0) }.reduce(0, +)
        return (parent, ticks * tick)
    }
}
