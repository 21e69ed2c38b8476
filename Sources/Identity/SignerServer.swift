package import Mesh
package import Reactor

/// Offers a certificate source to one node at a Unix socket, on threads of its own.
///
/// Whom the socket's node hosts is asked for every request: a node gets no certificate for a
/// workload that runs elsewhere.
package final class SignerServer: Sendable {
    private struct Running {
        var connections = 0
        var isStopped = false
    }

    /// Connections at once; more are turned away.
    package static let connectionsMax = 32

    private let source: any CertificateSource
    private let hosts: @Sendable (SPIFFEID) -> Bool
    private let listener: LocalListener
    private let running = Monitor(Running())

    /// Listens at a path and serves until `stop`; only this user may connect.
    package init(
        path: String,
        source: any CertificateSource,
        hosts: @escaping @Sendable (SPIFFEID) -> Bool = { _ in true }
    ) throws(SystemError) {
        self.source = source
        self.hosts = hosts
        self.listener = try LocalListener(path: path)
        try WorkerThread.start(name: "signer") { [self] in accept() }
    }

    /// Stops listening; connections that run end by themselves.
    package func stop() {
        running.change { $0.isStopped = true }
        listener.interrupt()
    }

    private func accept() {
        while !running.read({ $0.isStopped }) {
            do throws(SystemError) {
                let stream = try listener.accept(timeoutMilliseconds: signerTimeoutMilliseconds)
                try start(stream.release())
            } catch {
                rest()
            }
        }
    }

    /// Out of descriptors or threads: lets some end before the next try.
    private func rest() {
        var hasRested = false
        running.wait { running in
            if running.isStopped || hasRested { return .done(()) }
            hasRested = true
            return .wait(milliseconds: 100)
        }
    }

    private func start(_ raw: Int32) throws(SystemError) {
        let hasRoom = running.change { running in
            guard running.connections < Self.connectionsMax else { return false }
            running.connections += 1
            return true
        }
        guard hasRoom else {
            _ = Descriptor(owning: raw)
            return
        }
        do throws(SystemError) {
            try WorkerThread.start(name: "signer-answer") { [self] in
                try? serve(LocalStream(owning: Descriptor(owning: raw)))
                running.change { $0.connections -= 1 }
            }
        } catch {
            _ = Descriptor(owning: raw)
            running.change { $0.connections -= 1 }
            throw error
        }
    }

    private func serve(_ stream: borrowing LocalStream) throws(SystemError) {
        let bytes = try stream.receiveMessage(bytesMax: SignerRequest.bytesMax)
        let answer = bytes.flatMap { SignerRequest($0) }.map(answer(to:))
        try stream.sendMessage((answer ?? .refused(reason: "the request is malformed")).bytes)
    }

    private func answer(to request: SignerRequest) -> SignerAnswer {
        guard let identity = SPIFFEID(uri: request.identity) else {
            return .refused(reason: "not a workload identity")
        }
        guard hosts(identity) else {
            return .refused(reason: "no workload of \(identity) runs on this node")
        }
        do throws(CertificateSourceError) {
            return .issued(
                try source.certify(
                    request: request.request,
                    identity: identity,
                    lifetimeSeconds: request.lifetimeSeconds
                )
            )
        } catch {
            return .refused(reason: error.reason)
        }
    }
}
