internal import Reactor

/// The thread that watches a folder.
final class FolderWatch: Sendable {
    private enum Order: Sendable { case stop }
    private enum Outcome: Sendable {
        case unknown, watching
        case failed(SystemError)
    }

    private let orders: Mailbox<Order>

    /// Watches from when it returns; `changed` runs on the thread.
    init(
        _ folder: String,
        changed: @escaping @Sendable ([WatchedFolder.Change]) -> Void
    ) throws {
        let orders = try Mailbox<Order>()
        self.orders = orders
        let outcome = Monitor(Outcome.unknown)
        try WorkerThread.start(name: "manifests") {
            do throws(SystemError) {
                let loop = try EventLoop()
                let watched = try WatchedFolder(folder, loop: loop, changed: changed)
                let receiver = Receiver(orders: orders, loop: loop)
                _ = try loop.add(orders.descriptor, receiver)
                outcome.change { $0 = .watching }
                try loop.run()
                withExtendedLifetime(watched) {}
            } catch {
                outcome.change { $0 = .failed(error) }
            }
        }
        let failure = outcome.wait { state -> Monitor<Outcome>.Step<SystemError?> in
            switch state {
            case .unknown: .wait(milliseconds: 1_000)
            case .watching: .done(nil)
            case .failed(let error): .done(error)
            }
        }
        if let failure { throw failure }
    }

    func stop() { orders.send(.stop) }

    private final class Receiver: ReadinessHandler {
        let orders: Mailbox<Order>
        let loop: EventLoop

        init(orders: Mailbox<Order>, loop: EventLoop) {
            self.orders = orders
            self.loop = loop
        }

        func ready(_ readiness: Readiness) {
            if !orders.drain().isEmpty { loop.stop() }
        }
    }
}
