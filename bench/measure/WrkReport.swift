/// What `wrk --latency` says of a run.
package struct WrkReport: Sendable {
    package let requests: Double
    package let requestsPerSecond: Double
    package let p50Microseconds: Double
    package let p99Microseconds: Double
    /// Connections that failed and answers other than 2xx and 3xx.
    package let errors: Double

    /// A report that lacks a line.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads the text wrk prints.
    package init(_ text: String) throws(Failure) {
        let lines = text.split(separator: "\n").map {
            $0.split { $0 == " " || $0 == "\t" || $0 == "," }.map(String.init)
        }
        func value(_ what: String, _ find: ([String]) -> Double?) throws(Failure) -> Double {
            for line in lines {
                if let found = find(line) { return found }
            }
            throw Failure(description: "wrk did not say \(what): \(text)")
        }
        requests = try value("how many requests") {
            $0.count > 2 && $0[1] == "requests" && $0[2] == "in" ? Double($0[0]) : nil
        }
        requestsPerSecond = try value("Requests/sec") {
            $0.count == 2 && $0[0] == "Requests/sec:" ? Double($0[1]) : nil
        }
        p50Microseconds = try value("50%") {
            $0.count == 2 && $0[0] == "50%" ? Self.microseconds($0[1]) : nil
        }
        p99Microseconds = try value("99%") {
            $0.count == 2 && $0[0] == "99%" ? Self.microseconds($0[1]) : nil
        }
        var errors = 0.0
        for line in lines {
            if line.first == "Socket", line.count > 1, line[1] == "errors:" {
                errors += line.compactMap(Double.init).reduce(0, +)
            }
            if line.first == "Non-2xx" { errors += line.last.flatMap(Double.init) ?? 0 }
        }
        self.errors = errors
    }

    /// A time as wrk writes it, such as `1.23ms`.
    package static func microseconds(_ text: String) -> Double? {
        let units: [(String, Double)] = [
            ("us", 1), ("ms", 1e3), ("s", 1e6), ("m", 6e7), ("h", 3.6e9),
        ]
        for (unit, factor) in units where text.hasSuffix(unit) {
            return Double(text.dropLast(unit.count)).map { $0 * factor }
        }
        return nil
    }
}
