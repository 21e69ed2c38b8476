import Capture
import Glibc
import Mesh
import Netlink
import Reactor
import Testing

/// A pod and the world outside it: two network namespaces joined by a veth pair, both families.
///
/// The pod is 10.9.0.2 and fd09::2, outside is 10.9.0.1 and fd09::1 and the pod's gateway.
/// Nothing of it is left when the value goes.
struct PodBench: ~Copyable {
    let pod: NetworkNamespace
    let outside: NetworkNamespace

    init(ipv6: Bool = true) throws {
        let pod = try NetworkNamespace.create()
        let outside = try NetworkNamespace.create()
        if !ipv6 {
            for part in ["all", "default"] {
                try Self.writeSetting(in: pod, "net/ipv6/conf/\(part)/disable_ipv6", "1")
            }
        }
        try Self.connect(pod, outside, ipv6 ? [.v4, .v6] : [.v4])
        self.pod = pod
        self.outside = outside
    }

    private static func connect(
        _ pod: borrowing NetworkNamespace,
        _ outside: borrowing NetworkNamespace,
        _ families: [IPAddress.Family]
    ) throws {
        var inside = try RouteSocket(in: pod)
        var world = try RouteSocket(in: outside)
        try inside.addVeth("eth0", peer: "pod0", in: outside)
        for link in ["lo", "eth0"] { try inside.setLink(link, up: true) }
        for link in ["lo", "pod0"] { try world.setLink(link, up: true) }
        for family in families {
            let length: UInt8 = family == .v4 ? 24 : 64
            let gateway = Self.outside(family)
            try inside.addAddress(Self.pod(family), prefixLength: length, to: "eth0")
            try world.addAddress(gateway, prefixLength: length, to: "pod0")
            try inside.addRoute(NetworkRoute(to: .everything(family), via: gateway, device: "eth0"))
        }
    }

    static func address(_ family: IPAddress.Family, _ net: UInt8, _ host: UInt8) -> IPAddress {
        switch family {
        case .v4: IPAddress(v4: 0x0A00_0000 | UInt32(net) << 16 | UInt32(host))
        case .v6: IPAddress(v6High: 0xFD00_0000_0000_0000 | UInt64(net) << 48, low: UInt64(host))
        }
    }

    static func pod(_ family: IPAddress.Family) -> IPAddress { address(family, 9, 2) }
    static func outside(_ family: IPAddress.Family) -> IPAddress { address(family, 9, 1) }
    /// A service address that nothing has.
    static func service(_ family: IPAddress.Family) -> IPAddress { address(family, 96, 7) }
    /// A client on another node.
    static func client(_ family: IPAddress.Family) -> IPAddress { address(family, 50, 9) }

    func writeSetting(_ path: String, _ value: String) throws {
        try Self.writeSetting(in: pod, path, value)
    }

    private static func writeSetting(
        in namespace: borrowing NetworkNamespace,
        _ path: String,
        _ value: String
    ) throws {
        try namespace.run { () throws(SystemError) in
            let raw = try checked("open setting") { unsafe open("/proc/sys/" + path, O_WRONLY) }
            defer { close(raw) }
            let bytes = Array(value.utf8)
            try checked("write") { unsafe write(raw, bytes, bytes.count) }
        }
    }

    func readSetting(_ path: String) throws -> String {
        try pod.run { () throws(SystemError) -> String in
            let raw = try checked("open") { unsafe open("/proc/sys/" + path, O_RDONLY) }
            defer { close(raw) }
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = try checked("read") { unsafe read(raw, &bytes, bytes.count) }
            return String(decoding: bytes.prefix(count).prefix { $0 > 32 }, as: UTF8.self)
        }
    }

    /// Runs a program of the machine inside the pod and returns what it prints.
    func run(_ command: String) throws -> String {
        let line = "nsenter --net=/proc/\(getpid())/fd/\(pod.raw) \(command) 2>&1"
        guard let pipe = unsafe popen(line, "r") else {
            throw SystemError(call: "popen", code: errno)
        }
        var bytes: [UInt8] = []
        while case let byte = unsafe fgetc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
        let status = unsafe pclose(pipe)
        let text = String(decoding: bytes, as: UTF8.self)
        try #require(status == 0, "\(command): \(text)")
        return text
    }

    /// An application in the pod that listens at the pod's address.
    func app(_ family: IPAddress.Family, port: UInt16) throws -> TestSocket {
        let address = SocketAddress(Self.pod(family), port)
        return try TestSocket(in: pod, family).listening(at: address)
    }

    /// A delivery from a client to a port of the pod; the socket and the errno of the attempt.
    func deliver(
        _ family: IPAddress.Family,
        to port: UInt16,
        from client: IPAddress? = nil
    ) throws -> (socket: TestSocket, code: Int32) {
        let source = SocketAddress(client ?? Self.client(family), 40000)
        let made = try PodSocket.connecting(
            in: pod,
            returningTo: NetworkNamespace.current(),
            family: family,
            mark: .delivery,
            transparentFrom: source
        )
        let socket = TestSocket(owning: made.release())
        let code = socket.connect(SocketAddress(Self.pod(family), port))
        return (socket, TestSocket.finishConnect(socket.raw, code))
    }
}

/// A packet seen on the pod's cable.
struct SeenPacket: Hashable, CustomStringConvertible {
    let fromPod: Bool
    let transport: UInt8
    let sourcePort: UInt16
    let destinationPort: UInt16
    /// TCP flags: FIN 1, SYN 2, RST 4, ACK 16.
    let flags: UInt8
    var isTCP: Bool { transport == 6 }
    var isReset: Bool { isTCP && flags & 4 != 0 }
    var description: String {
        "\(fromPod ? "out" : "in") proto \(transport) \(sourcePort)>\(destinationPort) \(flags)"
    }
}

/// A tap on the pod's cable, at its outer end.
struct Tap: ~Copyable {
    private let socket: TestSocket
    private let marker: TestSocket

    init(_ bench: borrowing PodBench) throws {
        let marker = try TestSocket(in: bench.pod, .v4, datagram: true)
        let raw = try bench.outside.run { () throws(SystemError) -> Int32 in
            let everything = Int32(UInt16(0x0003).bigEndian)
            return try checked("packet socket") {
                Glibc.socket(AF_PACKET, Int32(SOCK_DGRAM.rawValue), everything)
            }
        }
        self.socket = TestSocket(owning: raw)
        self.marker = marker
    }

    /// The packets since the last call, without those to and from the marker's port.
    ///
    /// A marker datagram goes out behind whatever the pod has sent, so the answer is complete.
    func packets() throws -> [SeenPacket] {
        try marker.send("marker", to: SocketAddress(PodBench.outside(.v4), 4999))
        var seen: [SeenPacket] = []
        while true {
            guard TestSocket.wait(socket.raw, POLLIN) else {
                throw SystemError(call: "marker", code: ETIMEDOUT)
            }
            guard let packet = try next() else { continue }
            if packet.transport == 17, packet.destinationPort == 4999 { return seen }
            seen.append(packet)
        }
    }

    private func next() throws -> SeenPacket? {
        var bytes = [UInt8](repeating: 0, count: 2048)
        var link = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = try checked("recvfrom") {
            unsafe withUnsafeMutablePointer(to: &link) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe recvfrom(socket.raw, &bytes, bytes.count, 0, address, &length)
                }
            }
        }
        let packet = bytes.prefix(count)
        // The packet type of a sockaddr_ll, which Glibc does not import.
        let kind = unsafe withUnsafeBytes(of: link) { unsafe $0[10] }
        let packetOutgoing: UInt8 = 4
        guard let first = packet.first else { return nil }
        let header = first >> 4 == 4 ? Int(first & 15) * 4 : 40
        guard first >> 4 == 4 || first >> 4 == 6, count >= header + 4 else { return nil }
        let transport = first >> 4 == 4 ? packet[9] : packet[6]
        guard transport == 6 || transport == 17 else { return nil }
        return SeenPacket(
            fromPod: kind != packetOutgoing,
            transport: transport,
            sourcePort: UInt16(packet[header]) << 8 | UInt16(packet[header + 1]),
            destinationPort: UInt16(packet[header + 2]) << 8 | UInt16(packet[header + 3]),
            flags: transport == 6 && count >= header + 14 ? packet[header + 13] : 0
        )
    }
}
