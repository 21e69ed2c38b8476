package import Netlink
package import Reactor

/// Why capture could not be installed, removed or looked at.
package enum CaptureError: Error, Hashable, CustomStringConvertible {
    /// A system call failed, with what it was for.
    case system(String, SystemError)
    /// Routing refused a rule or route.
    case netlink(NetlinkError)
    /// libnftables refused the transaction; nothing of it is in force.
    case nftables(String)
    /// The namespace is the proxy's own: capturing a host-network pod would capture the node.
    case ownNamespace
    /// A list of excluded ports is longer than `CapturePlan.excludedPortsMax`.
    case tooManyExcludedPorts(Int)

    /// The failure in words an operator can act on.
    package var description: String {
        switch self {
        case .system(let purpose, let error): "\(purpose): \(error)"
        case .netlink(let error): "\(error)"
        case .nftables(let message): "nftables refused the rules: \(message)"
        case .ownNamespace: "the pod shares the node's network namespace, which is not captured"
        case .tooManyExcludedPorts(let count):
            "\(count) excluded ports, at most \(CapturePlan.excludedPortsMax)"
        }
    }
}

extension NetworkNamespace {
    /// Runs `body` inside the namespace, as `run` does, with errors of this module.
    borrowing func inside<T: ~Copyable>(
        _ body: () throws(CaptureError) -> T
    ) throws(CaptureError) -> T {
        let outcome: Result<T, CaptureError>
        do throws(SystemError) {
            outcome = try run { () throws(SystemError) -> Result<T, CaptureError> in
                do throws(CaptureError) {
                    return .success(try body())
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            throw .system("enter the pod's network namespace", error)
        }
        return try outcome.get()
    }
}
