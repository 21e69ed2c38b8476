/// The API groups of security policies: our own, and Istio's with the same schema.
enum SecurityGroup {
    static let istio = "security.istio.io"

    /// The group of a policy object as its key has it: empty for our own.
    static func foreign(_ root: Field) throws(FieldError) -> String {
        let version = try root.string("apiVersion") ?? ""
        return version.hasPrefix(istio + "/") ? istio : ""
    }

    /// Whether a kind that is not read here looks like a policy: RequestAuthentication is the only
    /// other one of the groups, and the waypoint's.
    static func shouldKnow(kind: String, apiVersion: String) -> Bool {
        kind != "RequestAuthentication"
            && AuthorizationPolicy.objectType.groups.contains(FolderKey.group(of: apiVersion))
    }

    /// Whether the object's status says that a version of it was in force.
    static func wasEnforced(_ root: Field) -> Bool {
        let conditions = root.value["status"]["conditions"].listValue ?? []
        guard let enforced = conditions.first(where: { $0["type"] == "Enforced" }) else {
            return false
        }
        let reason = enforced["reason"].stringValue ?? ""
        return enforced["status"] == "True"
            || [EnforcementReason.lastGoodVersion, EnforcementReason.failsClosed].contains(reason)
    }
}

/// Reasons of a policy's condition `Enforced` that a controller reads again when it starts.
package enum EnforcementReason {
    /// The last version is refused, the one before is in force.
    package static let lastGoodVersion = "LastGoodVersion"
    /// The last version is refused and the one before is lost: all is refused that it is about.
    package static let failsClosed = "FailsClosed"
}
