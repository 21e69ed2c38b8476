// What the caller sends.
extension HTTP2Connection {
    // MARK: Messages

    /// Whether `request` can open a stream now.
    package var canOpenStream: Bool {
        role == .client && !isClosing && nextStream <= GoingAway.everyStream
            && streams.count < peerStreamsMax
    }

    /// Whether this connection takes no more new streams: it failed, either side said GOAWAY, or
    /// its stream identifiers are used up.
    package var isClosing: Bool {
        hasFailed || goingAway.served != nil || goingAway.isAwaitingPong
            || goingAway.servedByPeer != nil || nextStream > GoingAway.everyStream
    }

    /// Opens a stream with a request; returns its identifier.
    package mutating func request(
        _ fields: HeaderFields,
        endStream: Bool
    ) throws(HTTP2SendError) -> UInt32 {
        guard role == .client, !isClosing else { throw .connectionClosing }
        guard streams.count < peerStreamsMax else { throw .tooManyStreams }
        guard let facts = fields.checkedRequest() else { throw .malformedFields }
        try checkSize(fields)
        let stream = nextStream
        nextStream += 2
        var opened = HTTP2Stream()
        opened.id = stream
        opened.sendWindow = peerWindow
        opened.receiveWindow = streamReceiveWindow
        opened.flags = [.localHeaders]
        if facts.isConnect {
            opened.flags.insert(.isTunnel)
        }
        if facts.isHead {
            opened.flags.insert(.isHead)
        }
        if endStream {
            opened.flags.insert(.localEnded)
        }
        streams.insert(opened)
        queueHeaders(stream, fields, endStream: endStream)
        return stream
    }

    /// Answers a request: an informational response, or the final one; `fields` has `:status`.
    package mutating func respond(
        _ stream: UInt32,
        _ fields: HeaderFields,
        endStream: Bool
    ) throws(HTTP2SendError) {
        guard role == .server, let place = streams.place(of: stream),
            !streams[place].flags.contains(.localHeaders)
        else { throw .streamClosed }
        guard let facts = fields.checkedResponse(), !(facts.isInformational && endStream) else {
            throw .malformedFields
        }
        try checkSize(fields)
        if !facts.isInformational {
            streams[place].flags.insert(.localHeaders)
        }
        queueHeaders(stream, fields, endStream: endStream)
        if endStream {
            endLocal(at: place)
        }
    }

    /// Ends our half of a stream with trailers; not for tunnels.
    package mutating func trailers(
        _ stream: UInt32,
        _ fields: HeaderFields
    ) throws(HTTP2SendError) {
        guard let place = streams.place(of: stream), canSendData(at: place) else {
            throw .streamClosed
        }
        guard fields.areTrailers(), !streams[place].flags.contains(.isTunnel) else {
            throw .malformedFields
        }
        try checkSize(fields)
        queueHeaders(stream, fields, endStream: true)
        endLocal(at: place)
    }

    // MARK: Payload

    /// The largest payload the peer takes in one DATA frame, in bytes; at least 16384.
    package var payloadBytesMax: Int { peerFrameBytesMax }

    /// How many bytes of payload a stream may send now; zero while a window is used up.
    package mutating func sendable(_ stream: UInt32) -> Int {
        guard let place = streams.place(of: stream), canSendData(at: place) else { return 0 }
        return Int(max(0, min(streams[place].sendWindow, sendWindow)))
    }

    /// Whether our half of the stream is open: it exists and we have not ended it.
    package mutating func isSending(_ stream: UInt32) -> Bool {
        guard let place = streams.place(of: stream) else { return false }
        return canSendData(at: place)
    }

    /// Fills the nine bytes at `offset` for a DATA frame whose payload the caller lays behind them.
    ///
    /// The windows are charged with `length`. Returns false, having done nothing, when the stream
    /// cannot send that: it is over, or `length` is above `sendable` or `payloadBytesMax`.
    package mutating func writeDataHeader(
        _ stream: UInt32,
        length: Int,
        endStream: Bool,
        into bytes: inout MutableSpan<UInt8>,
        at offset: Int
    ) -> Bool {
        guard let place = streams.place(of: stream), canSendData(at: place), length >= 0,
            length <= peerFrameBytesMax, offset >= 0, offset <= bytes.count - FrameHeader.length
        else { return false }
        if length > 0 {
            guard length <= Int(min(streams[place].sendWindow, sendWindow)) else { return false }
            let charge = Int32(truncatingIfNeeded: length)
            streams[place].sendWindow -= charge
            sendWindow -= charge
            // A peer answers a frame with at most an update for the stream and the connection.
            expectedWindowUpdates = min(expectedWindowUpdates + 3, 1 << 20)
        }
        let header = FrameHeader(
            length: length,
            type: FrameType.data,
            flags: endStream ? FrameFlags.endStream : 0,
            stream: stream
        )
        header.write(to: &bytes, at: offset)
        if endStream {
            endLocal(at: place)
        }
        return true
    }

    // MARK: Ends

    /// Resets a stream; nothing happens when it is over already.
    package mutating func reset(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        guard forget(stream, ifOpen: .resetByUs) else { return }
        queueReset(stream, code)
    }

    /// Says GOAWAY: streams that are open go on, later ones of the peer are not served.
    package mutating func goAway(_ code: HTTP2ErrorCode) {
        guard !hasFailed else { return }
        let served = min(lastPeerStream, goingAway.served ?? lastPeerStream)
        goingAway.served = served
        queueGoAway(lastStream: served, code)
    }

    /// Says GOAWAY without losing requests on the way (RFC 9113 §6.8, server).
    ///
    /// First all streams are still served; when the peer has answered a PING sent behind that, it
    /// knows, and the real last stream is announced.
    package mutating func goAwayGracefully() {
        guard !hasFailed, !goingAway.isAwaitingPong, goingAway.served == nil else { return }
        guard role == .server else { return goAway(.noError) }
        goingAway.isAwaitingPong = true
        queueGoAway(lastStream: GoingAway.everyStream, .noError)
        ping(GoingAway.pingPayload)
    }

    /// Whether nothing is left to do here: no new streams, and the last one has ended.
    package var isDrained: Bool {
        isClosing && streams.count == 0 && !goingAway.isAwaitingPong
    }

    /// Sends a PING; `pong` with the same payload answers it.
    package mutating func ping(_ payload: UInt64) {
        guard !hasFailed else { return }
        queuePing(payload, flags: 0)
    }

    // MARK: Helpers

    private func canSendData(at place: Int) -> Bool {
        let flags = streams[place].flags
        return flags.contains(.localHeaders) && !flags.contains(.localEnded)
    }

    private func checkSize(_ fields: HeaderFields) throws(HTTP2SendError) {
        guard fields.listBytes <= Int(peerHeaderListBytesMax) else { throw .fieldsTooLarge }
    }

    private mutating func endLocal(at place: Int) {
        streams[place].flags.insert(.localEnded)
        if streams[place].isClosed {
            _ = forget(streams[place].id, .ended)
        }
    }

    private mutating func forget(_ stream: UInt32, ifOpen cause: ClosedStreams.Cause) -> Bool {
        streams.place(of: stream) != nil && forget(stream, cause)
    }
}
