package import Kubernetes

/// An answer that is a `Status` of failure.
package struct Refusal: Error, Sendable {
    package let code: Int64
    package let reason: String
    package let message: String

    package init(_ code: Int64, _ reason: String, _ message: String) {
        self.code = code
        self.reason = reason
        self.message = message
    }

    static func notFound(_ what: String) -> Refusal {
        Refusal(404, "NotFound", "\(what) not found")
    }

    /// The body that says so.
    package var status: Value {
        [
            "kind": "Status", "apiVersion": "v1", "metadata": .map([:]), "status": "Failure",
            "message": .string(message), "reason": .string(reason), "code": .integer(code),
        ]
    }
}
