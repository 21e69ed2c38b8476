/// Why a node or a cluster could not be asked, with the exit status that goes with it.
package struct ReachError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The exit statuses of the program, after sysexits.
    package enum Kind: Int32, Sendable, Hashable {
        case failed = 1
        /// Something is not as it should be, and the answer says what.
        case findings = 2
        case usage = 64
        case data = 65
        case unreadable = 66
        /// Nobody answers.
        case unavailable = 69
        case forbidden = 77
    }

    package let kind: Kind
    /// For a person, with what to do next where that is known.
    package let reason: String

    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// The reason.
    package var description: String { reason }
}
