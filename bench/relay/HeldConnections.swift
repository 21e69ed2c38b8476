internal import CLinux
internal import Glibc
internal import Reactor

/// A client that opens connections, gets an answer over each, and then holds them idle.
enum HeldConnections {
    /// Where to, and how many.
    struct Plan {
        let address: UInt32
        let port: UInt16
        let count: Int

        init(arguments: ArraySlice<String>) throws(RelayPlan.Invalid) {
            guard arguments.count == 2, let target = arguments.first,
                let route = RelayPlan.Route("0=" + target),
                let count = arguments.last.flatMap({ Int($0) }), count > 0
            else { throw RelayPlan.Invalid(reason: "usage: ambit-relay hold ADDRESS:PORT COUNT") }
            address = route.address
            port = route.targetPort
            self.count = count
        }
    }

    private static let request = Array("GET / HTTP/1.1\r\nHost: server\r\n\r\n".utf8)

    /// Says `held` when all are open, and goes on until it is ended.
    static func run(_ plan: Plan) throws(SystemError) {
        Process.raiseOpenFiles()
        var answer = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<plan.count {
            // Open until the process ends.
            let held = try checked("socket") {
                socket(AF_INET, ambit_SOCK_STREAM | ambit_SOCK_CLOEXEC, 0)
            }
            let code = KernelAddress(v4: plan.address, port: plan.port).connect(held)
            guard code == 0 else { throw SystemError(call: "connect", code: code) }
            guard case .bytes = Socket.write(held, request),
                case .bytes = Socket.read(held, into: &answer)
            else { throw SystemError(call: "request", code: ECONNRESET) }
        }
        say("held\n")
        while true { pause() }
    }
}
