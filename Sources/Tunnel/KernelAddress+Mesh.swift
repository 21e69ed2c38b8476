package import Mesh
package import Reactor

extension SocketAddress {
    /// The form the kernel takes.
    package var kernel: KernelAddress {
        switch ip.family {
        case .v4: KernelAddress(v4: UInt32(truncatingIfNeeded: ip.low), port: port)
        case .v6: KernelAddress(v6High: ip.high, low: ip.low, port: port)
        }
    }

    /// An address the kernel gave; nil for a family that is neither IPv4 nor IPv6.
    package init?(_ kernel: KernelAddress) {
        switch kernel.parts {
        case .v4(let bits, let port): self.init(IPAddress(v4: bits), port)
        case .v6(let high, let low, let port):
            self.init(IPAddress(v6High: high, low: low), port)
        case nil: return nil
        }
    }
}
