/// What the interfaces of a network have carried, from `/proc/PID/net/dev`.
package struct InterfaceBytes: Sendable, Equatable {
    package let received: Double
    package let sent: Double

    /// The sum of all but `lo`; nil when no other is there.
    package init?(_ text: String) {
        var received = 0.0
        var sent = 0.0
        var isFound = false
        for line in text.split(separator: "\n") {
            let sides = line.split(separator: ":", maxSplits: 1)
            guard sides.count == 2, sides[0].filter({ $0 != " " }) != "lo" else { continue }
            let numbers = sides[1].split(separator: " ").compactMap { Double($0) }
            guard numbers.count > 8 else { continue }
            isFound = true
            received += numbers[0]
            sent += numbers[8]
        }
        guard isFound else { return nil }
        self.received = received
        self.sent = sent
    }
}
