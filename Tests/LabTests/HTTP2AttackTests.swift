import Foundation
import Testing

/// One abuse of HTTP/2 by a peer whose certificate is good (ATTACKS 5.1).
struct HTTP2Attack: Sendable, CustomTestStringConvertible {
    let name: String
    /// What the peer is to find: the code of a GOAWAY, or what its program prints.
    let expected: String
    /// The body of a function of `p`, a `Peer`, which may return text.
    let program: String

    var testDescription: String { name }

    init(_ name: String, ends expected: String, _ program: String) {
        self.name = name
        self.expected = expected
        self.program = program
    }

    /// ENHANCE_YOUR_CALM.
    private static let calm = "11"

    /// Frames by the thousand: each would be harmless.
    static let floods: [HTTP2Attack] = [
        HTTP2Attack(
            "rapid reset",
            ends: calm,
            """
            for i in range(1, 40000, 2):
                p.send(frame(HEADERS, 4, i, connecting()) + frame(RST, 0, i, b"\\0\\0\\0\\x08"))
            """
        ),
        HTTP2Attack(
            "resets that we are made to send",
            ends: calm,
            """
            for i in range(1, 10000, 2):
                p.send(frame(HEADERS, 4, i, connecting()) + frame(WINDOW, 0, i, bytes(4)))
            """
        ),
        HTTP2Attack(
            "streams beyond the limit",
            ends: calm,
            "for i in range(1, 3000, 2): p.open(7001, i)"
        ),
        HTTP2Attack(
            "CONTINUATION without end",
            ends: calm,
            """
            p.send(frame(HEADERS, 0, 1, connecting()))
            for i in range(10000):
                p.send(frame(CONTINUATION, 0, 1, block(("x", "y" * 100))))
            """
        ),
        HTTP2Attack(
            "CONTINUATION without bytes",
            ends: calm,
            """
            p.send(frame(HEADERS, 0, 1, connecting()))
            for i in range(10000):
                p.send(frame(CONTINUATION, 0, 1))
            """
        ),
        HTTP2Attack("SETTINGS", ends: calm, "while True: p.send(frame(SETTINGS) * 50)"),
        HTTP2Attack("PING", ends: calm, "while True: p.send(frame(PING, 0, 0, bytes(8)) * 50)"),
        HTTP2Attack(
            "PRIORITY",
            ends: calm,
            "while True: p.send(frame(PRIORITY, 0, 1, bytes(5)) * 50)"
        ),
        HTTP2Attack("unknown frames", ends: calm, "while True: p.send(frame(77) * 50)"),
        HTTP2Attack(
            "GOAWAY",
            ends: calm,
            "while True: p.send(frame(GOAWAY, 0, 0, bytes(8)) * 50)"
        ),
        HTTP2Attack(
            "DATA without bytes",
            ends: calm,
            """
            p.open()
            p.answer()
            while True:
                p.send(frame(DATA, 0, 1) * 50)
            """
        ),
    ]

    /// What no peer may send even once.
    static let violations: [HTTP2Attack] = [
        HTTP2Attack(
            "the connection's window beyond its range",
            ends: "3",
            #"p.send(frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2)"#
        ),
        HTTP2Attack(
            "a stream's window beyond its range",
            ends: "reset 3",
            """
            p.open()
            p.answer()
            p.send(frame(WINDOW, 0, 1, b"\\x7f\\xff\\xff\\xff") * 2)
            return f"reset {p.until(RST)[3][3]}"
            """
        ),
        HTTP2Attack(
            "an initial window beyond its range",
            ends: "3",
            #"p.send(frame(SETTINGS, 0, 0, b"\0\x04\xff\xff\xff\xff"))"#
        ),
        HTTP2Attack(
            "DATA beyond the stream's window",
            ends: "reset 3",
            """
            p.open(7007)
            p.answer()
            for i in range(2000):
                p.send(frame(DATA, 0, 1, bytes(1 << 14)))
            return f"reset {p.until(RST)[3][3]}"
            """
        ),
        HTTP2Attack(
            "a header list beyond the limit",
            ends: calm,
            #"p.send(frame(HEADERS, 4, 1, connecting() + block(("x", "y" * 1000)) * 100))"#
        ),
        HTTP2Attack(
            "a header list that grows when it is unpacked",
            ends: "reset",
            """
            p.send(frame(HEADERS, 4, 1, connecting() + b"\\x40" + text("cookie") + text("a" * 3900)
                + b"\\xbe" * 2000))
            return p.answer()[:5]
            """
        ),
        HTTP2Attack(
            "thousands of empty cookies",
            ends: "reset",
            """
            p.send(frame(HEADERS, 4, 1, connecting() + b"\\x40" + text("cookie") + text("")
                + b"\\xbe" * 16000))
            return p.answer()[:5]
            """
        ),
        HTTP2Attack(
            "a frame beyond the limit",
            ends: "6",
            #"p.send(b"\xff\xff\xff\0\0\0\0\0\x01" + bytes(100000))"#
        ),
        HTTP2Attack(
            "HPACK that cannot be read",
            ends: "9",
            #"p.send(frame(HEADERS, 4, 1, b"\xff" * 6))"#
        ),
        HTTP2Attack("an even stream", ends: "1", "p.send(frame(HEADERS, 4, 2, connecting()))"),
        HTTP2Attack("a stream of the past", ends: "1", "p.open(7001, 9); p.open(7001, 1)"),
        HTTP2Attack(
            "a window update of nothing",
            ends: "1",
            "p.send(frame(WINDOW, 0, 0, bytes(4)))"
        ),
        HTTP2Attack(
            "a push",
            ends: "1",
            #"p.send(frame(PUSH, 4, 1, b"\0\0\0\x02" + connecting()))"#
        ),
        HTTP2Attack("HTTP/1", ends: "6", #"p.send(b"GET / HTTP/1.1\r\n\r\n")"#),
        HTTP2Attack(
            "trailers after the end",
            ends: "reset 5",
            """
            p.open(7002)
            p.answer()
            p.send(frame(DATA, 1, 1, b"x") + frame(HEADERS, 5, 1, block(("a", "b"))))
            return f"reset {p.until(RST)[3][3]}"
            """
        ),
        HTTP2Attack(
            "GOAWAY and then no streams for us, on which open ones go on",
            ends: "more",
            """
            p.open()
            p.answer()
            p.until(DATA)
            p.send(frame(GOAWAY, 0, 0, bytes(8)) + frame(SETTINGS, 0, 0, b"\\0\\x03\\0\\0\\0\\0"))
            p.send(frame(DATA, 0, 1, b"more"))
            return p.until(DATA)[3].decode()
            """
        ),
    ]
}

/// Abuse of our HTTP/2 ends where it comes from: others on the same pod notice nothing.
@Suite struct `An attack on HTTP/2` {
    // Who sends on without reading may lose the GOAWAY to the reset that follows it.
    private func run(_ attack: HTTP2Attack, also: String? = nil) throws {
        let foreign = try ForeignLab.shared()
        let lab = foreign.lab
        let far = try lab.address("mesh/far")
        let bystander = try lab.start("mesh/client", Programs.live, [far, "7001"])
        defer { bystander.stop() }
        try lab.eventually("the bystander is connected") { bystander.outputSoFar.contains("up") }
        let body = attack.program.split(separator: "\n").map { "    \($0)\n" }.joined()
        let done = try foreign.peer(
            "mesh/far",
            """
            def attack(p):
            \(body)
            p = Peer()
            p.until(SETTINGS)
            try:
                said = attack(p)
            except OSError:
                said = None
            print(p.end() if said is None else said)

            """
        )
        let said = done.output.trimmingCharacters(in: .newlines)
        #expect(said == attack.expected || said == also, "\(done.output)\(done.error)")
        let after = try foreign.peer("mesh/far", "p = Peer(); p.open(7006); print(p.answer())")
        #expect(after.output == "200\n", "\(after.error)")
        #expect(bystander.isRunning && bystander.outputSoFar == "up\n", "\(bystander.outputSoFar)")
    }

    @Test(arguments: HTTP2Attack.floods)
    func `by a flood ends its connection`(attack: HTTP2Attack) throws {
        try run(attack, also: "closed")
    }

    @Test(arguments: HTTP2Attack.violations)
    func `by a broken rule ends its stream or connection`(attack: HTTP2Attack) throws {
        try run(attack, also: attack.expected.hasPrefix("reset") ? nil : "closed")
    }

    @Test(arguments: ["withholds its window", "does not read what it asked for"])
    func `by a peer that`(stalls: String) throws {
        let foreign = try ForeignLab.shared()
        let lab = foreign.lab
        let before = try lab.residentKilobytes("node-2")
        let window = stalls == "withholds its window" ? #"\0\0\0\0"# : #"\x7f\xff\xff\xff"#
        let host = try lab.address("mesh/far")
        let stalling = try lab.run(
            "plain/client",
            [
                "python3", "-u", "-c",
                Programs.peer + """
                    p = Peer(settings=b"\\0\\x04\(window)")
                    p.send(frame(WINDOW, 0, 0, b"\\x7f\\0\\0\\0"))
                    for i in range(100):
                        p.open(7001, 2 * i + 1)
                    p.socket.settimeout(3)
                    try:
                        for _ in range(4 << 20 >> 14):
                            for i in range(100):
                                p.send(frame(DATA, 0, 2 * i + 1, bytes(1 << 14)))
                    except OSError:
                        pass
                    print("stalled", flush=True)
                    time.sleep(3)
                    print(p.end(60))

                    """, foreign.certificates.folder, host,
            ]
        )
        try lab.eventually("it stalls", within: 60) { stalling.outputSoFar.contains("stalled") }
        let good = try lab.load("mesh/client", host, 7001, seconds: 1)
        #expect(good.bad == 0 && good.good > 5, "\(good.errors)")
        // What may wait for consumers, 64 MiB, and the sockets' share of it.
        let during = try lab.residentKilobytes("node-2")
        #expect(during < before + 100 << 10, "\(before) to \(during) KiB")
        let ended = try stalling.finish(90)
        #expect(!ended.output.contains("open"), "\(ended.output)")
    }
}
