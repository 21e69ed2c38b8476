/// Small programs that run in pods of the tests, in the Python every Debian host has.
enum Programs {
    /// One behaviour per port; what it saw goes to standard output (`lab logs`).
    static let server = #"""
        import hashlib, socket, struct, sys, threading, time

        def log(*words):
            print(*words, flush=True)

        def serve(port, behave):
            listener = socket.socket(socket.AF_INET6)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::", port))
            listener.listen(4096)
            def run(connection, peer):
                try:
                    behave(connection, peer)
                except OSError as error:
                    log(port, type(error).__name__)
                finally:
                    connection.close()
            def loop():
                while True:
                    threading.Thread(target=run, args=listener.accept(), daemon=True).start()
            threading.Thread(target=loop, daemon=True).start()

        def greet(c, peer):          # 7001: speaks first, then echoes
            c.sendall(b"220 hello\r\n")
            while data := c.recv(1 << 20):
                c.sendall(data)
        def digest(c, peer):         # 7002: reads to the end, then answers
            total, state = 0, hashlib.sha256()
            while data := c.recv(1 << 20):
                state.update(data)
                total += len(data)
            c.sendall(f"{total} {state.hexdigest()}\n".encode())
        def early(c, peer):          # 7003: finishes first, then reads to the end
            c.sendall(b"first")
            c.shutdown(socket.SHUT_WR)
            total = 0
            while data := c.recv(1 << 16):
                total += len(data)
            log("early", total)
        def reset(c, peer):          # 7004: resets after some bytes
            c.recv(1)
            c.sendall(b"x" * 1000)
            c.recv(1)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        def watch(c, peer):          # 7005: tells FIN from RST
            c.sendall(b"ok")
            total = 0
            try:
                while data := c.recv(1 << 16):
                    total += len(data)
                log("watch", "fin", total)
            except ConnectionResetError:
                log("watch", "rst", total)
        def whoami(c, peer):         # 7006: says who it thinks the client is
            c.sendall(f"{peer[0]}\n".encode())
        def never(c, peer):          # 7007: never reads
            c.sendall(b"go")
            time.sleep(1000)

        for port, behave in enumerate([greet, digest, early, reset, watch, whoami, never], 7001):
            serve(port, behave)
        log("serving")
        while True:
            time.sleep(1000)
        """#

    /// What the clients share; `connect` takes a host and a port.
    static let client = #"""
        import hashlib, socket, struct, sys, time
        def connect(host, port):
            return socket.create_connection((host, port), timeout=20)
        def read(c):
            data = b""
            while piece := c.recv(1 << 20):
                data += piece
            return data
        def reset(c):
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()

        """#

    /// Connects again and again for `sys.argv[3]` seconds; prints `OK FAILED`.
    ///
    /// With a fourth argument it ends as soon as its standard input does.
    /// Paced: each connection leaves the client a port in TIME_WAIT for a minute.
    static let load = #"""
        import select, socket, sys, time
        good = bad = 0
        end = time.time() + float(sys.argv[3])
        while time.time() < end:
            try:
                with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as c:
                    if not c.recv(100):
                        raise ConnectionError("closed")
                good += 1
            except OSError as error:
                bad += 1
                print(repr(error), file=sys.stderr, flush=True)
            if len(sys.argv) < 5:
                time.sleep(0.004)
            elif select.select([sys.stdin], [], [], 0.004)[0]:
                break
        print(good, bad, flush=True)
        """#

    /// Keeps one connection busy until it breaks; prints `up`, then how it broke.
    static let live = #"""
        import socket, sys, time
        c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
        c.recv(100)
        print("up", flush=True)
        try:
            while True:
                c.sendall(b"x")
                if not c.recv(10):
                    print("fin", flush=True)
                    break
                time.sleep(0.02)
        except ConnectionResetError:
            print("rst", flush=True)
        """#
}
