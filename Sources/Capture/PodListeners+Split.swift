package import Reactor

extension PodListeners {
    /// Gives each listener to a new owner.
    package consuming func split<Failure: Error>(
        _ body: (
            _ outbound: consuming Descriptor,
            _ inbound: consuming Descriptor,
            _ hbone: consuming Descriptor,
            _ dnsUDP: consuming Descriptor?,
            _ dnsTCP: consuming Descriptor?
        ) throws(Failure) -> Void
    ) throws(Failure) {
        try body(outbound, inbound, hbone, dnsUDP, dnsTCP)
    }
}
