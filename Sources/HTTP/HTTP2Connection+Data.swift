// DATA as it comes in: RFC 9113 §6.1. Payload is passed on in the pieces the reads cut it into.
extension HTTP2Connection {
    /// Charges the windows with the whole frame before any of it is passed on.
    mutating func beginData() throws(HTTP2Failure) -> HTTP2Event? {
        try requireStream("DATA")
        let stream = frame.stream
        guard !isIdle(stream) else {
            throw HTTP2Failure(.protocolError, "DATA on an idle stream")
        }
        let length = Int32(truncatingIfNeeded: frame.length)
        guard length <= receiveWindow else {
            throw HTTP2Failure(.flowControlError, "DATA beyond the connection's window")
        }
        receiveWindow -= length
        if frame.has(FrameFlags.padded) {
            guard length > 0 else {
                throw HTTP2Failure(.frameSizeError, "padded DATA without its pad length")
            }
            input = .padLength
        } else {
            try countEmptyData(payload: frame.length)
            input = .data(left: frame.length, padding: 0)
        }
        // Where the stream is gone or ends here, the frame is read and dropped.
        guard let place = streams.place(of: stream) else {
            if closed.cause(of: stream) == .resetByUs { return nil }
            return try streamError(stream, .streamClosed)
        }
        let flags = streams[place].flags
        if flags.contains(.remoteEnded) { return try streamError(stream, .streamClosed) }
        if !flags.contains(.remoteHeaders) { return try streamError(stream, .protocolError) }
        guard length <= streams[place].receiveWindow else {
            return try streamError(stream, .flowControlError)
        }
        streams[place].receiveWindow -= length
        return nil
    }

    private mutating func countEmptyData(payload: Int) throws(HTTP2Failure) {
        guard payload == 0, !frame.has(FrameFlags.endStream) else { return }
        guard emptyData.take(now: clock) else {
            throw HTTP2Failure(.enhanceYourCalm, "too many empty DATA frames")
        }
    }

    mutating func readPadLength(
        _ bytes: Span<UInt8>,
        at offset: inout Int
    ) throws(HTTP2Failure) -> Step {
        guard offset < bytes.count else { return .starved }
        let padding = Int(bytes[offset])
        offset += 1
        guard padding < frame.length else {
            throw HTTP2Failure(.protocolError, "padding longer than its frame")
        }
        let payload = frame.length - 1 - padding
        try countEmptyData(payload: payload)
        input = .data(left: payload, padding: padding)
        creditPadding(1)
        return .again
    }

    /// Returns what padding took of the windows: no consumer will release it.
    private mutating func creditPadding(_ count: Int) {
        owed += count
        if let place = streams.place(of: frame.stream) {
            returnStreamWindow(at: place, adding: Int32(truncatingIfNeeded: count))
        }
        returnConnectionWindow()
    }

    mutating func readData(
        _ bytes: Span<UInt8>,
        at offset: inout Int,
        _ left: Int,
        _ padding: Int
    ) throws(HTTP2Failure) -> Step {
        let available = bytes.count - offset
        guard available > 0 || left + padding == 0 else { return .starved }
        let taken = min(left, available)
        let piece = offset..<offset + taken
        let skipped = left == taken ? min(padding, available - taken) : 0
        offset += taken + skipped
        let isComplete = taken == left && skipped == padding
        input =
            isComplete ? .frameHeader : .data(left: left - taken, padding: padding - skipped)
        if skipped > 0 {
            creditPadding(skipped)
        }
        owed += taken
        guard let place = streams.place(of: frame.stream),
            !streams[place].flags.contains(.remoteEnded)
        else {
            returnConnectionWindow()
            return .again
        }
        unreleased += taken
        returnConnectionWindow()
        streams[place].unreleased += Int32(truncatingIfNeeded: taken)
        let ends = isComplete && frame.has(FrameFlags.endStream)
        guard takeContent(taken, at: place, ends: ends) else {
            return Step(try streamError(frame.stream, .protocolError))
        }
        guard taken > 0 || ends else { return .again }
        if ends {
            endRemote(at: place)
        }
        return .event(.data(stream: frame.stream, piece, endStream: ends))
    }

    /// Holds payload against the announced content-length; false when they differ.
    private mutating func takeContent(_ count: Int, at place: Int, ends: Bool) -> Bool {
        guard streams[place].contentLeft >= 0 else { return true }
        let left = streams[place].contentLeft - Int64(count)
        guard left >= 0, left == 0 || !ends else { return false }
        streams[place].contentLeft = left
        return true
    }

    /// The peer's half has ended.
    mutating func endRemote(at place: Int) {
        streams[place].flags.insert(.remoteEnded)
        if streams[place].isClosed {
            _ = forget(streams[place].id, .ended)
        }
    }
}
