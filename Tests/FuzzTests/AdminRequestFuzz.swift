import Node
import Testing

@Suite struct `The admin request parser under fuzz` {
    struct Difference: Error {}

    private static let corpus: [[UInt8]] = [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /logging?level=info%2Cdns%3Ddebug&reset HTTP/1.1\r\nHost: [::1]:15000\r\n"
            + "Content-Length: 5\r\n\r\nhello",
        "GET /metrics HTTP/1.0\r\nConnection: keep-alive\r\nAccept: a, b;q=0\r\n\r\n"
            + "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ].map { Array($0.utf8) }

    /// What comes out of a parser that is given the input in pieces of these sizes.
    private func outcomes(
        _ input: [UInt8],
        _ size: (Int) -> Int
    ) -> [AdminRequestParser.Outcome] {
        var parser = AdminRequestParser()
        var results: [AdminRequestParser.Outcome] = []
        var start = 0
        while start < input.count {
            let end = start + max(1, min(size(input.count - start), input.count - start))
            parser.append(input[start..<end])
            start = end
            while true {
                let outcome = parser.next()
                if outcome == .needMore { break }
                results.append(outcome)
                if case .refused = outcome { return results }
            }
        }
        return results
    }

    @Test func `does not trap and reads the same in any pieces`() {
        fuzz("admin request", corpus: Self.corpus) { input, generator in
            let whole = outcomes(input) { $0 }
            var random = generator
            let pieces = outcomes(input) { random.below($0) + 1 }
            let bytewise = outcomes(input) { _ in 1 }
            guard whole == pieces, whole == bytewise else { throw Difference() }
        }
    }
}
