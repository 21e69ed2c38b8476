/// What Package.swift says of targets, read from its text.
///
/// The package's own description is not asked for: the tool that gives it waits for the one that
/// runs these tests.
struct Manifest {
    /// What each target depends on, products by their names.
    private(set) var dependencies: [String: [String]] = [:]

    /// Reads calls of `module`, `program`, `tests` and `.target`.
    init(_ file: SourceFile) {
        let names = Self.constants(file)
        var call: (name: String, text: String, depth: Int)?
        for (line, code) in zip(file.lines, file.code) {
            if call == nil, let start = Self.callStart(code) {
                call = (start, "", 0)
            }
            guard var current = call else { continue }
            current.text += line + "\n"
            for character in code {
                if character == "(" { current.depth += 1 }
                if character == ")" { current.depth -= 1 }
            }
            call = current.depth > 0 ? current : nil
            if call == nil { take(current.text, constants: names) }
        }
    }

    private static func callStart(_ code: String) -> String? {
        let trimmed = code.drop { $0 == " " }
        return ["module(", "program(", "tests(", ".target("].first { trimmed.hasPrefix($0) }
    }

    // `let yams: Target.Dependency = .product(name: "Yams", …)`, over several lines or one.
    private static func constants(_ file: SourceFile) -> [String: String] {
        var constants: [String: String] = [:]
        var open: String?
        for line in file.lines {
            if line.hasPrefix("let "), line.contains("Target.Dependency") {
                open = line.dropFirst(4).split(separator: ":").first.map(String.init)
            }
            if let name = open, let range = line.firstRange(of: "name: \"") {
                constants[name] = String(line[range.upperBound...].prefix { $0 != "\"" })
                open = nil
            }
        }
        return constants
    }

    private mutating func take(_ text: String, constants: [String: String]) {
        let strings = text.split(separator: "\"", omittingEmptySubsequences: false)
            .enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
        guard let target = strings.first else { return }
        if text.drop(while: { $0 == " " }).hasPrefix(".target(") {
            dependencies[target] = []
            return
        }
        let words = text.split { !$0.isLetter && !$0.isNumber }.map(String.init)
        let products = constants.filter { words.contains($0.key) }.map(\.value)
        // A path has a slash, which no target has.
        dependencies[target] = strings.dropFirst().filter { !$0.contains("/") } + products.sorted()
    }

    /// Targets that depend on each other in a circle, if any do.
    func cycle() -> [String]? {
        var finished: Set<String> = []
        func visit(_ target: String, _ path: [String]) -> [String]? {
            if let start = path.firstIndex(of: target) { return path[start...] + [target] }
            if finished.contains(target) { return nil }
            for next in dependencies[target] ?? [] {
                if let found = visit(next, path + [target]) { return found }
            }
            finished.insert(target)
            return nil
        }
        for target in dependencies.keys.sorted() {
            if let found = visit(target, []) { return found }
        }
        return nil
    }
}
