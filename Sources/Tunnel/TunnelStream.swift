package import HTTP
package import Reactor

/// What a stream's owner is told before its relay starts; called on the loop's thread.
package protocol TunnelStreamOwner: AnyObject {
    /// The peer answered our CONNECT: 200 means that bytes may flow.
    func streamAnswered(_ stream: TunnelStream, status: Int, fields: HeaderFields)
    /// The stream is gone before a socket was attached; called at most once.
    func streamLost(_ stream: TunnelStream, _ end: RelayEnd)
}

/// One CONNECT stream of a tunnel and the socket its bytes belong to.
///
/// Lives on its connection's loop. Before `attach` the owner hears of it, afterwards the observer.
/// Truth table: socket FIN → END_STREAM; END_STREAM → FIN after all bytes; socket RST →
/// RST_STREAM(CANCEL); RST_STREAM → RST; connection lost → RST.
package final class TunnelStream: ReadinessHandler {
    package let id: UInt32
    /// The connection, nil once the stream is closed.
    package private(set) var connection: TunnelConnection?
    /// Told before a socket is attached.
    package weak var owner: (any TunnelStreamOwner)?

    private var observer: (any RelayObserver)?
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var pending = PendingBytes()
    private var socketReadable = true
    /// The socket has said FIN or RST: a short read does not mean that nothing is left to read.
    private var socketClosing = false
    private var socketWritable = true
    private var socketEnded = false
    private var sentEnd = false
    private var receivedEnd = false
    private var finishedWriting = false
    /// Whether it stands in the connection's sending queue.
    var isQueued = false
    /// Frame slots to read into next time: grows with full reads, shrinks with short ones.
    private var slots = 1

    init(id: UInt32, connection: TunnelConnection) {
        self.id = id
        self.connection = connection
    }

    /// Bytes that wait for the socket.
    package var pendingBytes: Int { pending.count }

    /// Whether a socket was attached.
    package var hasSocket: Bool { socket != nil }

    /// The stream was answered with END_STREAM and will have no socket: let it go.
    package func refused() {
        observer = nil
        owner = nil
        // Where the answer could not end it, the reset does.
        connection?.reset(self, code: .noError)
        close(.closed("refused"))
    }

    /// Gives the stream its socket: early bytes go out, then both directions flow.
    package func attach(_ socket: consuming Descriptor, observer: any RelayObserver) {
        guard let connection else {
            Socket.resetOnClose(socket.raw)
            return observer.relayEnded(.tunnelLost("the tunnel closed"))
        }
        self.observer = observer
        do throws(SystemError) {
            registration = try connection.loop.add(socket.raw, self)
        } catch {
            self.socket = consume socket
            return fail(.resetBySocket(error.code), code: .cancel)
        }
        self.socket = consume socket
        flushPending()
        if self.connection != nil { connection.enqueue(self) }
    }

    /// Ends the stream from our side; the socket, if any, is reset.
    package func abort(_ reason: String) {
        fail(.closed(reason), code: .cancel)
    }

    /// The stream's socket changed; called by the loop.
    package func ready(_ readiness: Readiness) {
        guard let connection, let raw = socket?.raw else { return }
        if readiness.isClosing { socketClosing = true }
        if readiness.hasError {
            if socketEnded {
                let code = Socket.takeError(raw)
                if code != 0 { return fail(.resetBySocket(code), code: .cancel) }
            }
            socketReadable = true
        }
        if readiness.mayWrite, !socketWritable {
            socketWritable = true
            flushPending()
        }
        guard self.connection != nil else { return }
        if readiness.mayRead { socketReadable = true }
        if socketReadable, !socketEnded { connection.enqueue(self) }
    }

    // MARK: from the tunnel to the socket

    /// Takes bytes of DATA frames, valid only during the call.
    func deliver(_ pieces: IOVectorList) {
        var written = 0
        if let raw = socket?.raw, pending.isEmpty, socketWritable {
            switch pieces.write(to: raw) {
            case .bytes(let count): written = count
            case .wouldBlock, .endOfFile: break
            case .failed(let code): return fail(.resetBySocket(code), code: .cancel)
            }
            if written < pieces.byteCount { socketWritable = false }
            delivered(written)
        }
        guard connection != nil, written < pieces.byteCount else { return }
        unsafe pieces.forEach(after: written) { unsafe pending.append($0) }
    }

    /// The peer finished its half.
    func receiveEnd() {
        receivedEnd = true
        finishWritingIfDone()
    }

    private func flushPending() {
        guard let raw = socket?.raw else { return }
        while socketWritable, !pending.isEmpty {
            var outcome = Transfer.wouldBlock
            unsafe pending.consume { bytes in
                let part = unsafe UnsafeRawBufferPointer(
                    rebasing: bytes.prefix(WorkerBuffers.scratchBytes)
                )
                outcome = unsafe Socket.write(raw, part)
                guard case .bytes(let count) = outcome else { return 0 }
                return count
            }
            switch outcome {
            case .bytes(let count): delivered(count)
            case .wouldBlock, .endOfFile: socketWritable = false
            case .failed(let code): return fail(.resetBySocket(code), code: .cancel)
            }
        }
        finishWritingIfDone()
    }

    private func delivered(_ count: Int) {
        guard count > 0 else { return }
        observer?.relayed(toSocket: count, fromSocket: 0)
        connection?.released(self, bytes: count)
    }

    private func finishWritingIfDone() {
        guard receivedEnd, pending.isEmpty, !finishedWriting, let raw = socket?.raw else { return }
        finishedWriting = true
        // With the other half over too, the close itself says FIN.
        if !sentEnd { Socket.finishWriting(raw) }
        finishIfDone()
    }

    // MARK: from the socket to the tunnel

    /// Whether a read from the socket is worth trying.
    var mayRead: Bool { socket != nil && socketReadable && !sentEnd }

    /// How many frame slots the next read should offer, of at most `limit`.
    func slotsWanted(limit: Int) -> Int { min(slots, limit) }

    /// What one read for the tunnel came to.
    enum Filled {
        case bytes(Int, more: Bool)
        case ended
        case blocked
        case failed
    }

    /// Reads from the socket into the given slots.
    func fill(_ room: IOVectorList) -> Filled {
        guard let raw = socket?.raw else { return .blocked }
        switch room.read(from: raw) {
        case .bytes(let bytes):
            let isFull = bytes == room.byteCount
            if isFull {
                slots = min(slots * 4, WorkerBuffers.recordsMax)
            } else {
                // A short read has drained the socket: the next edge tells of more.
                socketReadable = socketClosing
                slots = 1 + bytes / RecordBatch.payloadMax
            }
            observer?.relayed(toSocket: 0, fromSocket: bytes)
            return .bytes(bytes, more: socketReadable)
        case .wouldBlock:
            socketReadable = false
            return .blocked
        case .endOfFile:
            socketEnded = true
            socketReadable = false
            return .ended
        case .failed(let code):
            fail(.resetBySocket(code), code: .cancel)
            return .failed
        }
    }

    /// END_STREAM went out.
    func sentEndOfStream() {
        sentEnd = true
        finishIfDone()
    }

    private func finishIfDone() {
        guard sentEnd, finishedWriting else { return }
        close(.finished)
    }

    // MARK: ends

    /// The peer's headers answered our request.
    func answered(status: Int, fields: HeaderFields) {
        owner?.streamAnswered(self, status: status, fields: fields)
    }

    /// The peer reset the stream or the connection is gone.
    func lost(_ end: RelayEnd) {
        close(end)
    }

    private func fail(_ end: RelayEnd, code: HTTP2ErrorCode) {
        connection?.reset(self, code: code)
        close(end)
    }

    private func close(_ end: RelayEnd) {
        guard let connection else { return }
        self.connection = nil
        if let registration { connection.loop.removeClosing(registration) }
        registration = nil
        pending.removeAll()
        if let raw = socket?.raw, end != .finished { Socket.resetOnClose(raw) }
        socket = nil
        connection.closed(self)
        if let observer {
            self.observer = nil
            observer.relayEnded(end)
        } else {
            owner?.streamLost(self, end)
        }
        owner = nil
    }
}
