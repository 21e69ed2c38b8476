internal import CLinux
internal import Glibc

/// A failed system call: which one, and the errno it left.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    package let call: String
    package let code: Int32

    /// The code of a blocking call on a socket with a timeout that passed.
    package static let timedOut = EAGAIN

    /// The other end closed before it had said what was due.
    package static let connectionClosed = SystemError(call: "recv", code: ECONNRESET)
    /// What the other end says is longer than it may be.
    package static let messageTooLong = SystemError(call: "recv", code: EMSGSIZE)

    /// A file is longer than it may be.
    package static let fileTooLong = SystemError(call: "read", code: EFBIG)

    package init(call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The call and the system's words for the code.
    package var description: String {
        let text = unsafe String(cString: strerror(code))
        return "\(call): \(text)"
    }
}

/// Runs a call until it is not interrupted, throwing what errno says when it returns -1.
@discardableResult
package func checked<T: SignedInteger>(
    _ call: StaticString,
    _ body: () -> T
) throws(SystemError) -> T {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        if code == EINTR { continue }
        throw SystemError(call: "\(call)", code: code)
    }
}
