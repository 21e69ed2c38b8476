extension NodeConfiguration {
    /// What a command line asks for.
    package enum Invocation: Sendable, Equatable {
        case run(NodeConfiguration)
        /// Print this, which can be read back as a file, and end.
        case printConfiguration(String)
        /// Print this and end.
        case help(String)
        /// Print the version and end.
        case version
    }

    /// The most bytes a configuration file may have.
    package static let fileBytesMax = 1 << 20

    /// Reads flags, environment and file, the first being the strongest.
    ///
    /// `arguments` are those after the program's name. `readFile` gives a file's bytes, or the
    /// reason why it cannot. Everything that is wrong is reported at once.
    package static func parse(
        arguments: [String],
        environment: [String: String],
        readFile: (String) -> Result<[UInt8], ConfigurationFileFailure>
    ) throws(ConfigurationFailure) -> Invocation {
        var sources = ConfigurationSources()
        sources.readFlags(arguments)
        if sources.wantsHelp { return .help(help) }
        if sources.wantsVersion { return .version }
        sources.readEnvironment(environment)
        if let path = sources.configurationPath {
            sources.readFile(path, readFile(path))
        }
        let configuration = sources.resolve()
        guard sources.problems.isEmpty else {
            throw ConfigurationFailure(problems: sources.problems)
        }
        return sources.wantsPrint
            ? .printConfiguration(configuration.printed(origins: sources.origins))
            : .run(configuration)
    }

    /// Every key with its value, as lines that can be read back as a file.
    package var printed: String { printed(origins: [:]) }

    private func printed(origins: [String: Origin]) -> String {
        Self.keys.map { key in
            let origin = origins[key.name].map { "# from \($0)\n" } ?? ""
            return "\(origin)\(key.name) = \(key.show(self))\n"
        }
        .joined()
    }

    /// What `--help` prints.
    package static var help: String {
        let defaults = NodeConfiguration()
        let lines = keys.map { key in
            let value = key.show(defaults)
            let standing = key.isRequired ? "required" : value.isEmpty ? "" : "default \(value)"
            // No line is longer than a terminal of 100 columns.
            let isLong = 8 + key.help.count + 3 + standing.count > 100
            let space = isLong ? "\n        " : " "
            let note = standing.isEmpty ? "" : "\(space)(\(standing))"
            return "  \(key.flag) \(key.formName)\n        \(key.help)\(note)\n"
        }
        return """
            Usage: ambit-node [--config FILE] [--KEY VALUE]...

            A value comes from the strongest place that gives it: the flag --KEY, else the
            environment variable AMBIT_KEY (capitals, `_` for `-`), else a line `KEY = VALUE` of
            the file, else the default. Lines of the file that begin with `#` are comments.

              --config FILE
                    The configuration file; also AMBIT_CONFIG.
              --print-config
                    Print the configuration that would be in force, as such a file, and end.
              --ready
                    Ask the process behind readiness-socket whether it is ready: status 0 if so.
              --remove-cni
                    Take the CNI plugin off this host and end.
              --version
                    Print the version and end.
              --help
                    Print this and end.

            """ + lines.joined()
    }
}

/// Why a configuration file cannot be read.
package struct ConfigurationFileFailure: Error, Sendable {
    package let reason: String

    /// Takes the reason, such as the system's words for an errno.
    package init(reason: String) {
        self.reason = reason
    }
}

/// The values as they were given, before they are understood.
struct ConfigurationSources {
    private struct Given {
        let value: String
        let origin: NodeConfiguration.Origin
    }

    private var flags: [String: Given] = [:]
    private var variables: [String: Given] = [:]
    private var lines: [String: Given] = [:]
    private(set) var problems: [ConfigurationFailure.Problem] = []
    /// Where each value in force was given; keys with their default are not in it.
    private(set) var origins: [String: NodeConfiguration.Origin] = [:]
    private(set) var configurationPath: String?
    private(set) var wantsHelp = false
    private(set) var wantsVersion = false
    private(set) var wantsPrint = false

    private static let known = Set(NodeConfiguration.keys.map(\.name))

    /// Reads `--key value` and `--key=value`; of a flag given twice the last counts.
    mutating func readFlags(_ arguments: [String]) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h": wantsHelp = true
            case "--version": wantsVersion = true
            case "--print-config": wantsPrint = true
            default: readFlag(argument, &rest)
            }
        }
    }

    private mutating func readFlag(_ argument: String, _ rest: inout ArraySlice<String>) {
        guard argument.hasPrefix("--") else {
            report(argument, "is not a flag; values follow a flag as in --node-name NAME", nil)
            return
        }
        let body = argument.dropFirst(2)
        let sides = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(sides.first ?? "")
        guard name == "config" || Self.known.contains(name) else {
            report("--" + name, "is not a flag of this program" + Self.suggestion(name), nil)
            // What follows is its value, and not one more thing that is wrong.
            if sides.count == 1, rest.first?.hasPrefix("--") == false { rest.removeFirst() }
            return
        }
        let origin = NodeConfiguration.Origin.flag("--" + name)
        guard let value = sides.count == 2 ? String(sides[1]) : rest.popFirst() else {
            report(name, "has no value", origin)
            return
        }
        if name == "config" {
            configurationPath = value
        } else {
            flags[name] = Given(value: value, origin: origin)
        }
    }

    /// Takes the variables of known keys; others may be anyone's and are left alone.
    mutating func readEnvironment(_ environment: [String: String]) {
        for key in NodeConfiguration.keys {
            let others = NodeConfiguration.otherVariables[key.name] ?? []
            for name in [key.variable] + others {
                // Manifests of others set theirs to nothing for "not given".
                guard let value = environment[name], name == key.variable || !value.isEmpty
                else { continue }
                variables[key.name] = Given(value: value, origin: .environment(name))
                break
            }
        }
        if configurationPath == nil { configurationPath = environment["AMBIT_CONFIG"] }
    }

    /// Reads the lines `key = value` of a file.
    mutating func readFile(
        _ path: String,
        _ contents: Result<[UInt8], ConfigurationFileFailure>
    ) {
        switch contents {
        case .failure(let failure): report("config", "\(path): \(failure.reason)", nil)
        case .success(let bytes) where bytes.count > NodeConfiguration.fileBytesMax:
            report("config", "\(path): more than \(NodeConfiguration.fileBytesMax) bytes", nil)
        case .success(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else {
                report("config", "\(path): not UTF-8", nil)
                return
            }
            let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            for (index, line) in lines.enumerated() {
                readLine(line, .file(path: path, line: index + 1))
            }
        }
    }

    private mutating func readLine(_ line: Substring, _ origin: NodeConfiguration.Origin) {
        let trimmed = Self.trimmed(line)
        if trimmed.isEmpty || trimmed.hasPrefix("#") { return }
        let sides = trimmed.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2 else {
            report(trimmed, "is not a line `key = value`", origin)
            return
        }
        let name = Self.trimmed(sides[0])
        guard Self.known.contains(name) else {
            report(name, "is not a key" + Self.suggestion(name), origin)
            return
        }
        guard lines[name] == nil else {
            report(name, "is given twice", origin)
            return
        }
        lines[name] = Given(value: Self.trimmed(sides[1]), origin: origin)
    }

    /// Understands the strongest value of every key.
    mutating func resolve() -> NodeConfiguration {
        var configuration = NodeConfiguration()
        for key in NodeConfiguration.keys {
            guard let given = flags[key.name] ?? variables[key.name] ?? lines[key.name] else {
                if key.isRequired {
                    let ways = "\(key.flag), \(key.variable) or a line in the file"
                    report(key.name, "is not set; give \(ways)", nil)
                }
                continue
            }
            let value = Self.trimmed(given.value[...])
            if let reason = key.read(value, &configuration) {
                report(key.name, reason, given.origin)
            } else if key.isRequired, value.isEmpty {
                report(key.name, "is empty", given.origin)
            }
            origins[key.name] = given.origin
        }
        return configuration
    }

    private mutating func report(
        _ key: String,
        _ reason: String,
        _ origin: NodeConfiguration.Origin?
    ) {
        problems.append(ConfigurationFailure.Problem(key: key, reason: reason, origin: origin))
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    // The key that has most of the same beginning, when that is most of it.
    private static func suggestion(_ name: String) -> String {
        let shared = known.sorted().map { key in
            (key, zip(key, name).prefix { $0 == $1 }.count)
        }
        guard let best = shared.max(by: { $0.1 < $1.1 }), best.1 >= 4 else { return "" }
        return "; did you mean `\(best.0)`?"
    }
}
