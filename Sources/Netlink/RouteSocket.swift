internal import CNetfilter
internal import Glibc
package import Reactor

/// A routing socket of one network namespace: links, addresses, routes and policy rules.
///
/// It works on the namespace it was opened in for as long as it lives, wherever its thread goes.
/// Every call waits for the kernel's answer, which comes at once. One thread at a time.
@safe package struct RouteSocket: ~Copyable {
    private let socket: OpaquePointer
    private var sequence: UInt32 = 0

    /// Opens a socket in the calling thread's network namespace.
    package init() throws(NetlinkError) {
        unsafe socket = try Self.open()
    }

    /// Opens a socket in a namespace, leaving the calling thread where it is.
    package init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        var opened: OpaquePointer?
        var failure: NetlinkError?
        do throws(SystemError) {
            try namespace.run { () throws(SystemError) in
                do throws(NetlinkError) {
                    unsafe opened = try Self.open()
                } catch {
                    failure = error
                }
            }
        } catch {
            throw NetlinkError(operation: "enter network namespace", error)
        }
        if let failure { throw failure }
        guard let opened = unsafe opened else { preconditionFailure("no socket and no failure") }
        unsafe socket = opened
    }

    private static func open() throws(NetlinkError) -> OpaquePointer {
        guard let opened = unsafe ambit_route_socket() else {
            throw NetlinkError(operation: "open routing socket", code: errno)
        }
        guard unsafe mnl_socket_bind(opened, 0, Int32(MNL_SOCKET_AUTOPID)) == 0 else {
            let code = errno
            unsafe mnl_socket_close(opened)
            throw NetlinkError(operation: "bind routing socket", code: code)
        }
        // Without it errors carry no words; the numbers still come.
        var on: Int32 = 1
        unsafe mnl_socket_setsockopt(
            opened,
            Int32(NETLINK_EXT_ACK),
            &on,
            socklen_t(MemoryLayout<Int32>.size)
        )
        return unsafe opened
    }

    deinit {
        unsafe mnl_socket_close(socket)
    }

    /// Sends a request and waits for its acknowledgement.
    mutating func request(
        _ operation: String,
        _ message: consuming RouteMessage
    ) throws(NetlinkError) {
        _ = try exchange(operation, message, dump: false)
    }

    /// Sends a request for a list and returns every message of the answer.
    mutating func list(
        _ operation: String,
        _ message: consuming RouteMessage
    ) throws(NetlinkError) -> [RouteReply] {
        try exchange(operation, message, dump: true)
    }

    private mutating func exchange(
        _ operation: String,
        _ message: borrowing RouteMessage,
        dump: Bool
    ) throws(NetlinkError) -> [RouteReply] {
        guard !message.overflowed else { throw NetlinkError(operation: operation, code: EMSGSIZE) }
        sequence &+= 1
        unsafe message.header.pointee.nlmsg_seq = sequence
        let length = unsafe Int(message.header.pointee.nlmsg_len)
        guard unsafe mnl_socket_sendto(socket, message.header, length) == length else {
            throw NetlinkError(operation: operation, code: errno)
        }
        var replies: [RouteReply] = []
        while true {
            let bytes = try receive(operation)
            if try collect(operation, bytes, into: &replies) { return replies }
        }
    }

    /// One datagram; the room is what the kernel uses for a dump at most.
    private func receive(_ operation: String) throws(NetlinkError) -> [UInt8] {
        var got = 0
        let room = 32 * 1024
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            repeat {
                got = unsafe mnl_socket_recvfrom(socket, buffer.baseAddress, room)
            } while got < 0 && errno == EINTR
            count = max(0, got)
        }
        guard got >= 0 else { throw NetlinkError(operation: operation, code: errno) }
        return bytes
    }

    /// Takes the messages of a datagram; true when the answer is complete.
    private func collect(
        _ operation: String,
        _ bytes: [UInt8],
        into replies: inout [RouteReply]
    ) throws(NetlinkError) -> Bool {
        let headerSize = MemoryLayout<nlmsghdr>.size
        var offset = 0
        while bytes.count - offset >= headerSize {
            let header = unsafe bytes.withUnsafeBytes {
                unsafe $0.loadUnaligned(fromByteOffset: offset, as: nlmsghdr.self)
            }
            let length = Int(header.nlmsg_len)
            guard length >= headerSize, length <= bytes.count - offset else {
                throw NetlinkError(operation: operation, code: EBADMSG)
            }
            let payload = Array(bytes[(offset + headerSize)..<(offset + length)])
            offset += (length + 3) & ~3
            // A rest of an earlier, failed exchange.
            guard header.nlmsg_seq == sequence else { continue }
            switch Int32(header.nlmsg_type) {
            case NLMSG_DONE: return true
            case NLMSG_ERROR:
                try acknowledge(operation, payload, flags: header.nlmsg_flags)
                return true
            case NLMSG_NOOP: continue
            default: replies.append(RouteReply(type: header.nlmsg_type, payload: payload))
            }
        }
        return false
    }

    /// Throws unless the kernel acknowledged with 0.
    private func acknowledge(
        _ operation: String,
        _ payload: [UInt8],
        flags: UInt16
    ) throws(NetlinkError) {
        let reply = RouteReply(type: UInt16(NLMSG_ERROR), payload: payload)
        guard let error = reply.family(nlmsgerr.self) else {
            throw NetlinkError(operation: operation, code: EBADMSG)
        }
        if error.error == 0 { return }
        var detail = ""
        if Int32(flags) & NLM_F_ACK_TLVS != 0 {
            // The refused request is echoed before the attributes unless the kernel capped it.
            let capped = Int32(flags) & NLM_F_CAPPED != 0
            let echoed = capped ? MemoryLayout<nlmsghdr>.size : Int(error.msg.nlmsg_len)
            let attributes = RouteReply.attributes(in: payload.dropFirst(4 + (echoed + 3) & ~3))
            detail = RouteReply.text(attributes[ambit_NLMSGERR_ATTR_MSG]) ?? ""
        }
        throw NetlinkError(operation: operation, code: -error.error, detail: detail)
    }
}
