package import JSON

/// What a plugin answers instead of a result (CNI 1.1.0, "Error").
package struct CNIError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The codes of the specification that are used here, and one of our own.
    package enum Code: Int64, Sendable, Hashable {
        case incompatibleVersion = 1
        case unknownContainer = 3
        case invalidEnvironment = 4
        case ioFailure = 5
        case undecodable = 6
        case invalidConfiguration = 7
        /// The runtime should call again.
        case tryAgainLater = 11
        /// CHECK found the pod not captured; own codes begin at 100.
        case notCaptured = 100
    }

    package let code: Code
    /// A sentence for the operator.
    package let message: String
    /// More of it; may be empty.
    package let details: String

    package init(_ code: Code, _ message: String, details: String = "") {
        self.code = code
        self.message = message
        self.details = details
    }

    /// Message and details.
    package var description: String { details.isEmpty ? message : "\(message): \(details)" }

    /// The answer on standard output.
    package func json(version: String) -> JSON {
        var members: [(String, JSON)] = [
            ("cniVersion", .string(version)), ("code", .integer(code.rawValue)),
            ("msg", .string(message)),
        ]
        if !details.isEmpty { members.append(("details", .string(details))) }
        return .object(members)
    }
}
