internal import Kubernetes

/// The annotation that has a policy evaluated and logged but not enforced.
enum DryRun {
    private static let annotations = ["ambit.dev/dry-run", "istio.io/dry-run"]

    /// Whether the policy is only to be tried; fails on a text that is no truth value.
    static func isRequested(by metadata: ObjectMeta) throws(FieldError) -> Bool {
        for name in annotations {
            guard let text = metadata.annotations[name] else { continue }
            switch text.lowercased() {
            case "true": return true
            case "false": return false
            default:
                throw FieldError(
                    path: "metadata.annotations.\(name)",
                    reason: "must be \"true\" or \"false\", found \(FieldError.quoted(text))"
                )
            }
        }
        return false
    }
}
