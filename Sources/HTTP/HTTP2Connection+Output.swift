// Frames other than DATA on their way out.
extension HTTP2Connection {
    /// The number of bytes waiting to be sent.
    package var outputCount: Int { output.count }

    /// Takes all bytes waiting to be sent.
    package mutating func takeOutput() -> [UInt8] {
        let taken = output
        output = []
        return taken
    }

    /// Moves waiting bytes to `bytes` from `offset` on, as many as fit; returns how many.
    package mutating func moveOutput(to bytes: inout MutableSpan<UInt8>, at offset: Int) -> Int {
        let count = max(0, min(output.count, bytes.count - offset))
        for position in 0..<count {
            bytes[offset + position] = output[position]
        }
        if count == output.count {
            output = []
        } else {
            output.removeFirst(count)
        }
        return count
    }

    /// The client's preface, our SETTINGS, and the connection's window beyond the initial one.
    mutating func queueOpening() {
        if role == .client {
            output.append(contentsOf: Self.preface)
        }
        var settings: [(UInt16, UInt32)] = [
            (SettingIdentifier.initialWindowSize, UInt32(max(0, limits.streamWindowBytes))),
            (SettingIdentifier.maxFrameSize, UInt32(clamping: limits.frameBytesMax)),
            (SettingIdentifier.maxHeaderListSize, UInt32(clamping: limits.headerListBytesMax)),
        ]
        switch role {
        case .client:
            settings.append((SettingIdentifier.enablePush, 0))
        case .server:
            settings.append(
                (SettingIdentifier.maxConcurrentStreams, UInt32(clamping: limits.streamsMax))
            )
        }
        queueFrame(FrameType.settings, flags: 0, stream: 0, length: 6 * settings.count)
        for (identifier, value) in settings {
            appendUInt16(identifier, to: &output)
            appendUInt32(value, to: &output)
        }
        if limits.connectionWindowBytes > Self.defaultWindow {
            queueWindowUpdate(0, UInt32(limits.connectionWindowBytes - Self.defaultWindow))
        } else {
            // A window cannot start lower than the protocol's.
            receiveWindow = Self.defaultWindow
        }
    }

    mutating func queueFrame(_ type: UInt8, flags: UInt8, stream: UInt32, length: Int) {
        FrameHeader(length: length, type: type, flags: flags, stream: stream)
            .append(to: &output)
    }

    /// Queues an answer that a peer can cause at will, up to the bound of the output.
    mutating func queueReply(
        _ type: UInt8,
        flags: UInt8,
        _ pingPayload: UInt64? = nil
    ) throws(HTTP2Failure) {
        guard output.count <= limits.outputBytesMax else {
            throw HTTP2Failure(.enhanceYourCalm, "the peer does not read the answers it causes")
        }
        if let pingPayload {
            queuePing(pingPayload, flags: flags)
        } else {
            queueFrame(type, flags: flags, stream: 0, length: 0)
        }
    }

    mutating func queuePing(_ payload: UInt64, flags: UInt8) {
        queueFrame(FrameType.ping, flags: flags, stream: 0, length: 8)
        appendUInt32(UInt32(truncatingIfNeeded: payload >> 32), to: &output)
        appendUInt32(UInt32(truncatingIfNeeded: payload), to: &output)
    }

    mutating func queueReset(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        queueFrame(FrameType.resetStream, flags: 0, stream: stream, length: 4)
        appendUInt32(code.rawValue, to: &output)
    }

    mutating func queueWindowUpdate(_ stream: UInt32, _ increment: UInt32) {
        queueFrame(FrameType.windowUpdate, flags: 0, stream: stream, length: 4)
        appendUInt32(increment, to: &output)
    }

    mutating func queueGoAway(lastStream: UInt32, _ code: HTTP2ErrorCode) {
        queueFrame(FrameType.goAway, flags: 0, stream: 0, length: 8)
        appendUInt32(lastStream, to: &output)
        appendUInt32(code.rawValue, to: &output)
    }

    /// Encodes a list into HEADERS, and CONTINUATIONs where the peer's frame size asks for them.
    mutating func queueHeaders(_ stream: UInt32, _ fields: HeaderFields, endStream: Bool) {
        var block: [UInt8] = []
        guard encoder.encode(fields, into: &block) else {
            // Out of memory inside the encoder: its table is lost, and so is the connection.
            fail(HTTP2Failure(.internalError, "the header encoder failed"))
            return
        }
        var start = 0
        repeat {
            let end = min(block.count, start + peerFrameBytesMax)
            let isFirst = start == 0
            var flags = end == block.count ? FrameFlags.endHeaders : 0
            if isFirst, endStream {
                flags |= FrameFlags.endStream
            }
            queueFrame(
                isFirst ? FrameType.headers : FrameType.continuation,
                flags: flags,
                stream: stream,
                length: end - start
            )
            output.append(contentsOf: block[start..<end])
            start = end
        } while start < block.count
    }
}
