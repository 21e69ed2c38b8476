package import Mesh

/// What policy may look at in one connection or stream, as its destination sees it.
package struct Flow: Sendable, Hashable {
    /// The TCP peer, never an address taken from a header.
    package let source: IPAddress
    /// Proven by mutual TLS, or by the listener for a pod of the same node; nil for plaintext.
    package let identity: SPIFFEID?
    /// The workload's address and the real target port, not the tunnel's.
    package let destination: SocketAddress

    /// Makes a flow of facts that were established by the caller.
    package init(source: IPAddress, identity: SPIFFEID?, destination: SocketAddress) {
        self.source = source
        self.identity = identity
        self.destination = destination
    }
}
