/// How far the end of a connection has come.
struct GoingAway {
    /// The highest stream of the peer we still serve, once that was announced for good.
    var served: UInt32?
    /// Graceful: the first GOAWAY went out, the PING behind it was not answered yet.
    var isAwaitingPong = false
    /// The highest stream of ours the peer still serves, once it said so.
    var servedByPeer: UInt32?

    /// The payload of the PING behind a graceful GOAWAY: "ambit-go".
    static let pingPayload: UInt64 = 0x616D_6269_742D_676F
    /// "All streams": RFC 9113 §6.8.
    static let everyStream: UInt32 = 0x7FFF_FFFF
}

// SETTINGS, PING, GOAWAY, RST_STREAM and PRIORITY as they come in.
extension HTTP2Connection {
    /// Entries in one SETTINGS frame: many more than exist.
    private static let settingsEntriesMax = 64

    mutating func beginSettings() throws(HTTP2Failure) {
        try requireConnection("SETTINGS")
        if frame.has(FrameFlags.acknowledgement) {
            guard frame.length == 0 else {
                throw HTTP2Failure(.frameSizeError, "a SETTINGS acknowledgement with a payload")
            }
        }
        guard frame.length % 6 == 0 else {
            throw HTTP2Failure(.frameSizeError, "SETTINGS of a wrong size")
        }
        guard frame.length <= 6 * Self.settingsEntriesMax else {
            throw HTTP2Failure(.enhanceYourCalm, "SETTINGS with too many entries")
        }
        input = .control
    }

    mutating func receiveSettings(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        if frame.has(FrameFlags.acknowledgement) {
            if settingsInFlight > 0 {
                settingsInFlight -= 1
                applyStreamWindow()
            } else {
                try countControlFrame()
            }
            return nil
        }
        if isPeerKnown {
            // A change of the initial window walks over all streams.
            try countControlFrame(cost: 10)
        } else {
            isPeerKnown = true
            peerStreamsMax = .max
        }
        var offset = 0
        while offset + 6 <= payload.count {
            let value = readUInt32(payload, at: offset + 2)
            try applySetting(readUInt16(payload, at: offset), value)
            offset += 6
        }
        try queueReply(FrameType.settings, flags: FrameFlags.acknowledgement)
        return .settings
    }

    private mutating func applySetting(
        _ identifier: UInt16,
        _ value: UInt32
    ) throws(HTTP2Failure) {
        switch identifier {
        case SettingIdentifier.headerTableSize:
            encoder.limitTable(to: value)
        case SettingIdentifier.enablePush:
            guard value == 0 || (value == 1 && role == .server) else {
                throw HTTP2Failure(.protocolError, "SETTINGS_ENABLE_PUSH out of range")
            }
        case SettingIdentifier.maxConcurrentStreams:
            peerStreamsMax = Int(value)
        case SettingIdentifier.initialWindowSize:
            guard let window = Int32(exactly: value) else {
                throw HTTP2Failure(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE out of range")
            }
            try changePeerWindow(to: window)
        case SettingIdentifier.maxFrameSize:
            guard (16_384...16_777_215).contains(value) else {
                throw HTTP2Failure(.protocolError, "SETTINGS_MAX_FRAME_SIZE out of range")
            }
            peerFrameBytesMax = Int(value)
        case SettingIdentifier.maxHeaderListSize:
            peerHeaderListBytesMax = value
        default:
            break
        }
    }

    mutating func receivePing(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        let value =
            UInt64(readUInt32(payload, at: 0)) << 32 | UInt64(readUInt32(payload, at: 4))
        try countControlFrame()
        guard frame.has(FrameFlags.acknowledgement) else {
            try queueReply(FrameType.ping, flags: FrameFlags.acknowledgement, value)
            return nil
        }
        guard goingAway.isAwaitingPong, value == GoingAway.pingPayload else {
            return .pong(value)
        }
        // All the peer sent before it read our first GOAWAY is here: now say the real number.
        goingAway.isAwaitingPong = false
        goAway(.noError)
        return nil
    }

    mutating func beginGoAway() throws(HTTP2Failure) {
        try requireConnection("GOAWAY")
        guard frame.length >= 8 else {
            throw HTTP2Failure(.frameSizeError, "GOAWAY of a wrong size")
        }
        // Debug data is skipped.
        surplus = frame.length - 8
        frame.length = 8
        input = .control
    }

    mutating func receiveGoAway(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        if surplus > 0 {
            input = .skip(left: surplus)
        }
        try countControlFrame()
        let announced = readUInt32(payload, at: 0) & GoingAway.everyStream
        let code = HTTP2ErrorCode(rawValue: readUInt32(payload, at: 4))
        // It must not grow; where it does the lower number stays.
        let last = min(announced, goingAway.servedByPeer ?? announced)
        goingAway.servedByPeer = last
        guard role == .client else { return .goAway(lastStream: last, code) }
        for place in streams.allPlaces where streams[place].id > last {
            orphans.append(streams[place].id)
        }
        for stream in orphans {
            _ = forget(stream, .resetByUs)
        }
        return .goAway(lastStream: last, code)
    }

    mutating func receiveReset(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        let stream = frame.stream
        guard !isIdle(stream) else {
            throw HTTP2Failure(.protocolError, "RST_STREAM on an idle stream")
        }
        guard let place = streams.place(of: stream) else {
            try countControlFrame()
            return nil
        }
        if role == .server, !streams[place].flags.contains(.localHeaders) {
            guard earlyResets.take(now: clock) else {
                throw HTTP2Failure(.enhanceYourCalm, "too many streams reset before an answer")
            }
        }
        _ = forget(stream, .resetByPeer)
        let code = HTTP2ErrorCode(rawValue: readUInt32(payload, at: 0))
        return .reset(stream: stream, code, byPeer: true)
    }

    /// PRIORITY is obsolete (RFC 9113 §5.3.2) and ignored, but for a stream that waits for itself.
    mutating func receivePriority(_ payload: Span<UInt8>) throws(HTTP2Failure) -> HTTP2Event? {
        try countControlFrame()
        guard readUInt32(payload, at: 0) & 0x7FFF_FFFF != frame.stream else {
            throw HTTP2Failure(.protocolError, "PRIORITY of a stream on itself")
        }
        return nil
    }
}
