/// A header block being gathered over HEADERS and its CONTINUATIONs.
struct HeaderBlock {
    var isOpen = false
    var stream: UInt32 = 0
    var endStream = false
    /// The obsolete priority part named the stream itself.
    var dependsOnItself = false
    var fragments = 0
    var bytes: [UInt8] = []
}

// HEADERS and CONTINUATION as they come in: RFC 9113 §6.2, §6.10 and §8.
extension HTTP2Connection {
    mutating func beginHeaderFragment() throws(HTTP2Failure) {
        if frame.type == FrameType.continuation {
            guard headerBlock.isOpen else {
                throw HTTP2Failure(.protocolError, "CONTINUATION without HEADERS")
            }
            headerBlock.fragments += 1
            guard headerBlock.fragments <= limits.continuationsMax else {
                throw HTTP2Failure(.enhanceYourCalm, "too many CONTINUATION frames")
            }
        } else {
            try requireStream("HEADERS")
            try judgeHeadersStream()
        }
        // No sensible encoding is larger than the list with its 32 bytes for each field.
        guard headerBlock.bytes.count + frame.length <= limits.headerListBytesMax + 261 else {
            throw HTTP2Failure(.enhanceYourCalm, "a header block larger than announced")
        }
        input = .control
    }

    /// Errors of the whole connection that the stream's state makes of a HEADERS frame.
    private func judgeHeadersStream() throws(HTTP2Failure) {
        let stream = frame.stream
        let isFromClient = stream & 1 == 1
        guard isFromClient, role == .server || !isIdle(stream) else {
            throw HTTP2Failure(.protocolError, "HEADERS on a stream that is not the peer's to open")
        }
        guard !isIdle(stream), streams.find(stream) == nil else { return }
        switch closed.cause(of: stream) {
        case .resetByUs, .resetByPeer: return
        case .ended:
            throw HTTP2Failure(.streamClosed, "HEADERS on a closed stream")
        case nil:
            guard closed.hasForgotten else {
                throw HTTP2Failure(.protocolError, "stream identifiers do not grow")
            }
        }
    }

    mutating func receiveHeaders(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        var start = 0
        var padding = 0
        if frame.has(FrameFlags.padded) {
            guard payload.count >= 1 else {
                throw HTTP2Failure(.frameSizeError, "padded HEADERS without its pad length")
            }
            padding = Int(payload[0])
            start = 1
        }
        var dependsOnItself = false
        if frame.has(FrameFlags.priority) {
            guard payload.count >= start + 5 else {
                throw HTTP2Failure(.frameSizeError, "HEADERS without its priority")
            }
            let parent = readUInt32(payload, at: start) & 0x7FFF_FFFF
            dependsOnItself = parent == frame.stream
            start += 5
        }
        guard start + padding <= payload.count else {
            throw HTTP2Failure(.protocolError, "padding longer than its frame")
        }
        headerBlock.stream = frame.stream
        headerBlock.endStream = frame.has(FrameFlags.endStream)
        headerBlock.dependsOnItself = dependsOnItself
        let fragment = payload.extracting(start..<payload.count - padding)
        if frame.has(FrameFlags.endHeaders) { return try finishHeaders(fragment) }
        headerBlock.isOpen = true
        incompleteSince = incompleteSince ?? clock
        gatherFragment(fragment)
        return nil
    }

    mutating func receiveContinuation(
        _ payload: Span<UInt8>
    ) throws(HTTP2Failure) -> HTTP2Event? {
        gatherFragment(payload)
        guard frame.has(FrameFlags.endHeaders) else { return nil }
        let block = headerBlock.bytes
        headerBlock.bytes = []
        headerBlock.fragments = 0
        headerBlock.isOpen = false
        incompleteSince = nil
        return try finishHeaders(block.span)
    }

    private mutating func gatherFragment(_ fragment: Span<UInt8>) {
        for position in fragment.indices {
            headerBlock.bytes.append(fragment[position])
        }
    }

    /// Decodes a whole block, whatever becomes of it: the tables must stay in step.
    private mutating func finishHeaders(
        _ block: Span<UInt8>
    ) throws(HTTP2Failure) -> HTTP2Event? {
        let decoding = decoder.decode(
            block,
            listBytesMax: limits.headerListBytesMax,
            fieldsMax: limits.headerFieldsMax
        )
        let stream = headerBlock.stream
        var fields: HeaderFields?
        switch decoding {
        case .complete(let decoded): fields = decoded
        case .tooLarge: fields = nil
        case .malformed:
            throw HTTP2Failure(.compressionError, "a header block that cannot be decoded")
        }
        if let place = streams.place(of: stream) {
            return try receiveMore(fields, at: place)
        }
        if isIdle(stream) { return try openStream(fields) }
        if closed.cause(of: stream) == .resetByUs {
            try countControlFrame()
            return nil
        }
        return try streamError(stream, .streamClosed)
    }

    /// A new request.
    private mutating func openStream(
        _ fields: HeaderFields?
    ) throws(HTTP2Failure) -> HTTP2Event? {
        let stream = headerBlock.stream
        lastPeerStream = stream
        if let served = goingAway.served, stream > served {
            // RFC 9113 §6.8: ignored without a word, the peer knows from our GOAWAY.
            closed.remember(stream, .resetByUs)
            return nil
        }
        guard streams.count < limits.streamsMax else {
            return try streamError(stream, .refusedStream)
        }
        guard let fields else { return try streamError(stream, .enhanceYourCalm) }
        guard !headerBlock.dependsOnItself, let request = fields.checkedRequest() else {
            return try streamError(stream, .protocolError)
        }
        var opened = HTTP2Stream()
        opened.id = stream
        opened.sendWindow = peerWindow
        opened.receiveWindow = streamReceiveWindow
        opened.flags = [.remoteHeaders]
        if request.isConnect {
            opened.flags.insert(.isTunnel)
        } else {
            opened.contentLeft = request.contentLength
        }
        if request.isHead {
            opened.flags.insert(.isHead)
        }
        if headerBlock.endStream {
            guard opened.contentLeft <= 0 else {
                return try streamError(stream, .protocolError)
            }
            opened.flags.insert(.remoteEnded)
        }
        streams.insert(opened)
        return .headers(stream: stream, fields, endStream: headerBlock.endStream)
    }

    /// A response, or trailers, on a stream that is open.
    private mutating func receiveMore(
        _ fields: HeaderFields?,
        at place: Int
    ) throws(HTTP2Failure) -> HTTP2Event? {
        let stream = headerBlock.stream
        let flags = streams[place].flags
        if flags.contains(.remoteEnded) { return try streamError(stream, .streamClosed) }
        guard let fields else { return try streamError(stream, .enhanceYourCalm) }
        guard !headerBlock.dependsOnItself else {
            return try streamError(stream, .protocolError)
        }
        guard flags.contains(.remoteHeaders) else { return try receiveResponse(fields, at: place) }
        // Trailers end the stream, carry no pseudo-headers and come after all of the content.
        guard headerBlock.endStream, fields.areTrailers(), streams[place].contentLeft <= 0 else {
            return try streamError(stream, .protocolError)
        }
        endRemote(at: place)
        if flags.contains(.isTunnel) {
            return .data(stream: stream, 0..<0, endStream: true)
        }
        return .trailers(stream: stream, fields)
    }

    private mutating func receiveResponse(
        _ fields: HeaderFields,
        at place: Int
    ) throws(HTTP2Failure) -> HTTP2Event? {
        let stream = headerBlock.stream
        let endStream = headerBlock.endStream
        guard let response = fields.checkedResponse() else {
            return try streamError(stream, .protocolError)
        }
        if response.isInformational {
            // Each costs the peer no window: count them.
            try countControlFrame()
            guard !endStream else { return try streamError(stream, .protocolError) }
            return .informational(stream: stream, fields)
        }
        streams[place].flags.insert(.remoteHeaders)
        let isTunnel = streams[place].flags.contains(.isTunnel)
        if isTunnel, !response.isSuccess {
            // A refused CONNECT is answered like any other request.
            streams[place].flags.remove(.isTunnel)
        }
        if !(isTunnel && response.isSuccess) {
            let hasContent = !streams[place].flags.contains(.isHead) && response.hasContent
            streams[place].contentLeft = hasContent ? response.contentLength : 0
            // No content-length, or a response without content whatever its length says.
            if hasContent, endStream, response.contentLength > 0 {
                return try streamError(stream, .protocolError)
            }
        }
        if endStream {
            endRemote(at: place)
        }
        return .headers(stream: stream, fields, endStream: endStream)
    }
}
