/// JSON merge patches (RFC 7396).
enum MergePatch {
    /// The target as the patch changes it.
    static func merge(_ patch: Value, into target: Value) -> Value {
        guard case .map(let fields) = patch else { return patch }
        var result: Value = target.mapValue == nil ? .map([:]) : target
        for (name, change) in fields {
            result[name] = change == .null ? .null : merge(change, into: result[name])
        }
        return result
    }

    /// One patch that does what `first` and then `second` do.
    static func compose(_ first: Value, _ second: Value) -> Value {
        guard case .map(let later) = second, case .map(var fields) = first else { return second }
        for (name, change) in later {
            fields[name] = fields[name].map { compose($0, change) } ?? change
        }
        return .map(fields)
    }
}
