internal import Glibc
internal import Reactor

/// The supervisor's end of one client's connection.
final class ControlConnection {
    /// Answers that wait for a client that does not read are cut off here.
    static let outputMax = 64 << 20

    private struct Output {
        var bytes: ArraySlice<UInt8>
        /// Goes with the first byte.
        var descriptor: Descriptor.Shared?
    }

    private let socket: Descriptor
    private let loop: PollLoop
    private var reader = FrameReader()
    private var outputs: [Output] = []
    private var isClosed = false
    private let handle: (Request, ControlConnection) -> Void
    private let whenClosed: (ControlConnection) -> Void

    /// Descriptors that came with requests and were not taken yet.
    private var received: [Int32] = []
    /// The command that runs for this connection.
    var execution: Int32?
    /// Whether the lab ends with this connection.
    var isAttached = false

    init(
        _ socket: consuming Descriptor,
        loop: PollLoop,
        handle: @escaping (Request, ControlConnection) -> Void,
        whenClosed: @escaping (ControlConnection) -> Void
    ) {
        self.socket = socket
        self.loop = loop
        self.handle = handle
        self.whenClosed = whenClosed
    }

    deinit {
        for descriptor in received { close(descriptor) }
    }

    /// Begins to serve; false when the loop has no room.
    func start() -> Bool {
        loop.watch(socket.raw) { [self] in
            send()
            receive()
        }
    }

    /// Takes the descriptors that came so far, which are then the caller's to close.
    func takeDescriptors() -> [Descriptor.Shared] {
        defer { received = [] }
        return received.map { Descriptor.Shared(owning: $0) }
    }

    /// Queues an answer, with a descriptor if it has one.
    func reply(_ reply: Reply, with descriptor: Descriptor.Shared? = nil) {
        guard !isClosed else { return }
        let frame = (try? encodeFrame(reply)) ?? []
        let waiting = outputs.reduce(0) { $0 + $1.bytes.count }
        guard !frame.isEmpty, waiting + frame.count <= Self.outputMax else { return end() }
        outputs.append(Output(bytes: frame[...], descriptor: descriptor))
        send()
    }

    /// Queues the answer that a request failed.
    func refuse(_ error: LabError) {
        reply(Reply(failure: error))
    }

    /// Closes the connection.
    func end() {
        guard !isClosed else { return }
        isClosed = true
        loop.forget(socket.raw)
        whenClosed(self)
    }

    private func receive() {
        while !isClosed {
            let part: (bytes: [UInt8], descriptors: [Int32])
            do throws(SystemError) {
                guard let some = try Calls.receive(socket.raw, room: 64 << 10) else { return }
                part = some
            } catch {
                return end()
            }
            received += part.descriptors
            guard !part.bytes.isEmpty, received.count <= 16 else { return end() }
            reader.append(part.bytes)
            do throws(LabError) {
                while !isClosed, let frame = try reader.next() {
                    handle(try decodeFrame(frame, as: Request.self), self)
                }
            } catch {
                refuse(error)
                return end()
            }
        }
    }

    private func send() {
        while !isClosed, let output = outputs.first {
            do throws(SystemError) {
                let descriptors = output.descriptor.map { [$0.raw] } ?? []
                let sent = try Calls.send(socket.raw, output.bytes, descriptors: descriptors)
                if sent == 0 { break }
                outputs[0].descriptor = nil
                outputs[0].bytes = output.bytes.dropFirst(sent)
                if outputs[0].bytes.isEmpty { outputs.removeFirst() }
            } catch {
                return end()
            }
        }
        loop.setWritable(socket.raw, !outputs.isEmpty)
    }
}

extension Descriptor {
    /// A descriptor with several holders, closed when the last lets go.
    final class Shared {
        let raw: Int32

        /// Takes ownership of an open descriptor.
        init(owning raw: Int32) {
            self.raw = raw
        }

        deinit {
            close(raw)
        }
    }
}
