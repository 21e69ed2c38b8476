import Node
import Testing

/// Feeds a text in pieces of `size` bytes and gives what came out, up to the first need for more.
private func outcomes(_ text: String, size: Int = .max) -> [AdminRequestParser.Outcome] {
    var parser = AdminRequestParser()
    var results: [AdminRequestParser.Outcome] = []
    let bytes = Array(text.utf8)
    var start = 0
    repeat {
        let end = size < bytes.count - start ? start + size : bytes.count
        parser.append(bytes[start..<end])
        start = end
        while true {
            let outcome = parser.next()
            if outcome == .needMore { break }
            results.append(outcome)
            if case .refused = outcome { return results }
        }
    } while start < bytes.count
    return results
}

private func status(_ text: String) -> Int? {
    if case .refused(let refusal)? = outcomes(text).last { refusal.status } else { nil }
}

@Suite struct `The admin request parser` {
    @Test(arguments: [1, 2, 7, Int.max])
    func `cuts requests out of any pieces`(size: Int) throws {
        let text =
            "POST /logging?level=info%2Cdns%3Ddebug&reset HTTP/1.1\r\nHost: localhost:15000\r\n"
            + "content-length:  5 \r\n\r\nhello"
            + "GET / HTTP/1.1\r\nhost:[::1]\r\nAccept: a\r\nAccept: b\r\n"
            + "Connection: x, Close\r\n\r\n"
        let results = outcomes(text, size: size)
        var first = AdminRequest(method: "POST", path: "/logging")
        first.query = [
            AdminRequest.Parameter("level", "info,dns=debug"), AdminRequest.Parameter("reset", ""),
        ]
        first.host = "localhost:15000"
        first.body = Array("hello".utf8)
        var second = AdminRequest(method: "GET", path: "/")
        second.host = "[::1]"
        second.accept = "a,b"
        second.isKeptAlive = false
        #expect(results == [.request(first), .request(second)])
    }

    @Test func `closes HTTP 1.0 connections unless asked to keep them`() throws {
        let results = outcomes(
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"
        )
        var kept = AdminRequest(method: "GET", path: "/")
        var closed = kept
        kept.isKeptAlive = true
        closed.isKeptAlive = false
        #expect(results == [.request(kept), .request(closed)])
    }

    @Test(arguments: [
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\u{0}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nX: \u{7F}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /?a=%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("PRI / HTTP/2.0\r\n\r\n", 505),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", 417),
    ])
    func `refuses what can be read in two ways`(text: String, expected: Int) {
        #expect(status(text) == expected)
    }

    @Test func `bounds head and fields`() {
        let line = "GET / HTTP/1.1\r\nHost: a\r\nX: "
        let longest = AdminRequestParser.headBytesMax - line.utf8.count - 4
        let fits = line + String(repeating: "x", count: longest) + "\r\n\r\n"
        #expect(fits.utf8.count == AdminRequestParser.headBytesMax)
        #expect(status(fits) == nil)
        #expect(outcomes(fits).count == 1)
        #expect(status(line + String(repeating: "x", count: longest + 1) + "\r\n\r\n") == 431)
        #expect(status(String(repeating: "x", count: AdminRequestParser.headBytesMax)) == 431)
        let many = String(repeating: "a: b\r\n", count: AdminRequestParser.fieldsMax)
        #expect(status("GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n") == 431)
    }

    @Test func `gives nothing after a refusal`() {
        var parser = AdminRequestParser()
        parser.append(Array("BAD\r\n\r\n".utf8)[...])
        guard case .refused(let refusal) = parser.next() else {
            Issue.record("a bad request line was taken")
            return
        }
        parser.append(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)[...])
        #expect(parser.next() == .refused(refusal))
    }

    @Test(arguments: [
        "Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site",
    ])
    func `sees that a web page asks`(field: String) {
        let results = outcomes("GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")
        guard case .request(let request)? = results.first else {
            Issue.record("not a request")
            return
        }
        #expect(request.isCrossSite)
    }
}
