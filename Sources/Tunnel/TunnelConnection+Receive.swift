internal import Glibc
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
            switch unsafe Socket.read(socket.raw, buffers.received) {
            case .bytes(let count):
                // A short read has drained the socket: the next edge tells of more.
                if count < buffers.received.count { socketReadable = false }
                noteReceived()
                unsafe session.feed(UnsafeRawBufferPointer(rebasing: buffers.received[..<count]))
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
    private func open() {
        while phase != .closed {
            switch unsafe session.read(into: buffers.opened) {
            case .bytes(let count):
                if phase == .handshake { established() }
                unsafe parse(UnsafeRawBufferPointer(rebasing: buffers.opened[..<count]))
            case .needMore:
                if phase == .handshake, session.isEstablished { established() }
                return
            case .closed:
                return close(ended("the peer closed TLS"))
            case .failed(let error):
                sendFarewell()
                let stage: TunnelFailure.Stage = phase == .handshake ? .tls : .http2
                return close(TunnelFailure(stage: stage, reason: error.description))
            }
        }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) {
        var offset = 0
        while phase != .closed,
            let event = unsafe machine.next(bytes, at: &offset, now: loop.now)
        {
            unsafe handle(event, bytes)
        }
        flushGathered()
        if machine.hasOutput { schedule() }
    }

    private func handle(_ event: HTTP2Event, _ bytes: UnsafeRawBufferPointer) {
        switch event {
        case .data(let id, let range, let endStream):
            guard let stream = streams[id] else {
                machine.released(stream: id, bytes: range.count)
                return
            }
            if !range.isEmpty { unsafe gather(stream, UnsafeRawBufferPointer(rebasing: bytes[range])) }
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
            sendFarewell()
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
        if gatherStream !== stream || unsafe gathered.count >= 64 { flushGathered() }
        gatherStream = stream
        let base = unsafe UnsafeMutableRawPointer(mutating: piece.baseAddress)
        unsafe gathered.append(iovec(iov_base: base, iov_len: piece.count))
        gatheredBytes += piece.count
    }

    private func flushGathered() {
        guard let stream = gatherStream else { return }
        gatherStream = nil
        let bytes = gatheredBytes
        gatheredBytes = 0
        // Delivering may end streams or the connection, which touch `gathered`: it stands aside.
        var parts: [iovec] = []
        unsafe swap(&parts, &gathered)
        unsafe stream.deliver(&parts, bytes: bytes)
        unsafe parts.removeAll(keepingCapacity: true)
        if unsafe gathered.isEmpty { unsafe swap(&parts, &gathered) }
    }

    /// Forgets pieces of a stream that closed; their memory is not ours.
    func dropGathered() {
        gatherStream = nil
        gatheredBytes = 0
        unsafe gathered.removeAll(keepingCapacity: true)
    }
}
