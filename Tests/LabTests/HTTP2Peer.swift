extension Programs {
    /// An HTTP/2 client that can send any frame, over TLS with any certificate of `Certificates`.
    ///
    /// Arguments: the certificates' folder, then the host.
    static let peer = #"""
        import socket, ssl, struct, sys, time

        DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
        FOLDER, HOST = sys.argv[1:3]

        def frame(kind, flags=0, stream=0, payload=b""):
            length = struct.pack(">I", len(payload))[1:]
            return length + bytes([kind, flags]) + struct.pack(">I", stream) + payload
        def text(value):             # a literal without Huffman's code
            out, rest = [], len(value)
            if rest < 127:
                return bytes([rest]) + value.encode()
            rest -= 127
            while rest >= 128:
                out.append(rest & 127 | 128)
                rest >>= 7
            return bytes([127] + out + [rest]) + value.encode()
        def block(*fields):
            return b"".join(b"\0" + text(name) + text(value) for name, value in fields)
        def connecting(port=7001):
            host = f"[{HOST}]" if ":" in HOST else HOST
            return block((":method", "CONNECT"), (":authority", f"{host}:{port}"))

        class Peer:
            def __init__(self, certificate="good", settings=b""):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.load_verify_locations(f"{FOLDER}/root.crt")
                context.set_alpn_protocols(["h2"])
                if certificate:
                    file = f"{FOLDER}/{certificate}"
                    context.load_cert_chain(f"{file}.crt", f"{file}.key")
                plain = socket.socket(socket.AF_INET6 if ":" in HOST else socket.AF_INET)
                plain.settimeout(10)
                plain.connect((HOST, 15008))
                self.socket = context.wrap_socket(plain)
                self.buffer = b""
                self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, payload=settings))
            def send(self, data):
                self.socket.sendall(data)
            def open(self, port=7001, stream=1):
                self.send(frame(HEADERS, 4, stream, connecting(port)))
            def frame(self):         # None at the end of the connection
                try:
                    while True:
                        size = int.from_bytes(self.buffer[:3], "big") + 9
                        if len(self.buffer) >= max(size, 9):
                            break
                        if not (piece := self.socket.recv(1 << 16)):
                            return None
                        self.buffer += piece
                except (ConnectionError, ssl.SSLError):
                    return None
                head, payload = self.buffer[:9], self.buffer[9:size]
                self.buffer = self.buffer[size:]
                return head[3], head[4], int.from_bytes(head[5:9], "big"), payload
            def until(self, *kinds):
                while got := self.frame():
                    if got[0] in kinds:
                        return got
            def answer(self):        # the status, or why there is none
                got = self.until(HEADERS, RST, GOAWAY)
                if not got:
                    return "closed"
                kind, _, _, payload = got
                if kind != HEADERS:
                    return f"reset {int.from_bytes(payload[-4:], 'big')}"
                payload = payload.lstrip(b"\x20\x3f")   # a table of size 0 or so comes first
                indexed = {0x88: "200", 0x8c: "400", 0x8e: "500"}
                if payload[0] in indexed:
                    return indexed[payload[0]]
                return digits(payload[2:2 + (payload[1] & 127)], payload[1] & 128)
            def end(self, limit=15):  # the code of GOAWAY
                code = "closed"
                self.socket.settimeout(limit)
                try:
                    while got := self.frame():
                        if got[0] == GOAWAY:
                            code = int.from_bytes(got[3][4:8], "big")
                except TimeoutError:
                    return "open"
                return code
        def digits(value, is_huffman):
            if not is_huffman:
                return value.decode()
            bits, out = "".join(f"{byte:08b}" for byte in value), ""
            while len(out) < 3:      # 0 to 2 have five bits, 3 to 9 have six
                if (five := int(bits[:5], 2)) < 3:
                    out, bits = out + str(five), bits[5:]
                else:
                    out, bits = out + str(int(bits[:6], 2) - 0x19 + 3), bits[6:]
            return out

        """#

    /// `dial` says what came of a connection; `mark` and `transparent` take a capability.
    static let dial = #"""
        import socket, sys, time
        def dial(host, port, mark=None, transparent=False, send=b"GET / HTTP/1.0\r\n\r\n"):
            s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            s.settimeout(3)
            try:
                if transparent:
                    s.setsockopt(socket.SOL_IP, 19, 1)           # IP_TRANSPARENT
                if mark:
                    s.setsockopt(socket.SOL_SOCKET, 36, mark)    # SO_MARK
                s.connect((host, port))
                s.sendall(send)
                return "data" if s.recv(200) else "closed"
            except OSError as error:
                return type(error).__name__

        """#
}
