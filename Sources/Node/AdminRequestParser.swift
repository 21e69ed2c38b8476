/// Cuts the bytes of one connection into HTTP/1.0 and HTTP/1.1 requests (RFC 9112), strictly.
///
/// Sans-I/O: bytes go in with `append`, requests come out of `next`. What a lenient reader might
/// read in two ways is refused: bare LF, folded lines, space before a colon, repeated or odd
/// lengths, any transfer coding, absolute targets, a missing or repeated Host. After a refusal it
/// gives nothing more. Holds at most one head, one body and what the caller appended last.
package struct AdminRequestParser {
    /// What is known after the bytes so far.
    package enum Outcome: Sendable, Equatable {
        case needMore
        case request(AdminRequest)
        case refused(AdminRefusal)
    }

    /// The request line and the fields, with the line that ends them.
    package static let headBytesMax = 8192
    package static let bodyBytesMax = 65_536
    package static let fieldsMax = 64

    private var buffer: [UInt8] = []
    private var start = 0
    /// How far the search for the end of the head has come.
    private var searched = 0
    private var head: AdminRequestHead?
    private var refusal: AdminRefusal?

    /// Makes a parser for a new connection.
    package init() {}

    /// Whether some of a request is here.
    package var isInsideRequest: Bool { head != nil || start < buffer.count }

    /// Adds what came from the connection.
    package mutating func append(_ bytes: ArraySlice<UInt8>) {
        guard refusal == nil else { return }
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Takes the next whole request.
    package mutating func next() -> Outcome {
        if let refusal { return .refused(refusal) }
        do throws(AdminRefusal) {
            guard let request = try takeRequest() else { return .needMore }
            return .request(request)
        } catch {
            refusal = error
            head = nil
            buffer = []
            start = 0
            searched = 0
            return .refused(error)
        }
    }

    private mutating func takeRequest() throws(AdminRefusal) -> AdminRequest? {
        if head == nil { head = try takeHead() }
        guard let head else { return nil }
        guard buffer.count - start >= head.contentLength else { return nil }
        var request = head.request
        request.body = Array(buffer[start..<(start + head.contentLength)])
        start += head.contentLength
        searched = start
        self.head = nil
        return request
    }

    private mutating func takeHead() throws(AdminRefusal) -> AdminRequestHead? {
        guard let end = try endOfHead() else { return nil }
        var head = AdminRequestHead()
        var lineStart = start
        var isFirst = true
        while lineStart < end {
            var lineEnd = lineStart
            while buffer[lineEnd] != .carriageReturn { lineEnd += 1 }
            let line = buffer[lineStart..<lineEnd]
            if isFirst {
                try head.readRequestLine(line)
                isFirst = false
            } else {
                try head.readField(line)
            }
            lineStart = lineEnd + 2
        }
        try head.finish()
        start = end + 2
        searched = start
        return head
    }

    /// The place of the empty line that ends the head, once every byte up to it is fit for a head.
    private mutating func endOfHead() throws(AdminRefusal) -> Int? {
        let limit = min(buffer.count, start + Self.headBytesMax)
        while searched < limit {
            let byte = buffer[searched]
            switch byte {
            case .lineFeed:
                guard searched > start, buffer[searched - 1] == .carriageReturn else {
                    throw AdminRefusal(400, "a line ends with a bare LF")
                }
                if searched >= start + 3, buffer[searched - 2] == .lineFeed {
                    searched += 1
                    return searched - 2
                }
                guard searched > start + 1 else {
                    throw AdminRefusal(400, "no request line")
                }
            case .horizontalTab, .carriageReturn, 0x20...0x7E, 0x80...0xFF:
                guard searched == start || buffer[searched - 1] != .carriageReturn else {
                    throw AdminRefusal(400, "a CR stands alone")
                }
            default:
                throw AdminRefusal(400, "a control character in the head")
            }
            searched += 1
        }
        guard buffer.count - start < Self.headBytesMax else {
            throw AdminRefusal(431, "the head is longer than \(Self.headBytesMax) bytes")
        }
        return nil
    }
}

extension UInt8 {
    static let horizontalTab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
}
