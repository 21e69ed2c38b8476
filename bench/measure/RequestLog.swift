/// What `h2load --log-file` wrote: a line for each request with start, status and time taken.
package struct RequestLog: Sendable {
    package let microseconds: [Double]
    /// Answers other than 2xx, and requests that got none.
    package let errors: Int

    /// Reads the lines.
    package init(_ text: String) {
        var times: [Double] = []
        var errors = 0
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "\t")
            guard parts.count == 3, let status = Int(parts[1]), let time = Double(parts[2]) else {
                errors += 1
                continue
            }
            guard (200..<300).contains(status) else {
                errors += 1
                continue
            }
            times.append(time)
        }
        microseconds = times
        self.errors = errors
    }
}
