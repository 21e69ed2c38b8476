import Kubernetes

/// How patches change an object.
enum Merging {
    /// RFC 7396.
    static func merge(_ patch: Value, into target: Value) -> Value {
        guard case .map(let fields) = patch else { return patch }
        var result: Value = target.mapValue == nil ? .map([:]) : target
        for (name, change) in fields {
            result[name] = change == .null ? .null : merge(change, into: result[name])
        }
        return result
    }

    /// Server-side apply, in short: what is named is set, what the same owner named before and
    /// names no more is removed, and conditions are told apart by their type.
    static func apply(_ configuration: Value, before: Value, to target: Value) -> Value {
        var result = target
        if case .map(let old) = before {
            for name in old.keys where configuration[name] == .null { result[name] = .null }
        }
        guard case .map(let fields) = configuration else { return configuration }
        if result.mapValue == nil { result = .map([:]) }
        for (name, value) in fields {
            if name == "conditions", let conditions = value.listValue {
                result[name] = .list(merge(conditions, into: result[name].listValue ?? []))
            } else if case .map = value {
                result[name] = apply(value, before: before[name], to: result[name])
            } else {
                result[name] = value
            }
        }
        return result
    }

    private static func merge(_ conditions: [Value], into old: [Value]) -> [Value] {
        var result = old
        for condition in conditions {
            if let place = result.firstIndex(where: { $0["type"] == condition["type"] }) {
                result[place] = merge(condition, into: result[place])
            } else {
                result.append(condition)
            }
        }
        return result
    }
}
