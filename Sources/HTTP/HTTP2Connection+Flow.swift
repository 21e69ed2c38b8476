// Flow control, both directions: RFC 9113 §5.2 and §6.9.
extension HTTP2Connection {
    /// Below this a window is so small that a sender may have waited for more.
    private static let smallWindow: Int32 = 16_384

    /// Tells that `count` bytes of a stream's payload are delivered and their memory is free.
    ///
    /// The peer gets the window back in large pieces. Bytes of streams that are over need not be
    /// released.
    package mutating func released(_ stream: UInt32, _ count: Int) {
        guard count > 0, let place = streams.place(of: stream) else { return }
        let bytes = Int32(truncatingIfNeeded: min(count, Int(streams[place].unreleased)))
        streams[place].unreleased -= bytes
        unreleased -= Int(bytes)
        returnStreamWindow(at: place, adding: bytes)
        returnConnectionWindow()
    }

    mutating func returnStreamWindow(at place: Int, adding bytes: Int32) {
        let owed = streams[place].owed + bytes
        streams[place].owed = owed
        guard owed >= limits.streamWindowBytes / 2, owed > 0,
            !streams[place].flags.contains(.remoteEnded)
        else { return }
        streams[place].owed = 0
        streams[place].receiveWindow += owed
        queueWindowUpdate(streams[place].id, UInt32(owed))
    }

    /// Returns the connection's window as bytes arrive, unless consumers are far behind.
    mutating func returnConnectionWindow() {
        guard owed >= Int(limits.connectionWindowBytes) / 2, owed > 0,
            unreleased <= limits.unreleasedBytesMax
        else { return }
        let increment = Int32(truncatingIfNeeded: owed)
        owed = 0
        receiveWindow += increment
        queueWindowUpdate(0, UInt32(increment))
    }

    /// The peer has read our SETTINGS: where our window is below the default, it now holds.
    mutating func applyStreamWindow() {
        let surplus = streamReceiveWindow - limits.streamWindowBytes
        guard surplus > 0 else { return }
        streamReceiveWindow = limits.streamWindowBytes
        for place in streams.allPlaces where streams[place].id != 0 {
            streams[place].receiveWindow -= surplus
        }
    }

    mutating func receiveWindowUpdate(
        _ payload: Span<UInt8>
    ) throws(HTTP2Failure) -> HTTP2Event? {
        let stream = frame.stream
        let increment = Int32(truncatingIfNeeded: readUInt32(payload, at: 0) & 0x7FFF_FFFF)
        if expectedWindowUpdates > 0 {
            expectedWindowUpdates -= 1
        } else {
            try countControlFrame()
        }
        guard stream != 0 else { return try growConnectionWindow(by: increment) }
        guard !isIdle(stream) else {
            throw HTTP2Failure(.protocolError, "WINDOW_UPDATE on an idle stream")
        }
        guard let place = streams.place(of: stream) else { return nil }
        guard increment > 0 else { return try streamError(stream, .protocolError) }
        let before = streams[place].sendWindow
        let (window, isOver) = before.addingReportingOverflow(increment)
        guard !isOver else { return try streamError(stream, .flowControlError) }
        streams[place].sendWindow = window
        let mayHaveWaited = before < Self.smallWindow && window > 0
        guard mayHaveWaited, !streams[place].flags.contains(.localEnded) else { return nil }
        return .writable(stream: stream)
    }

    private mutating func growConnectionWindow(
        by increment: Int32
    ) throws(HTTP2Failure) -> HTTP2Event? {
        guard increment > 0 else {
            throw HTTP2Failure(.protocolError, "WINDOW_UPDATE of zero")
        }
        let before = sendWindow
        let (window, isOver) = before.addingReportingOverflow(increment)
        guard !isOver else {
            throw HTTP2Failure(.flowControlError, "the connection's window grew too large")
        }
        sendWindow = window
        return before < Self.smallWindow ? .writable(stream: 0) : nil
    }

    /// SETTINGS_INITIAL_WINDOW_SIZE changes the windows of all open streams by the difference.
    mutating func changePeerWindow(to window: Int32) throws(HTTP2Failure) {
        let (difference, _) = window.subtractingReportingOverflow(peerWindow)
        peerWindow = window
        guard difference != 0, streams.count > 0 else { return }
        haveWindowsGrown = difference > 0
        for place in streams.allPlaces where streams[place].id != 0 {
            let (changed, isOver) =
                streams[place].sendWindow.addingReportingOverflow(difference)
            guard !isOver else {
                throw HTTP2Failure(.flowControlError, "a stream's window left its range")
            }
            streams[place].sendWindow = changed
        }
    }
}
