/// A picture of bars: for each quantity, one bar for each contender.
package struct Chart: Sendable {
    /// The name of its file.
    package let name: String
    package let title: String
    package let quantities: [Quantity]

    /// All that the README shows.
    package static let all: [Chart] = [
        Chart(
            name: "throughput",
            title: "Throughput, Gbit/s (more is better)",
            quantities: [
                Quantity(.throughput1, .gigabitsPerSecond),
                Quantity(.throughput8, .gigabitsPerSecond),
            ]
        ),
        Chart(
            name: "throughput-cpu",
            title: "Processor time of both proxies, s/GB (less is better)",
            quantities: [
                Quantity(.throughput1, .proxySecondsPerGigabyte),
                Quantity(.throughput8, .proxySecondsPerGigabyte),
            ]
        ),
        Chart(
            name: "requests",
            title: "Requests per second (more is better)",
            quantities: [
                Quantity(.requests1, .requestsPerSecond),
                Quantity(.requests16, .requestsPerSecond),
                Quantity(.requests64, .requestsPerSecond),
            ]
        ),
        Chart(
            name: "requests-cpu",
            title: "Processor time of both proxies, µs/request (less is better)",
            quantities: [
                Quantity(.requests16, .proxyMicrosecondsPerRequest),
                Quantity(.requests64, .proxyMicrosecondsPerRequest),
            ]
        ),
        Chart(
            name: "latency",
            title: "p99 at 2,000 requests/s, µs (less is better)",
            quantities: [Quantity(.rate2000, .p99Microseconds)]
        ),
        Chart(
            name: "connections",
            title: "New connections per second (more is better)",
            quantities: [Quantity(.connections, .connectionsPerSecond)]
        ),
    ]

    private static let width = 720.0
    private static let left = 150.0
    private static let right = 70.0
    private static let step = 22.0

    /// Draws it; colours and no background, so that it can be read on light and on dark.
    package func svg(_ medians: Medians) -> String {
        var body = ""
        var y = 30.0
        for quantity in quantities {
            let bars = medians.contenders.compactMap { name in
                medians[quantity, name].map { (name, $0) }
            }
            guard let longest = bars.map(\.1).max(), longest > 0 else { continue }
            body += Self.label(0, y, quantity.metric.title, "#7d8590")
            y += 8
            for (name, value) in bars {
                let length = (Self.width - Self.left - Self.right) * value / longest
                body += Self.label(0, y + 15, name.title, "#7d8590")
                body += Self.bar(Self.left, y + 3, length, Self.colour(name))
                body += Self.label(
                    Self.left + length + 6,
                    y + 15,
                    ResultTable.number(value),
                    "#7d8590"
                )
                y += Self.step
            }
            y += 26
        }
        let height = Int(max(y - 10, 30))
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(Self.width))" height="\(height)" \
            viewBox="0 0 \(Int(Self.width)) \(height)" font-family="sans-serif" font-size="12" \
            role="img" aria-label="\(Self.escaped(title))">
            <text x="0" y="12" fill="#7d8590" font-weight="bold">\(Self.escaped(title))</text>
            \(body)</svg>

            """
    }

    private static func colour(_ name: ContenderName) -> String {
        switch name {
        case .ambit, .ambitB: "#2f81f7"
        case .envoyL4, .envoyL7, .envoyHBONE: "#bf8700"
        case .none, .splice, .copy: "#8b949e"
        }
    }

    private static func bar(_ x: Double, _ y: Double, _ length: Double, _ fill: String) -> String {
        "<rect x=\"\(Int(x))\" y=\"\(Int(y))\" width=\"\(ResultTable.tenths(length))\" "
            + "height=\"16\" rx=\"2\" fill=\"\(fill)\"/>\n"
    }

    private static func label(_ x: Double, _ y: Double, _ text: String, _ fill: String) -> String {
        "<text x=\"\(Int(x))\" y=\"\(Int(y))\" fill=\"\(fill)\">\(escaped(text))</text>\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }
}
