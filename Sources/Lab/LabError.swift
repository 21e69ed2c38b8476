package import Reactor

/// What went wrong in the lab, with the exit code a program should end with.
package struct LabError: Error, Hashable, Codable, CustomStringConvertible {
    /// The kinds of failure; the raw value is the exit code (sysexits.h where it has one).
    package enum Kind: Int32, Sendable, Codable {
        /// An operation failed.
        case failed = 1
        /// The command line or a request does not make sense.
        case usage = 64
        /// A file's objects are wrong, or there is nothing of that name.
        case data = 65
        /// A file cannot be read.
        case unreadable = 66
        /// No lab of that name is up.
        case noLab = 69
        /// A lab of that name is up already.
        case exists = 73
        /// It takes root.
        case notPermitted = 77
        /// The command was found but cannot be run in the pod.
        case cannotRun = 126
        /// The command was not found in the pod.
        case noCommand = 127
    }

    package let kind: Kind
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// Takes over a failed system call and says what it was for.
    package init(_ purpose: String, _ error: SystemError) {
        self.init(.failed, "\(purpose): \(error)")
    }

    package var description: String { message }
}
