internal import CNetfilter
package import Reactor

extension NetworkNamespace {
    /// Makes an empty network namespace, held open by the returned value alone.
    ///
    /// It ends with its last descriptor, socket or process; only `lo` is in it, and down.
    package static func create() throws(SystemError) -> NetworkNamespace {
        let raw = try checked("create network namespace") { ambit_network_namespace() }
        return NetworkNamespace(owning: Descriptor(owning: raw))
    }
}
