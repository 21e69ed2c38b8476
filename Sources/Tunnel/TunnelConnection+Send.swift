internal import HTTP
internal import Reactor
internal import TLS

extension TunnelConnection {
    /// Frames what is ready, seals it and sends it: control frames first, then streams in turn.
    func flush() {
        guard phase == .open, unsent.isEmpty else { return }
        takeControl()
        var turn: [TunnelStream] = []
        swap(&turn, &sending)
        var next = 0
        var sent = 0
        while next < turn.count, phase == .open, unsent.isEmpty, sent < limits.turnBytesMax {
            let stream = turn[next]
            next += 1
            stream.isQueued = false
            guard stream.connection != nil else { continue }
            sent += frame(stream, alone: turn.count == 1)
        }
        // Those that had no turn come first next time; the array's memory is used again.
        if next < turn.count { sending.insert(contentsOf: turn[next...], at: 0) }
        turn.removeAll(keepingCapacity: true)
        if sending.isEmpty { swap(&turn, &sending) }
        guard phase == .open else { return buffers.batch.removeAll() }
        takeControl()
        sendBatch()
    }

    /// Moves the machine's control frames into the batch.
    private func takeControl() {
        while machine.outputCount > 0 {
            buffers.batch.append { target in machine.moveOutput(to: &target, at: 0) }
            guard machine.outputCount > 0 else { return }
            guard sendBatch(), unsent.isEmpty else { return }
        }
    }

    /// Reads one stream's socket into the batch; how many bytes it gave.
    private func frame(_ stream: TunnelStream, alone: Bool) -> Int {
        guard stream.mayRead else { return 0 }
        let batch = buffers.batch
        if batch.payloadRoom(frames: 1) == 0 {
            guard sendBatch(), unsent.isEmpty else {
                if phase == .open { enqueue(stream) }
                return 0
            }
        }
        let window = machine.sendable(stream.id)
        // Without window it comes back with a `writable` event.
        guard window > 0 else { return 0 }
        let slots = stream.slotsWanted(limit: alone ? batch.recordsMax : 16)
        let room = min(window, batch.payloadRoom(frames: slots))
        let filled = batch.read(stream, bytesMax: room) { target, length in
            writeHeader(stream, into: &target, length: length, endStream: false)
        }
        switch filled {
        case .bytes(let count, let more):
            if more { enqueue(stream) }
            return count
        case .ended:
            batch.appendEmpty { target, _ in
                writeHeader(stream, into: &target, length: 0, endStream: true)
            }
            stream.sentEndOfStream()
            return 0
        case .blocked, .failed:
            return 0
        }
    }

    private func writeHeader(
        _ stream: TunnelStream,
        into target: inout MutableSpan<UInt8>,
        length: Int,
        endStream: Bool
    ) {
        let isWritten = machine.writeDataHeader(
            stream.id,
            length: length,
            endStream: endStream,
            into: &target,
            at: 0
        )
        precondition(isWritten, "a DATA frame beyond what its stream may send")
    }

    /// Seals and sends the batch; what the socket does not take waits.
    ///
    /// False when the connection failed.
    @discardableResult
    private func sendBatch() -> Bool {
        let batch = buffers.batch
        defer { batch.removeAll() }
        guard !batch.isEmpty else { return true }
        if let error = batch.seal(with: session, output: buffers.sealed) {
            close(TunnelFailure(stage: .http2, reason: error.description))
            return false
        }
        sendSealed()
        guard phase != .closed else { return false }
        unsafe send(batch.sealed)
        return phase != .closed
    }

    /// Sends what the session put out.
    func sendSealed() {
        guard !buffers.sealed.isEmpty else { return }
        unsafe send(buffers.sealed.bytes)
        buffers.sealed.removeAll()
    }

    /// Sends ciphertext; the rest waits until the socket is writable.
    private func send(_ bytes: UnsafeRawBufferPointer) {
        var sent = 0
        var isBlocked = !unsent.isEmpty
        while !isBlocked, sent < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[sent...])
            switch unsafe Socket.write(socket.raw, rest) {
            case .bytes(let count): sent += count
            case .wouldBlock, .endOfFile: isBlocked = true
            case .failed(let code):
                let stage: TunnelFailure.Stage = phase == .handshake ? .tls : .http2
                let reason = SystemError(call: "send", code: code).description
                return close(TunnelFailure(stage: stage, reason: reason))
            }
        }
        if isBlocked { unsafe unsent.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
    }

    /// Sends what waited; false when the connection failed.
    func sendUnsent() -> Bool {
        var blocked = false
        while !unsent.isEmpty, !blocked {
            var failure: Int32?
            unsafe unsent.consume { bytes in
                switch unsafe Socket.write(socket.raw, bytes) {
                case .bytes(let count): return count
                case .wouldBlock, .endOfFile: blocked = true
                case .failed(let code): failure = code
                }
                return 0
            }
            if let failure {
                let reason = SystemError(call: "send", code: failure).description
                close(TunnelFailure(stage: .http2, reason: reason))
                return false
            }
        }
        if !blocked { schedule() }
        return true
    }

    /// Tries once to send the alert or GOAWAY that explains the end; nothing waits for it.
    func sendFarewell() {
        if session.isEstablished {
            let frames = machine.takeOutput()
            _ = unsafe frames.withUnsafeBytes { bytes in
                unsafe session.write(bytes, output: buffers.sealed)
            }
            session.close(output: buffers.sealed)
        }
        if unsent.isEmpty, !buffers.sealed.isEmpty {
            _ = unsafe Socket.write(socket.raw, buffers.sealed.bytes)
        }
        buffers.sealed.removeAll()
    }
}
