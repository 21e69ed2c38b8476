/// Who calls the control plane, as a reviewed service-account token says.
package struct Caller: Sendable, Hashable {
    package let namespace: String
    package let serviceAccount: String
    /// The pod the token is bound to; empty when it is bound to none.
    package let podName: String
    package let podUID: String
    /// The node that pod runs on; empty when not known.
    package let nodeName: String

    /// Takes what a token review said.
    package init(
        namespace: String,
        serviceAccount: String,
        podName: String,
        podUID: String,
        nodeName: String
    ) {
        self.namespace = namespace
        self.serviceAccount = serviceAccount
        self.podName = podName
        self.podUID = podUID
        self.nodeName = nodeName
    }
}

/// Why a caller is refused: for the controller's log, never for the caller.
package struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
    package let reason: String

    /// Takes the reason.
    package init(_ reason: String) {
        self.reason = reason
    }

    /// The reason.
    package var description: String { reason }
}

/// Reviews a bearer token; refuses missing, expired and foreign ones.
package typealias Authenticator = @Sendable (_ token: String) async -> Result<Caller, Refusal>
