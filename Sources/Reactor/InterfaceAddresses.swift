internal import Glibc

/// The addresses of the network interfaces.
package enum InterfaceAddresses {
    /// All IPv4 and IPv6 addresses in the calling thread's network namespace, with port 0.
    package static func all() throws(SystemError) -> [KernelAddress] {
        var first: UnsafeMutablePointer<ifaddrs>?
        try checked("getifaddrs") { unsafe getifaddrs(&first) }
        defer { unsafe freeifaddrs(first) }
        var found: [KernelAddress] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe entry.pointee.ifa_addr,
                let known = unsafe KernelAddress(address)
            {
                found.append(known)
            }
            unsafe next = entry.pointee.ifa_next
        }
        return found
    }
}

extension KernelAddress {
    /// Copies what a call points to; nil when it is neither IPv4 nor IPv6.
    fileprivate init?(_ pointer: UnsafePointer<sockaddr>) {
        let raw = unsafe UnsafeRawPointer(pointer)
        switch Int32(unsafe pointer.pointee.sa_family) {
        case AF_INET:
            let address = unsafe raw.loadUnaligned(as: sockaddr_in.self)
            self.init(v4: UInt32(bigEndian: address.sin_addr.s_addr), port: 0)
        case AF_INET6:
            let high = unsafe raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            let low = unsafe raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            self.init(v6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low), port: 0)
        default:
            return nil
        }
    }
}
