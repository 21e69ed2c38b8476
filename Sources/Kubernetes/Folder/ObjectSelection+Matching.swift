/// Selecting without an API server.
extension ObjectSelection {
    /// Whether an object is selected: field and label tests by `=`, `==`, `!=` and, of labels, by
    /// presence (`app`, `!app`).
    func selects(_ object: Value) -> Bool {
        if let namespace, object["metadata"]["namespace"].stringValue ?? "" != namespace {
            return false
        }
        return fields.split(separator: ",").allSatisfy { test in
            Self.holds(test) { path in
                var value = object
                for name in path.split(separator: ".") { value = value[String(name)] }
                return value.stringValue ?? ""
            }
        }
            && labels.split(separator: ",").allSatisfy { test in
                Self.holds(test) { object["metadata"]["labels"][$0].stringValue }
            }
    }

    private static func holds(_ test: Substring, _ value: (String) -> String?) -> Bool {
        let sides = test.split(separator: "=", maxSplits: 2, omittingEmptySubsequences: true)
            .map(String.init)
        guard let first = sides.first else { return true }
        if sides.count == 1, !test.contains("=") {
            return first.hasPrefix("!")
                ? value(String(first.dropFirst())) == nil : value(first) != nil
        }
        let wanted = sides.count > 1 ? sides[1] : ""
        if first.hasSuffix("!") { return value(String(first.dropLast())) != wanted }
        return value(first) == wanted
    }
}
