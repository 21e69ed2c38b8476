import HTTP
import Testing

@Suite struct `Two HTTP2 machines` {
    /// Moves all bytes one side has to the other.
    private func pass(
        _ from: MachineUnderTest,
        _ to: MachineUnderTest,
        pieces: Int = .max
    ) -> [HTTP2Event] {
        let bytes = from.machine.takeOutput()
        return bytes.isEmpty ? [] : to.receive(bytes, pieces: pieces)
    }

    @Test(arguments: [1, 2, 7, 1 << 20])
    func `carry a tunnel from request to both ends, cut anywhere`(pieces: Int) throws {
        let client = MachineUnderTest(.client)
        let server = MachineUnderTest(.server)
        var fields = connectFields
        fields.append("baggage", "k8s.cluster.name=test,k8s.namespace.name=shop")
        fields.append("forwarded", "for=\"10.1.0.4:40000\"")
        let stream = try client.open(fields)
        #expect(stream == 1)
        #expect(
            pass(client, server, pieces: pieces)
                == [.settings, .headers(stream: 1, fields, endStream: false)]
        )
        try server.respond(1)
        #expect(
            pass(server, client, pieces: pieces)
                == [
                    .settings, .writable(stream: 0),
                    .headers(stream: 1, [":status": "200"], endStream: false),
                ]
        )
        #expect(pass(client, server, pieces: pieces) == [])
        #expect(client.sendable(1) == 4 << 20)

        let hello = try #require(client.frameData(1, Array("hello".utf8)))
        let events = server.receive(hello)
        #expect(events == [.data(stream: 1, 9..<14, endStream: false)])
        let end = try #require(client.frameData(1, [], end: true))
        #expect(server.receive(end) == [.data(stream: 1, 9..<9, endStream: true)])
        #expect(server.activeStreams == 1)
        let answer = try #require(server.frameData(1, Array("bye".utf8), end: true))
        #expect(client.receive(answer) == [.data(stream: 1, 9..<12, endStream: true)])
        #expect(server.activeStreams == 0)
        #expect(client.activeStreams == 0)
        #expect(client.isAcknowledged)
        #expect(server.isAcknowledged)
    }

    @Test func `carry a request with content and trailers`() throws {
        let client = MachineUnderTest(.client)
        let server = MachineUnderTest(.server)
        let stream = try client.open(getFields)
        _ = pass(client, server)
        try client.machine.trailers(stream, ["checksum": "1"])
        #expect(pass(client, server) == [.trailers(stream: 1, ["checksum": "1"])])
        try server.machine.respond(1, [":status": "103"], endStream: false)
        try server.machine.respond(1, [":status": "204"], endStream: true)
        #expect(
            pass(server, client).suffix(2) == [
                .informational(stream: 1, [":status": "103"]),
                .headers(stream: 1, [":status": "204"], endStream: true),
            ]
        )
    }
}
