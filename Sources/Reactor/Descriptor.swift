internal import CLinux
internal import Glibc

/// An open file descriptor with one owner, closed when the owner lets go.
package struct Descriptor: ~Copyable, Sendable {
    /// The number, valid while this value lives.
    package let raw: Int32

    /// Takes ownership of an open descriptor.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "not a descriptor: \(raw)")
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Gives the number to a new owner, who must close it.
    package consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }
}

extension Descriptor {
    /// An open descriptor of nothing in particular, to hold a place in the table.
    package static func placeholder() throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked("eventfd") { ambit_eventfd() })
    }
}
