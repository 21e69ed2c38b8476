internal import HTTP
internal import Reactor
internal import TLS

extension TunnelConnection {
    /// Frames what is ready, seals it and sends it: control frames first, then streams in turn.
    func flush() {
        guard phase != .closed, unsent.isEmpty else { return }
        guard phase == .open else { return }
        var used = takeControl(0)
        var turn: [TunnelStream] = []
        swap(&turn, &sending)
        var next = 0
        while next < turn.count, phase == .open, buffers.sealed.count < limits.unsentBytesMax {
            if used + TunnelConnection.slotBytes > WorkerBuffers.scratchBytes {
                guard seal(used) else { return }
                used = 0
            }
            let stream = turn[next]
            next += 1
            stream.isQueued = false
            guard stream.connection != nil else { continue }
            used = frame(stream, from: used, alone: turn.count == 1)
        }
        // Those that had no turn come first next time; the array's memory is used again.
        if next < turn.count { sending.insert(contentsOf: turn[next...], at: 0) }
        turn.removeAll(keepingCapacity: true)
        if sending.isEmpty { swap(&turn, &sending) }
        guard phase == .open else { return }
        used = takeControl(used)
        guard seal(used) else { return }
        sendSealed()
    }

    /// Moves the machine's control frames into the scratch; returns the new end.
    private func takeControl(_ used: Int) -> Int {
        guard machine.outputCount > 0 else { return used }
        let elements = unsafe buffers.framedElements
        var target = unsafe elements.mutableSpan
        return used + machine.moveOutput(to: &target, at: used)
    }

    /// Reads one stream's socket straight into frame slots behind `used`; returns the new end.
    private func frame(_ stream: TunnelStream, from used: Int, alone: Bool) -> Int {
        guard stream.mayRead else { return used }
        let window = machine.sendable(stream.id)
        // Without window it comes back with a `writable` event.
        guard window > 0 else { return used }
        let room = (WorkerBuffers.scratchBytes - used) / TunnelConnection.slotBytes
        let slots = stream.slotsWanted(limit: alone ? room : min(room, 4))
        let bytesMax = min(window, slots * TunnelConnection.slotPayload)
        switch readSlots(stream, from: used, bytesMax: bytesMax) {
        case .bytes(let count, let more):
            let end = frameSlots(stream, from: used, bytes: count)
            if more { enqueue(stream) }
            return end
        case .ended:
            writeHeader(stream, at: used, length: 0, endStream: true)
            stream.sentEndOfStream()
            return used + 9
        case .blocked, .failed:
            return used
        }
    }

    private func readSlots(
        _ stream: TunnelStream,
        from used: Int,
        bytesMax: Int
    ) -> TunnelStream.Filled {
        let slots = buffers.slots
        slots.removeAll()
        var start = used + 9
        while slots.byteCount < bytesMax {
            let length = min(bytesMax - slots.byteCount, TunnelConnection.slotPayload)
            let slot = unsafe buffers.framed[start..<start + length]
            unsafe slots.append(UnsafeMutableRawBufferPointer(rebasing: slot))
            start += TunnelConnection.slotBytes
        }
        return stream.fill(slots)
    }

    private func frameSlots(_ stream: TunnelStream, from used: Int, bytes: Int) -> Int {
        var left = bytes
        var end = used
        while left > 0 {
            let length = min(left, TunnelConnection.slotPayload)
            writeHeader(stream, at: end, length: length, endStream: false)
            end += 9 + length
            left -= length
        }
        return end
    }

    private func writeHeader(_ stream: TunnelStream, at offset: Int, length: Int, endStream: Bool) {
        let elements = unsafe buffers.framedElements
        var target = unsafe elements.mutableSpan
        let isWritten = machine.writeDataHeader(
            stream.id,
            length: length,
            endStream: endStream,
            into: &target,
            at: offset
        )
        precondition(isWritten, "a DATA frame beyond what its stream may send")
    }

    /// Seals framed bytes into the session's output; false when the connection failed.
    private func seal(_ used: Int) -> Bool {
        guard used > 0 else { return true }
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffers.framed[..<used])
        guard let error = unsafe session.write(bytes, output: buffers.sealed) else { return true }
        close(TunnelFailure(stage: .http2, reason: error.description))
        return false
    }

    /// Sends what is sealed; the rest waits until the socket is writable.
    func sendSealed() {
        let bytes = unsafe buffers.sealed.bytes
        guard !buffers.sealed.isEmpty else { return }
        var failure: Int32?
        var sent = 0
        var isBlocked = !unsent.isEmpty
        while !isBlocked, failure == nil, sent < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[sent...])
            switch unsafe Socket.write(socket.raw, rest) {
            case .bytes(let count): sent += count
            case .wouldBlock, .endOfFile: isBlocked = true
            case .failed(let code): failure = code
            }
        }
        if isBlocked { unsafe unsent.append(UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
        buffers.sealed.removeAll()
        if let failure {
            close(
                TunnelFailure(
                    stage: phase == .handshake ? .tls : .http2,
                    reason: SystemError(call: "send", code: failure).description
                )
            )
        }
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
        let used = session.isEstablished ? takeControl(0) : 0
        if used > 0 {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffers.framed[..<used])
            _ = unsafe session.write(bytes, output: buffers.sealed)
        }
        if session.isEstablished { session.close(output: buffers.sealed) }
        if unsent.isEmpty, !buffers.sealed.isEmpty {
            _ = unsafe Socket.write(socket.raw, buffers.sealed.bytes)
        }
        buffers.sealed.removeAll()
    }
}
