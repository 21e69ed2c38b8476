internal import Glibc
package import Reactor

/// A client's end of the control socket, blocking; one request is answered before the next.
package final class ControlClient {
    private let socket: Descriptor
    private var reader = FrameReader()
    private var received: [Int32] = []

    /// The supervisor's process id as this process sees it.
    package let supervisor: Int32

    /// Connects to a lab that is up.
    package init(lab: String) throws(LabError) {
        let user: UInt32
        do {
            socket = try ControlSocket.connect(lab: lab)
            (supervisor, user) = try ControlSocket.peer(of: socket.raw)
        } catch {
            guard error.code == ECONNREFUSED else {
                throw LabError("cannot reach lab \(lab)", error)
            }
            throw LabError(.noLab, "no lab named \(lab) is up (start one with: ambit lab up FILE)")
        }
        // Anyone may take a free abstract name; only our own user or root is a supervisor.
        guard user == 0 || user == geteuid() else {
            throw LabError(.notPermitted, "user \(user) holds the name of lab \(lab)")
        }
    }

    deinit {
        for descriptor in received { close(descriptor) }
    }

    /// The descriptor to wait on for an answer.
    package var raw: Int32 { socket.raw }

    /// Sends a request with descriptors, which stay the caller's.
    package func send(_ request: Request, descriptors: [Int32] = []) throws(LabError) {
        var rest = try encodeFrame(request)[...]
        var attached = descriptors
        while !rest.isEmpty {
            do {
                let sent = try Calls.send(socket.raw, rest, descriptors: attached)
                rest = rest.dropFirst(sent)
                attached = []
            } catch {
                throw LabError("cannot send to the lab", error)
            }
        }
    }

    /// Waits for the next answer; throws the failure it carries.
    package func receive() throws(LabError) -> Reply {
        while true {
            if let frame = try reader.next() {
                let reply = try decodeFrame(frame, as: Reply.self)
                if let failure = reply.failure { throw failure }
                return reply
            }
            do throws(SystemError) {
                guard let part = try Calls.receive(socket.raw, room: 64 << 10) else { continue }
                received += part.descriptors
                guard !part.bytes.isEmpty else { throw SystemError(call: "read", code: ECONNRESET) }
                reader.append(part.bytes)
            } catch {
                throw LabError("the lab has ended", error)
            }
        }
    }

    /// Whether an answer was received along with the one before it.
    var hasReply: Bool { reader.hasFrame }

    /// Sends a request and waits for its answer.
    @discardableResult
    package func call(_ request: Request, descriptors: [Int32] = []) throws(LabError) -> Reply {
        try send(request, descriptors: descriptors)
        return try receive()
    }

    /// Takes the oldest descriptor that came with an answer.
    package func takeDescriptor() -> Descriptor? {
        received.isEmpty ? nil : Descriptor(owning: received.removeFirst())
    }
}
