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

    /// Fails for an answer of an admin server that is no success: with what was wrong with the
    /// question where it says so, or that it failed.
    package static func check(
        status: Int,
        of path: String,
        body: [UInt8]
    ) throws(ReachError) {
        let kind: Kind
        switch status {
        case 200..<300: return
        case 400: kind = .usage
        case 404: kind = .data
        default: kind = .failed
        }
        // A line for each thing that is wrong, as the node has it.
        let text = String(decoding: body.prefix(500), as: UTF8.self)
            .split(separator: "\n")
            .map { Terminal.printable(String($0)) }
            .joined(separator: "\n")
        throw ReachError(kind, "\(path) answered \(status): \(text)")
    }
}
