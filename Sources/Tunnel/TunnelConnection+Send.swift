internal import Glibc
internal import HTTP
internal import Reactor
internal import TLS

extension TunnelConnection {
    /// Frames what is ready, seals it and sends it: control frames first, then streams in turn.
    func flush() {
        guard phase != .closed, unsent.isEmpty else { return }
        guard phase == .open else {
            sendSealed()
            return
        }
        var used = takeControl(0)
        var turn: [TunnelStream] = []
        swap(&turn, &sending)
        var next = 0
        while next < turn.count, phase == .open, session.output.count < limits.unsentBytesMax {
            if used + TunnelConnection.slotBytes > buffers.framed.count {
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
        guard machine.hasOutput else { return used }
        var end = used
        machine.drainOutput { bytes in
            let room = unsafe buffers.framed.count - end
            let count = min(room, bytes.count)
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffers.framed[end...])
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            end += count
            return count
        }
        return end
    }

    /// Reads one stream's socket straight into frame slots behind `used`; returns the new end.
    private func frame(_ stream: TunnelStream, from used: Int, alone: Bool) -> Int {
        guard stream.mayRead else { return used }
        let window = machine.sendable(stream: stream.id)
        // Without window it comes back with a `writable` event.
        guard window > 0 else { return used }
        let room = unsafe (buffers.framed.count - used) / TunnelConnection.slotBytes
        let slots = stream.slotsWanted(limit: alone ? room : min(room, 4))
        let bytesMax = min(window, slots * TunnelConnection.slotPayload)
        switch unsafe readSlots(stream, from: used, bytesMax: bytesMax) {
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

    private func readSlots(_ stream: TunnelStream, from used: Int, bytesMax: Int) -> TunnelStream.Filled {
        guard let base = unsafe buffers.framed.baseAddress else { return .blocked }
        return unsafe withUnsafeTemporaryAllocation(
            of: iovec.self,
            capacity: TunnelConnection.slotsMax
        ) { parts in
            var count = 0
            var left = bytesMax
            while left > 0, count < parts.count {
                let length = min(left, TunnelConnection.slotPayload)
                let offset = used + count * TunnelConnection.slotBytes + 9
                unsafe parts[count] = iovec(iov_base: base + offset, iov_len: length)
                left -= length
                count += 1
            }
            guard let first = unsafe parts.baseAddress else { return .blocked }
            return unsafe stream.fill(first, count: count, room: bytesMax - left)
        }
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
        let header = unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffers.framed[offset..<offset + 9]
        )
        unsafe machine.dataHeader(
            stream: stream.id,
            length: length,
            endStream: endStream,
            into: header
        )
    }

    /// Seals framed bytes into the session's output; false when the connection failed.
    private func seal(_ used: Int) -> Bool {
        guard used > 0 else { return true }
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffers.framed[..<used])
        switch unsafe session.write(bytes) {
        case .written: return true
        case .failed(let error):
            close(TunnelFailure(stage: .http2, reason: error.description))
            return false
        }
    }

    /// Sends what is sealed; the rest waits until the socket is writable.
    func sendSealed() {
        guard !session.output.isEmpty else { return }
        var failure: Int32?
        session.output.withBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[sent...])
                switch unsafe Socket.write(socket.raw, rest) {
                case .bytes(let count):
                    sent += count
                    continue
                case .wouldBlock, .endOfFile: unsafe unsent.append(rest)
                case .failed(let code): failure = code
                }
                break
            }
        }
        session.output.removeAll()
        if let failure, phase != .closed {
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
            unsent.consume { bytes in
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
        guard unsent.isEmpty else { return }
        if phase != .handshake {
            let used = takeControl(0)
            if used > 0 {
                _ = unsafe session.write(UnsafeRawBufferPointer(rebasing: buffers.framed[..<used]))
            }
        }
        session.output.withBytes { bytes in
            _ = unsafe Socket.write(socket.raw, bytes)
        }
        session.output.removeAll()
    }
}
