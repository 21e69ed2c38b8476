internal import Mesh
internal import Reactor
internal import Tunnel

// Where kubelet's probes come from (DESIGN.md §3.9).
extension Control {
    /// Tells the workers the node's addresses when they changed; what cannot be read stays.
    func readNodeAddresses() {
        guard let found = try? InterfaceAddresses.all() else { return }
        let addresses = Set(found.compactMap { SocketAddress($0)?.ip }.filter(\.isProbeSource))
        guard addresses != nodeAddresses else { return }
        nodeAddresses = addresses
        for worker in workers { worker.mailbox.send(.nodeAddresses(addresses)) }
    }
}

extension IPAddress {
    /// Whether a node's address is one that its probes may come from: not loopback, and not
    /// link-local, which other hosts on the link may have too.
    fileprivate var isProbeSource: Bool {
        let isLinkLocal = family == .v6 ? high >> 54 == 0xFE80 >> 6 : low >> 16 == 0xA9FE
        return !isLoopback && !isLinkLocal
    }
}
