extension HTTP2Connection {
    /// Judges a frame by its header and decides how its payload is read.
    mutating func beginFrame() throws(HTTP2Failure) -> HTTP2Event? {
        guard frame.length <= limits.frameBytesMax else {
            throw HTTP2Failure(.frameSizeError, "a frame larger than announced")
        }
        if !isPeerKnown {
            guard frame.type == FrameType.settings, !frame.has(FrameFlags.acknowledgement) else {
                throw HTTP2Failure(.protocolError, "the first frame is not SETTINGS")
            }
        }
        if headerBlock.isOpen {
            guard frame.type == FrameType.continuation, frame.stream == headerBlock.stream else {
                throw HTTP2Failure(.protocolError, "a header block was interrupted")
            }
        }
        switch frame.type {
        case FrameType.data:
            return try beginData()
        case FrameType.headers, FrameType.continuation:
            try beginHeaderFragment()
        case FrameType.priority:
            try require(length: 5, of: "PRIORITY", code: .frameSizeError)
            try requireStream("PRIORITY")
        case FrameType.resetStream:
            try require(length: 4, of: "RST_STREAM", code: .frameSizeError)
            try requireStream("RST_STREAM")
        case FrameType.windowUpdate:
            try require(length: 4, of: "WINDOW_UPDATE", code: .frameSizeError)
        case FrameType.settings:
            try beginSettings()
        case FrameType.ping:
            try requireConnection("PING")
            try require(length: 8, of: "PING", code: .frameSizeError)
        case FrameType.goAway:
            try beginGoAway()
        case FrameType.pushPromise:
            throw HTTP2Failure(.protocolError, "PUSH_PROMISE, which we never allow")
        default:
            try countControlFrame()
            input = .skip(left: frame.length)
        }
        return nil
    }

    /// Acts on a control frame whose payload is complete.
    mutating func receiveControl(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        switch frame.type {
        case FrameType.headers: try receiveHeaders(payload)
        case FrameType.continuation: try receiveContinuation(payload)
        case FrameType.priority: try receivePriority(payload)
        case FrameType.resetStream: try receiveReset(payload)
        case FrameType.settings: try receiveSettings(payload)
        case FrameType.ping: try receivePing(payload)
        case FrameType.goAway: try receiveGoAway(payload)
        case FrameType.windowUpdate: try receiveWindowUpdate(payload)
        default: nil
        }
    }

    /// Ends the connection: the peer is told once, all streams are forgotten.
    mutating func fail(_ failure: HTTP2Failure) {
        queueGoAway(lastStream: lastPeerStream, failure.code)
        input = .failed
        partial = []
        headerBlock = HeaderBlock()
        incompleteSince = nil
        orphans = []
        haveWindowsGrown = false
        streams = StreamTable()
        unreleased = 0
    }

    /// Whether a stream identifier was never used by the side that owns it.
    func isIdle(_ stream: UInt32) -> Bool {
        let isFromClient = stream & 1 == 1
        switch role {
        case .client: return isFromClient ? stream >= nextStream : true
        case .server: return isFromClient ? stream > lastPeerStream : true
        }
    }

    mutating func countControlFrame(cost: UInt64 = 1) throws(HTTP2Failure) {
        guard controlFrames.take(cost, now: clock) else {
            throw HTTP2Failure(.enhanceYourCalm, "too many control frames")
        }
    }

    /// Resets a stream because the peer broke a rule there; too many of those end the connection.
    mutating func streamError(
        _ stream: UInt32,
        _ code: HTTP2ErrorCode
    ) throws(HTTP2Failure) -> HTTP2Event? {
        guard provokedResets.take(now: clock) else {
            throw HTTP2Failure(.enhanceYourCalm, "too many streams had to be reset")
        }
        let wasOpen = forget(stream, .resetByUs)
        queueReset(stream, code)
        return wasOpen ? .reset(stream: stream, code, byPeer: false) : nil
    }

    /// Drops a stream and remembers why; false when it was not open.
    mutating func forget(_ stream: UInt32, _ cause: ClosedStreams.Cause) -> Bool {
        guard let place = streams.place(of: stream) else {
            if closed.cause(of: stream) == nil {
                closed.remember(stream, cause)
            }
            return false
        }
        unreleased -= Int(streams[place].unreleased)
        streams.remove(at: place)
        closed.remember(stream, cause)
        returnConnectionWindow()
        return true
    }

    private mutating func require(
        length: Int,
        of name: String,
        code: HTTP2ErrorCode
    ) throws(HTTP2Failure) {
        guard frame.length == length else {
            throw HTTP2Failure(code, name + " of a wrong size")
        }
        input = .control
    }

    func requireStream(_ name: String) throws(HTTP2Failure) {
        guard frame.stream != 0 else {
            throw HTTP2Failure(.protocolError, name + " without a stream")
        }
    }

    func requireConnection(_ name: String) throws(HTTP2Failure) {
        guard frame.stream == 0 else {
            throw HTTP2Failure(.protocolError, name + " on a stream")
        }
    }
}
