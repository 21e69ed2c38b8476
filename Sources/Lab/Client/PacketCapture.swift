internal import CLinux
internal import Glibc
internal import Reactor

/// What crosses the wire between nodes, each frame once, as a file in pcap format.
package struct PacketCapture: ~Copyable {
    /// The longest frame kept; segments that the kernel did not cut reach 64 KiB and a bit.
    static let frameMax = 256 << 10

    /// When to stop.
    package struct Bounds: Sendable {
        package var seconds: Double?
        package var count: Int?

        package init(seconds: Double? = nil, count: Int? = nil) {
            self.seconds = seconds
            self.count = count
        }
    }

    /// What a capture saw.
    package struct Totals: Sendable {
        package var packets = 0
        /// Frames the kernel had no room for: the capture is not complete.
        package var drops: Int64 = 0
    }

    private let socket: Descriptor
    private let bridgeIndex: UInt32
    private let isWholeWire: Bool
    /// One frame's room, used again and again.
    private var buffer = [UInt8](repeating: 0, count: PacketCapture.frameMax)

    /// Begins to capture, on one node's end of the wire or on all of it.
    package init(_ client: ControlClient, node: String?) throws(LabError) {
        let reply = try client.call(.packets(node: node))
        guard let socket = client.takeDescriptor() else {
            throw LabError(.failed, "the lab gave no packet socket")
        }
        self.socket = socket
        bridgeIndex = reply.bridgeIndex ?? 0
        isWholeWire = node == nil
    }

    /// Hands out frames until a bound is reached, a stop signal comes or the handler says false.
    package mutating func run(
        within bounds: Bounds,
        stoppingAt stop: borrowing StopSignals,
        _ handle: (_ time: UInt64, _ frame: [UInt8], _ length: Int) throws(LabError) -> Bool
    ) throws(LabError) -> Totals {
        let end = bounds.seconds.map { monotonicTime() &+ UInt64(max(0, $0) * 1e9) }
        var totals = Totals()
        while totals.packets < bounds.count ?? .max, !stop.hasCome {
            let now = monotonicTime()
            if let end, now >= end { break }
            let left = end.map { Int32(clamping: ($0 - now) / 1_000_000 + 1) } ?? -1
            _ = waitToRead([socket.raw, stop.raw], milliseconds: left)
            guard waitToRead([socket.raw], milliseconds: 0) else { continue }
            guard let (frame, length) = try receive() else { continue }
            totals.packets += 1
            guard try handle(realTime(), frame, length) else { break }
        }
        totals.drops = max(0, ambit_packet_drops(socket.raw))
        return totals
    }

    // Nil for a copy of a frame that is seen elsewhere: on its way out of the bridge or within
    // the fabric.
    private mutating func receive() throws(LabError) -> (frame: [UInt8], length: Int)? {
        var sent: Int32 = 0
        var interface: UInt32 = 0
        var length = 0
        unsafe buffer.withUnsafeMutableBytes { room in
            repeat {
                length = unsafe ambit_packet_receive(
                    socket.raw,
                    room.baseAddress,
                    room.count,
                    &sent,
                    &interface
                )
            } while length < 0 && errno == EINTR
        }
        guard length >= 0 else {
            throw LabError("cannot capture", SystemError(call: "recvmsg", code: errno))
        }
        if isWholeWire, sent != 0 || interface == bridgeIndex || interface == 1 { return nil }
        return (Array(buffer.prefix(length)), length)
    }
}

/// The signals a person ends a running command with.
package struct StopSignals: ~Copyable {
    private let signals: SignalQueue

    /// Takes the signals that end the capture.
    package init() throws(LabError) {
        do {
            signals = try SignalQueue([SIGINT, SIGTERM, SIGHUP])
        } catch {
            throw LabError("cannot wait for signals", error)
        }
    }

    /// What to wait on.
    var raw: Int32 { signals.raw }

    /// Whether one has come; taken once.
    var hasCome: Bool { signals.next() != nil }

    /// Waits until a signal comes or the other side of a connection has ended.
    package func wait(orEndOf client: ControlClient) {
        _ = waitToRead([raw, client.raw], milliseconds: -1)
    }
}

/// The pcap file format: a header, then each frame with its time and length (libpcap's savefile).
package enum PacketFile {
    /// The file's first bytes: little-endian, nanosecond times, Ethernet frames.
    package static let header: [UInt8] =
        words([0xA1B2_3C4D, 0x0004_0002, 0, 0, UInt32(PacketCapture.frameMax), 1])

    /// A frame's record.
    ///
    /// The time is in nanoseconds since 1970; the length is what was on the wire, which may be
    /// more than what was kept.
    package static func record(time: UInt64, frame: [UInt8], length: Int) -> [UInt8] {
        words([
            UInt32(truncatingIfNeeded: time / 1_000_000_000),
            UInt32(truncatingIfNeeded: time % 1_000_000_000),
            UInt32(clamping: frame.count),
            UInt32(clamping: length),
        ]) + frame
    }

    private static func words(_ words: [UInt32]) -> [UInt8] {
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }
}
