internal import Synchronization

/// How much a log line matters; a scope writes lines at its level and above.
package enum LogLevel: UInt8, Sendable, Comparable, CaseIterable {
    case trace, debug, info, warn, error, off

    /// Reads a level's name in lower case, `warning` too.
    package init?(name: String) {
        if name == "warning" {
            self = .warn
            return
        }
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    /// The name in lower case.
    package var name: String {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .warn: "warn"
        case .error: "error"
        case .off: "off"
        }
    }

    /// Orders by how much a line matters.
    package static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The part of the node a log line comes from; each has a level of its own.
package enum LogScope: UInt8, Sendable, CaseIterable {
    case access, admin, capture, configuration, dns, identity, log, mesh, node, policy, proxy
    case tunnel

    /// The name as it stands in lines and in level settings.
    package var name: String {
        switch self {
        case .access: "access"
        case .admin: "admin"
        case .capture: "capture"
        case .configuration: "configuration"
        case .dns: "dns"
        case .identity: "identity"
        case .log: "log"
        case .mesh: "mesh"
        case .node: "node"
        case .policy: "policy"
        case .proxy: "proxy"
        case .tunnel: "tunnel"
        }
    }
}

/// The level of every scope: a value, read from text such as `info,dns=debug,access=off`.
package struct LogLevels: Sendable, Hashable, CustomStringConvertible {
    /// Why a text is not one of levels.
    package struct Failure: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    // Four bits for each scope, so that all of them are one atomic word.
    fileprivate var word: UInt64

    /// Gives every scope the same level.
    package init(_ level: LogLevel = .info) {
        self.word = 0
        for scope in LogScope.allCases { self[scope] = level }
    }

    fileprivate init(word: UInt64) {
        self.word = word
    }

    /// Reads parts between commas: a level for all scopes, or `scope=level`.
    ///
    /// The level for all scopes counts first, wherever it stands; scopes not named keep those of
    /// `base`. At most 64 parts are read.
    package init(_ text: String, base: LogLevels = LogLevels()) throws(Failure) {
        self = base
        var named: [(LogScope, LogLevel)] = []
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= 64 else { throw Failure(description: "more than 64 parts") }
        for part in parts {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
                .map { $0.trimmed }
            switch sides.count {
            case 1:
                self = LogLevels(try Self.level(sides[0]))
            case 2:
                named.append((try Self.scope(sides[0]), try Self.level(sides[1])))
            default:
                throw Failure(description: "`\(part)` is not a level or `scope=level`")
            }
        }
        for (scope, level) in named { self[scope] = level }
    }

    private static func level(_ name: String) throws(Failure) -> LogLevel {
        guard let level = LogLevel(name: name) else {
            let known = LogLevel.allCases.map(\.name).joined(separator: ", ")
            throw Failure(description: "`\(name)` is not a level; levels are \(known)")
        }
        return level
    }

    private static func scope(_ name: String) throws(Failure) -> LogScope {
        guard let scope = LogScope.allCases.first(where: { $0.name == name }) else {
            let known = LogScope.allCases.map(\.name).joined(separator: ", ")
            throw Failure(description: "`\(name)` is not a scope; scopes are \(known)")
        }
        return scope
    }

    /// The level of one scope.
    package subscript(scope: LogScope) -> LogLevel {
        get { LogLevel(rawValue: UInt8(word >> shift(scope) & 0xF)) ?? .off }
        set { word = word & ~(0xF << shift(scope)) | UInt64(newValue.rawValue) << shift(scope) }
    }

    private func shift(_ scope: LogScope) -> UInt64 { UInt64(scope.rawValue) * 4 }

    /// The commonest level, then the scopes that differ; can be read back.
    package var description: String {
        let levels = LogScope.allCases.map { self[$0] }
        let common =
            LogLevel.allCases.max { left, right in
                levels.count { $0 == left } < levels.count { $0 == right }
            } ?? .info
        let others = LogScope.allCases.filter { self[$0] != common }
            .map { "\($0.name)=\(self[$0].name)" }
        return ([common.name] + others).joined(separator: ",")
    }
}

/// The levels in force, which any thread may read and change.
final class LevelSwitch: Sendable {
    private let word: Atomic<UInt64>

    init(_ levels: LogLevels) {
        self.word = Atomic(levels.word)
    }

    var levels: LogLevels {
        get { LogLevels(word: word.load(ordering: .relaxed)) }
        set { word.store(newValue.word, ordering: .relaxed) }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
