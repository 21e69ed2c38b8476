package import Reactor

/// A pod's network namespace, held open as long as the agent takes care of the pod.
package final class HeldNamespace: Sendable {
    private let namespace: NetworkNamespace
    /// What tells it from every other namespace while it lives.
    package let identity: NetworkNamespace.Identity
    /// A path that names it within this process.
    package let path: String

    /// Takes an open namespace.
    package init(_ namespace: consuming NetworkNamespace) throws(SystemError) {
        self.identity = try namespace.identity
        self.path = "/proc/self/fd/\(namespace.raw)"
        self.namespace = namespace
    }

    /// Opens what a path names.
    package convenience init(path: String) throws(SystemError) {
        try self.init(try NetworkNamespace(path: path))
    }

    /// Lends the namespace.
    package func with<Result>(_ body: (borrowing NetworkNamespace) -> Result) -> Result {
        body(namespace)
    }
}
