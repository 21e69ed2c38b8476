/// What a route answers.
package struct AdminResponse: Sendable, Equatable {
    package var status: Int
    package var contentType = "text/plain; charset=utf-8"
    /// The methods the path knows, with status 405.
    package var allowed: String?
    package var body: [UInt8]

    /// A text for people; a line end is added.
    package init(_ status: Int = 200, _ text: String) {
        self.status = status
        self.body = Array((text + "\n").utf8)
    }

    /// Bytes of another kind.
    package init(contentType: String, body: [UInt8]) {
        self.status = 200
        self.contentType = contentType
        self.body = body
    }

    /// The head and, but for a HEAD request, the body as they go on the wire.
    package func encoded(isHead: Bool, closes: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(status) \(Self.phrase(status))\r\n"
        head += "content-type: \(contentType)\r\ncontent-length: \(body.count)\r\n"
        head += "cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
        if let allowed { head += "allow: \(allowed)\r\n" }
        if closes { head += "connection: close\r\n" }
        head += "\r\n"
        var bytes = Array(head.utf8)
        if !isHead { bytes += body }
        return bytes
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Unknown"
        }
    }
}
