/// Which side of a connection a machine plays.
package enum HTTP2Role: Sendable, Hashable { case client, server }

/// One HTTP/2 connection (RFC 9113) without any input or output of its own.
///
/// Bytes of the peer go into `next`, which hands out one event a call; payload is handed out as
/// ranges of those bytes, never copied. Control frames and headers to send gather in an output
/// buffer that the caller takes with `takeOutput` or `moveOutput` and sends *before* any payload it
/// framed afterwards. Payload to send never passes through: the caller asks `sendable`, lays out
/// nine bytes and the payload itself, and has the nine bytes filled by `writeDataHeader`.
///
/// Time comes in as nanoseconds of a monotonic clock. A value belongs to one thread. `HTTP2Limits`
/// bounds what a peer can make it hold.
package struct HTTP2Connection: ~Copyable {
    /// What the next bytes of input are.
    enum Input {
        case preface(matched: Int)
        case frameHeader
        /// The payload of a control frame, `frame.length` bytes.
        case control
        /// Payload of DATA: what is left of it, then padding.
        case data(left: Int, padding: Int)
        /// The first byte of a padded DATA frame.
        case padLength
        /// A frame of no interest.
        case skip(left: Int)
        case failed
    }

    /// The window both sides begin with, of streams and of the connection: RFC 9113 §6.9.2.
    static let defaultWindow: Int32 = 65_535

    /// The side this machine plays.
    package let role: HTTP2Role
    /// What the peer may make this machine hold and do.
    package let limits: HTTP2Limits

    // Input.
    var input: Input
    var frame = FrameHeader()
    /// The part of a frame header or control frame that came in an earlier read.
    var partial: [UInt8] = []
    /// Bytes behind the part of a control frame that matters.
    var surplus = 0
    var headerBlock = HeaderBlock()
    var decoder = HeaderDecoder()
    /// Streams a GOAWAY of the peer left out, to be reported one event a call.
    var orphans: [UInt32] = []
    var clock: UInt64

    // Streams.
    var streams = StreamTable()
    var closed = ClosedStreams()
    /// Client: the identifier of the next request.
    var nextStream: UInt32
    /// Server: the highest identifier the peer used.
    var lastPeerStream: UInt32 = 0

    // Flow control.
    var sendWindow = defaultWindow
    var receiveWindow: Int32
    /// What a new stream of the peer may send: the protocol's default until it knows of less.
    var streamReceiveWindow: Int32
    var owed = 0
    var unreleased = 0
    var peerWindow = defaultWindow
    /// SETTINGS gave every stream more window; not reported yet.
    var haveWindowsGrown = false
    var peerFrameBytesMax = 16_384
    var peerHeaderListBytesMax = UInt32.max

    // Life.
    var isPeerKnown = false
    var settingsInFlight = 1
    var goingAway = GoingAway()

    // Abuse.
    var earlyResets: TokenBucket
    var provokedResets: TokenBucket
    var controlFrames: TokenBucket
    var emptyData: TokenBucket
    /// WINDOW_UPDATEs that our own DATA explains; others count as control frames.
    var expectedWindowUpdates = 64

    // Output.
    var encoder = HeaderEncoder()
    var output: [UInt8] = []

    /// Streams the peer lets us open at once; 100 until its settings came.
    package internal(set) var peerStreamsMax = 100
    /// When the peer began a frame header, control frame or header block that is still incomplete.
    ///
    /// A caller gives up on a peer that stays in this state for too long (slow headers).
    package internal(set) var incompleteSince: UInt64?

    /// Starts a connection; its preface and SETTINGS wait in the output.
    ///
    /// A client's first request opens `firstStream`, which must be odd.
    package init(role: HTTP2Role, limits: HTTP2Limits, now: UInt64, firstStream: UInt32 = 1) {
        precondition(firstStream & 1 == 1, "stream \(firstStream) is not a client's")
        nextStream = firstStream
        self.role = role
        self.limits = limits
        clock = now
        input = role == .server ? .preface(matched: 0) : .frameHeader
        receiveWindow = limits.connectionWindowBytes
        streamReceiveWindow = max(Self.defaultWindow, limits.streamWindowBytes)
        earlyResets = TokenBucket(limits.earlyResets, now: now)
        provokedResets = TokenBucket(limits.provokedResets, now: now)
        controlFrames = TokenBucket(limits.controlFrames, now: now)
        emptyData = TokenBucket(limits.emptyData, now: now)
        queueOpening()
    }

    /// The next event out of `bytes`, read from `offset` on; nil when all bytes are used up.
    ///
    /// Call it until it returns nil, then with the next bytes of the peer. Ranges of `data` events
    /// are positions in `bytes`. After `failed` the rest of the input is swallowed.
    package mutating func next(
        _ bytes: Span<UInt8>,
        at offset: inout Int,
        now: UInt64
    ) -> HTTP2Event? {
        clock = now
        if let stream = orphans.popLast() {
            return .reset(stream: stream, .refusedStream, byPeer: false)
        }
        if haveWindowsGrown {
            haveWindowsGrown = false
            return .writable(stream: 0)
        }
        do throws(HTTP2Failure) {
            while true {
                switch try step(bytes, at: &offset) {
                case .event(let event): return event
                case .again: continue
                case .starved: return nil
                }
            }
        } catch {
            offset = bytes.count
            fail(error)
            return .failed(error)
        }
    }

    /// The number of streams that are open or half closed.
    package var activeStreams: Int { streams.count }

    /// Whether the connection was lost; only its output is left to send.
    package var hasFailed: Bool {
        if case .failed = input { true } else { false }
    }

    /// Whether the peer's first SETTINGS have come: it speaks HTTP/2.
    package var hasPeerSettings: Bool { isPeerKnown }

    /// Whether the peer acknowledged our SETTINGS.
    package var areSettingsAcknowledged: Bool { settingsInFlight == 0 }
}

extension HTTP2Connection {
    /// What one look at the input gave.
    enum Step {
        case event(HTTP2Event)
        /// Progress without an event.
        case again
        /// The bytes are used up.
        case starved

        init(_ event: HTTP2Event?) {
            self = event.map(Step.event) ?? .again
        }
    }

    private mutating func step(
        _ bytes: Span<UInt8>,
        at offset: inout Int
    ) throws(HTTP2Failure) -> Step {
        switch input {
        case .preface(let matched):
            return try matchPreface(bytes, at: &offset, matched)
        case .frameHeader:
            return try readFrameHeader(bytes, at: &offset)
        case .control:
            return try readControl(bytes, at: &offset)
        case .padLength:
            return try readPadLength(bytes, at: &offset)
        case .data(let left, let padding):
            return try readData(bytes, at: &offset, left, padding)
        case .skip(let left):
            let skipped = min(left, bytes.count - offset)
            offset += skipped
            guard skipped == left else {
                input = .skip(left: left - skipped)
                return .starved
            }
            input = .frameHeader
            return .again
        case .failed:
            offset = bytes.count
            return .starved
        }
    }

    /// What a client sends first: RFC 9113 §3.4.
    static let preface = [UInt8]("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private mutating func matchPreface(
        _ bytes: Span<UInt8>,
        at offset: inout Int,
        _ alreadyMatched: Int
    ) throws(HTTP2Failure) -> Step {
        var matched = alreadyMatched
        while matched < Self.preface.count {
            guard offset < bytes.count else {
                input = .preface(matched: matched)
                incompleteSince = incompleteSince ?? clock
                return .starved
            }
            guard bytes[offset] == Self.preface[matched] else {
                throw HTTP2Failure(.protocolError, "the peer does not speak HTTP/2")
            }
            offset += 1
            matched += 1
        }
        incompleteSince = nil
        input = .frameHeader
        return .again
    }

    private mutating func readFrameHeader(
        _ bytes: Span<UInt8>,
        at offset: inout Int
    ) throws(HTTP2Failure) -> Step {
        if partial.isEmpty, bytes.count - offset >= FrameHeader.length {
            frame = FrameHeader(bytes, at: offset)
            offset += FrameHeader.length
        } else {
            guard gather(FrameHeader.length, from: bytes, at: &offset) else { return .starved }
            frame = FrameHeader(partial.span, at: 0)
            partial.removeAll(keepingCapacity: true)
            endIncomplete()
        }
        return Step(try beginFrame())
    }

    private mutating func readControl(
        _ bytes: Span<UInt8>,
        at offset: inout Int
    ) throws(HTTP2Failure) -> Step {
        let length = frame.length
        if partial.isEmpty, bytes.count - offset >= length {
            let payload = bytes.extracting(offset..<offset + length)
            offset += length
            input = .frameHeader
            return Step(try receiveControl(payload))
        }
        guard gather(length, from: bytes, at: &offset) else { return .starved }
        let payload = partial
        partial = []
        input = .frameHeader
        endIncomplete()
        return Step(try receiveControl(payload.span))
    }

    /// Gathers bytes in `partial` until there are `count`; false when more must come first.
    private mutating func gather(
        _ count: Int,
        from bytes: Span<UInt8>,
        at offset: inout Int
    ) -> Bool {
        let taken = min(count - partial.count, bytes.count - offset)
        for position in offset..<offset + taken {
            partial.append(bytes[position])
        }
        offset += taken
        if partial.count == count { return true }
        if !partial.isEmpty {
            incompleteSince = incompleteSince ?? clock
        }
        return false
    }

    private mutating func endIncomplete() {
        if !headerBlock.isOpen {
            incompleteSince = nil
        }
    }
}
