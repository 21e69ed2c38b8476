internal import Glibc
package import Reactor

/// A request the kernel's routing socket refused: what was asked, errno, and the kernel's words.
package struct NetlinkError: Error, Hashable, CustomStringConvertible {
    /// What was asked for, such as `add link veth0`.
    package let operation: String
    /// The errno of the refusal.
    package let code: Int32
    /// The text of the kernel's extended acknowledgement; empty when it gave none.
    package let detail: String

    package init(operation: String, code: Int32, detail: String = "") {
        self.operation = operation
        self.code = code
        self.detail = detail
    }

    /// Takes over a failed system call that was part of an operation.
    package init(operation: String, _ error: SystemError) {
        self.init(operation: operation + ": " + error.call, code: error.code)
    }

    /// The operation, the system's words for the code, and the kernel's detail.
    package var description: String {
        let text = unsafe String(cString: strerror(code))
        return detail.isEmpty ? "\(operation): \(text)" : "\(operation): \(text) (\(detail))"
    }
}
