internal import DNS
internal import Reactor

/// One TCP connection that carries DNS messages, to the pod or to a nameserver.
///
/// Messages are handed on one by one, and only while the owner has room for what they may cause;
/// what cannot be sent at once waits in `output`, which the owner keeps bounded that way.
final class PodDNSChannel: ReadinessHandler, LoopTask {
    private static let messagesPerTurn = 64

    private let server: PodDNSServer
    private let loop: EventLoop
    private weak var owner: PodDNSStream?
    private var socket: Descriptor?
    private var registration: EventLoop.Registration?
    private var input = NameStream()
    private var output: [UInt8] = []
    private var sent = 0
    private var isResumeDue = false
    private var hasEnded = false
    private var finishesAfterOutput = false

    init(server: PodDNSServer, owner: PodDNSStream) {
        self.server = server
        self.loop = server.loop
        self.owner = owner
    }

    /// Bytes that wait to be sent.
    var outputBytes: Int { output.count - sent }

    /// Takes a connected socket and begins to read and to send what waits.
    func start(_ socket: consuming Descriptor) throws(SystemError) {
        let raw = socket.raw
        self.socket = consume socket
        registration = try loop.add(raw, self)
        advance()
    }

    func ready(_ readiness: Readiness) { advance() }

    func resume() {
        isResumeDue = false
        advance()
    }

    /// Looks again for something to do, after the current events.
    func goOn() {
        guard !isResumeDue, socket != nil else { return }
        isResumeDue = true
        loop.later(self)
    }

    /// Sends a message, or keeps it until the connection can.
    func send(_ message: [UInt8]) {
        guard let frame = NameStream.frame(message) else { return }
        output += frame
        goOn()
    }

    /// Ends our direction once everything is sent, then tells the owner.
    func finishAfterOutput() {
        finishesAfterOutput = true
        goOn()
    }

    private func advance() {
        flush()
        for _ in 0..<Self.messagesPerTurn {
            guard let raw = socket?.raw, let owner, owner.hasRoom(for: self) else { return }
            if let message = input.next() {
                owner.take(message, from: self)
                continue
            }
            guard !hasEnded else { return }
            switch Socket.read(raw, into: &server.buffer.bytes) {
            case .bytes(let count): input.append(server.buffer.bytes[..<count])
            case .wouldBlock: return
            case .endOfFile:
                hasEnded = true
                owner.ended(self)
            case .failed: return owner.failed(self)
            }
        }
        goOn()
    }

    private func flush() {
        guard let raw = socket?.raw else { return }
        let before = outputBytes
        while sent < output.count {
            switch Socket.write(raw, output, from: sent) {
            case .bytes(let count): sent += count
            case .wouldBlock:
                dropSent()
                return progressed(from: before)
            case .endOfFile, .failed:
                owner?.failed(self)
                return
            }
        }
        output.removeAll(keepingCapacity: output.capacity <= 4096)
        sent = 0
        progressed(from: before)
        guard finishesAfterOutput, socket != nil else { return }
        finishesAfterOutput = false
        Socket.finishWriting(raw)
        owner?.finished(self)
    }

    private func dropSent() {
        guard sent > 65_536 else { return }
        output.removeFirst(sent)
        sent = 0
    }

    private func progressed(from before: Int) {
        if outputBytes < before { owner?.progressed(self) }
    }

    /// Closes the connection; a reset drops what waits.
    func close(reset: Bool) {
        if let registration { loop.remove(registration) }
        registration = nil
        if reset, let raw = socket?.raw { Socket.resetOnClose(raw) }
        socket = nil
        output = []
        sent = 0
    }
}
