internal import CLinux
internal import Glibc
internal import Reactor

/// One thread of a relay: its listeners, and the connections it took from them.
@safe final class RelayWorker {
    private let loop: EventLoop
    private let pipes = PipeStock()
    private let scratch: UnsafeMutableRawBufferPointer

    /// Runs the plan on as many threads as it says; returns only by failing.
    static func runAll(_ plan: RelayPlan) throws(SystemError) {
        signal(SIGPIPE, SIG_IGN)
        Process.raiseOpenFiles()
        for number in 1..<RelayPlan.workers {
            try WorkerThread.start(name: "worker-\(number)") {
                do throws(SystemError) {
                    try RelayWorker().run(plan)
                } catch {
                    complain("ambit-relay: \(error)")
                    Process.exit(1)
                }
            }
        }
        try RelayWorker().run(plan)
    }

    private init() throws(SystemError) {
        loop = try EventLoop()
        unsafe scratch = .allocate(byteCount: CopyFlow.readBytes, alignment: 4096)
    }

    deinit { unsafe scratch.deallocate() }

    private func run(_ plan: RelayPlan) throws(SystemError) {
        for route in plan.routes {
            let listener = try Socket.listen(
                on: KernelAddress(v4: 0, port: route.port),
                backlog: 4096
            )
            let acceptor = Acceptor(listener: listener) { [self] descriptor in
                relay(Descriptor(owning: descriptor), along: route, by: plan.mode)
            }
            _ = try loop.add(acceptor.raw, acceptor)
        }
        try loop.run()
    }

    private func relay(
        _ client: consuming Descriptor,
        along route: RelayPlan.Route,
        by mode: RelayPlan.Mode
    ) {
        let kind = ambit_SOCK_STREAM | ambit_SOCK_NONBLOCK | ambit_SOCK_CLOEXEC
        let raw = socket(AF_INET, kind, 0)
        guard raw >= 0 else { return }
        let server = Descriptor(owning: raw)
        Socket.setNoDelay(raw)
        let code = KernelAddress(v4: route.address, port: route.targetPort).connect(raw)
        guard code == 0 || code == EINPROGRESS else { return }
        let flow: any Flow
        switch mode {
        case .copy: flow = unsafe CopyFlow(scratch: scratch)
        case .splice: flow = SpliceFlow(pipes: pipes)
        }
        let back: any Flow
        switch mode {
        case .copy: back = unsafe CopyFlow(scratch: scratch)
        case .splice: back = SpliceFlow(pipes: pipes)
        }
        Pair(client, server, flow, back).start(on: loop)
    }
}

/// Takes the connections of one listener.
final class Acceptor: ReadinessHandler {
    private let listener: Descriptor
    private let take: (Int32) -> Void

    var raw: Int32 { listener.raw }

    init(listener: consuming Descriptor, take: @escaping (Int32) -> Void) {
        self.listener = listener
        self.take = take
    }

    func ready(_ readiness: Readiness) {
        while true {
            switch Socket.accept(listener.raw) {
            case .connection(let descriptor): take(descriptor)
            case .aborted: continue
            case .wouldBlock, .exhausted, .failed: return
            }
        }
    }
}
