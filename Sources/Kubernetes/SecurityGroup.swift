/// The API groups of security policies: our own, and Istio's with the same schema.
enum SecurityGroup {
    static let istio = "security.istio.io"

    /// The group of a policy object as its key has it: empty for our own.
    static func foreign(_ root: Field) throws(FieldError) -> String {
        let version = try root.string("apiVersion") ?? ""
        return version.hasPrefix(istio + "/") ? istio : ""
    }
}
