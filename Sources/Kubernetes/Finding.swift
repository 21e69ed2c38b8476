/// Something in an object that its author should know: why it was refused, or what has no effect.
package struct Finding: Sendable, Hashable, CustomStringConvertible {
    package let object: ObjectKey
    /// The path of the field, such as `spec.rules[0].to[0].operation.methods`; empty for all of it.
    package let field: String
    package let reason: String

    package init(object: ObjectKey, field: String, reason: String) {
        self.object = object
        self.field = field
        self.reason = reason
    }

    /// One line: object, field, reason.
    package var description: String {
        ["\(object)", field, reason].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
