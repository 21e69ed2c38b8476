internal import HTTP
internal import Reactor
internal import TLS

extension TunnelConnection {
    /// Reads taken in one turn before other connections get theirs.
    private static let readsPerTurn = 4

    /// Reads ciphertext until the socket would block or the turn is used up.
    func receive() {
        for _ in 0..<TunnelConnection.readsPerTurn {
            guard phase != .closed, socketReadable else { return }
            switch buffers.read(socket.raw) {
            case .bytes(let count):
                // A short read has drained the socket: the next edge tells of more.
                if count < WorkerBuffers.scratchBytes { socketReadable = socketClosing }
                noteReceived()
                let bytes = unsafe buffers.received[..<count]
                unsafe session.feed(UnsafeMutableRawBufferPointer(rebasing: bytes))
                open()
            case .wouldBlock:
                socketReadable = false
            case .endOfFile:
                socketReadable = false
                close(ended("the peer closed the connection"))
            case .failed(let code):
                socketReadable = false
                close(ended(SystemError(call: "recv", code: code).description))
            }
        }
    }

    private func ended(_ reason: String) -> TunnelFailure? {
        if phase == .handshake { return TunnelFailure(stage: .tls, reason: reason) }
        return isDraining && streams.isEmpty ? nil : TunnelFailure(stage: .http2, reason: reason)
    }

    /// Opens the records fed so far and hands what is in them to HTTP/2.
    func open() {
        while phase != .closed {
            switch unsafe session.read(scratch: buffers.opened, output: buffers.sealed) {
            case .bytes(let bytes):
                unsafe parse(bytes)
                // Where records are libssl's, the next read takes the place of these bytes.
                if !session.hasOwnRecords { flushGathered() }
            case .handshakeDone:
                sendSealed()
                established()
            case .needMore:
                flushGathered()
                if machine.outputCount > 0 { schedule() }
                return sendSealed()
            case .closed:
                flushGathered()
                return close(ended("the peer closed TLS"))
            case .failed(let error):
                flushGathered()
                let stage: TunnelFailure.Stage = phase == .handshake ? .tls : .http2
                return close(
                    TunnelFailure(
                        stage: error.isRevocation ? .revoked : stage,
                        reason: error.description
                    )
                )
            }
        }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        let span = unsafe bytes.bindMemory(to: UInt8.self).span
        while phase != .closed, let event = machine.next(span, at: &offset, now: loop.now) {
            unsafe handle(event, bytes)
        }
    }

    private func handle(_ event: HTTP2Event, _ bytes: UnsafeRawBufferPointer) {
        switch event {
        case .data(let id, let range, let endStream):
            guard let stream = streams[id] else {
                machine.released(id, range.count)
                return
            }
            if !range.isEmpty {
                let piece = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
                unsafe gather(stream, piece)
            }
            if endStream {
                flushGathered()
                stream.receiveEnd()
            }
        case .headers(let id, let fields, let endStream):
            headers(id, fields, endStream: endStream)
        case .informational, .settings, .pong:
            if case .settings = event { owner?.tunnelHasRoom(self) }
        case .trailers(let id, _):
            flushGathered()
            streams[id]?.receiveEnd()
        case .reset(let id, let code, let byPeer):
            flushGathered()
            streams[id]?.lost(
                byPeer || code == .refusedStream
                    ? .resetByPeer(code.rawValue) : .tunnelLost("HTTP/2 \(code)")
            )
        case .writable(let id):
            writable(id)
        case .goAway:
            isDraining = true
            owner?.tunnelDraining(self)
            schedule()
        case .failed(let failure):
            close(TunnelFailure(stage: .http2, reason: failure.description))
        }
    }

    private func headers(_ id: UInt32, _ fields: HeaderFields, endStream: Bool) {
        switch role {
        case .client:
            guard let stream = streams[id] else { return }
            let status = fields[":status"].flatMap { Int($0) } ?? 0
            stream.answered(status: status, fields: fields)
            if endStream { stream.receiveEnd() }
        case .server:
            let stream = TunnelStream(id: id, connection: self)
            streams[id] = stream
            owner?.tunnelRequested(stream, fields: fields, endStream: endStream)
            if endStream { stream.receiveEnd() }
        }
    }

    private func writable(_ id: UInt32) {
        if id == 0 {
            for stream in streams.values where stream.mayRead { enqueue(stream) }
        } else if let stream = streams[id], stream.mayRead {
            enqueue(stream)
        }
    }

    // MARK: gathering

    /// Collects the pieces of one stream so that one call writes them all.
    private func gather(_ stream: TunnelStream, _ piece: UnsafeRawBufferPointer) {
        if gatherStream !== stream || buffers.gathered.isFull { flushGathered() }
        gatherStream = stream
        unsafe buffers.gathered.append(piece)
    }

    private func flushGathered() {
        guard let stream = gatherStream else { return }
        gatherStream = nil
        stream.deliver(buffers.gathered)
        buffers.gathered.removeAll()
    }

    /// Forgets pieces of a stream that closed.
    func dropGathered() {
        gatherStream = nil
        buffers.gathered.removeAll()
    }
}
