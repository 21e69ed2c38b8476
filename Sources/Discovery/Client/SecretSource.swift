internal import Reactor

/// A text that stands in a file which others replace, or is given as it is.
package enum SecretSource: Sendable, Equatable {
    /// Read anew each time it is used.
    case file(String)
    case text(String)
    /// The roots of the operating system; no text.
    case system

    /// Why it cannot be read.
    package struct Unreadable: Error, Sendable, CustomStringConvertible {
        package let reason: String

        /// The reason.
        package var description: String { reason }
    }

    /// The longest file read, in bytes.
    package static let bytesMax = 1 << 20

    /// The text now, without white space around it.
    package func read() throws(Unreadable) -> String {
        switch self {
        case .system: return ""
        case .text(let text): return text
        case .file(let path):
            guard let text = String(validating: try Self.bytes(path), as: UTF8.self) else {
                throw Unreadable(reason: "\(path): not UTF-8")
            }
            var rest = text[...]
            while rest.last?.isWhitespace == true { rest.removeLast() }
            while rest.first?.isWhitespace == true { rest.removeFirst() }
            guard !rest.isEmpty else { throw Unreadable(reason: "\(path): is empty") }
            return String(rest)
        }
    }

    private static func bytes(_ path: String) throws(Unreadable) -> [UInt8] {
        do throws(SystemError) {
            return try WatchedFile.contents(path, bytesMax: bytesMax)
        } catch {
            throw Unreadable(reason: "\(path): \(error)")
        }
    }
}
