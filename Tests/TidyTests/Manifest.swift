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
        return ["module(", "program(", "tests(", ".target(", ".executableTarget("].first {
            trimmed.hasPrefix($0)
        }
    }

    // `let yams: Target.Dependency = .product(name: "Yams", …)` or a list of such and of others'
    // names, over several lines or one.
    private static func constants(_ file: SourceFile) -> [String: [String]] {
        var constants: [String: [String]] = [:]
        var open: (name: String, isList: Bool)?
        for (line, code) in zip(file.lines, file.code) {
            if line.hasPrefix("let "), line.contains("Target.Dependency") {
                let name = line.dropFirst(4).split(separator: ":").first.map(String.init) ?? ""
                open = (name, line.contains("[Target.Dependency]"))
                constants[name] = []
            }
            guard let current = open else { continue }
            var rest = line[...]
            while let range = rest.firstRange(of: "name: \"") {
                rest = rest[range.upperBound...]
                constants[current.name, default: []].append(String(rest.prefix { $0 != "\"" }))
            }
            let words = code.split { !$0.isLetter && !$0.isNumber }.map(String.init)
            for word in words where word != current.name && !line.contains("name:") {
                constants[current.name, default: []] += constants[word] ?? []
            }
            if current.isList ? code.hasPrefix("]") || code.hasSuffix("]") : code.hasSuffix(")") {
                open = nil
            }
        }
        return constants
    }

    private mutating func take(_ text: String, constants: [String: [String]]) {
        let isPlain = [".target(", ".executableTarget("].contains {
            text.drop(while: { $0 == " " }).hasPrefix($0)
        }
        guard let target = Self.strings(text).first else { return }
        let listed = isPlain ? Self.dependencies(text) : text
        let words = listed.split { !$0.isLetter && !$0.isNumber }.map(String.init)
        let products = constants.filter { words.contains($0.key) }.flatMap(\.value)
        // A path has a slash, which no target has.
        dependencies[target] =
            Self.strings(listed).dropFirst(isPlain ? 0 : 1).filter { !$0.contains("/") }
            + products.sorted()
    }

    private static func strings(_ text: String) -> [String] {
        text.split(separator: "\"", omittingEmptySubsequences: false)
            .enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    // What stands between `dependencies:` and the next label, or the end.
    private static func dependencies(_ text: String) -> String {
        guard let start = text.firstRange(of: "dependencies:") else { return "" }
        let rest = text[start.upperBound...]
        let ends = ["exclude:", "path:", "swiftSettings:", "linkerSettings:"].compactMap {
            rest.firstRange(of: $0)?.lowerBound
        }
        return String(rest[..<(ends.min() ?? rest.endIndex)])
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
