import Foundation

/// Words that are not written here, each with what to write instead.
struct BanRule {
    /// What a word is looked for in.
    enum Part { case code, comments }
    /// Which files it is banned in.
    enum Place { case everywhere, sources, dataPlane, tests }

    let word: String
    let part: Part
    let place: Place
    let instead: String
    /// Beginnings of paths that may have it.
    let except: [String]
    /// Whether it is banned inside loops too.
    let inLoop: Bool

    init(
        _ word: String,
        in part: Part = .code,
        _ place: Place = .everywhere,
        except: [String] = [],
        inLoop: Bool = true,
        instead: String
    ) {
        self.word = word
        self.part = part
        self.place = place
        self.instead = instead
        self.except = except
        self.inLoop = inLoop
    }

    static let all: [BanRule] = [
        BanRule("try!", instead: "`try` in a throwing function, or `do` and `catch`"),
        BanRule("as!", instead: "`as?` and a way out"),
        BanRule(
            "fatalError(",
            .sources,
            instead: "`precondition` with values that explain the bug"
        ),
        BanRule("preconditionFailure()", instead: "a message with the values that explain the bug"),
        BanRule("assertionFailure(", instead: "`precondition`: release builds are what runs"),
        BanRule(
            "sleep(",
            .sources,
            except: pacing,
            instead: "a timer of the event loop, or poll(2) on the event"
        ),
        BanRule(
            "sleep(",
            .tests,
            except: labTests,
            inLoop: false,
            instead: "asking for the condition in a loop that ends"
        ),
        BanRule("FIXME", in: .comments, instead: "an issue, or the fix"),
        BanRule("TODO", in: .comments, instead: "an issue, or the thing itself"),
        BanRule("XXX", in: .comments, instead: "a sentence that says what is wrong"),
        BanRule("HACK", in: .comments, instead: "a sentence that says why it is so"),
        BanRule("swift-format-ignore", in: .comments, instead: "code the formatter leaves alone"),
        BanRule("print(", .dataPlane, instead: "`Log`, which never blocks"),
        BanRule("debugPrint(", instead: "`Log`, or nothing"),
        BanRule("public ", .sources, instead: "`package`: we ship programs"),
        BanRule("open class", instead: "`final class`"),
        BanRule("@testable", instead: "`package` access"),
        BanRule("@preconcurrency", instead: "a type that is Sendable"),
        BanRule("nonisolated(unsafe)", instead: "`Mutex`, `Atomic` or a `let`"),
        BanRule("@_", .sources, instead: "an attribute that is part of the language"),
        BanRule("import XCTest", instead: "`import Testing`"),
        BanRule("import Dispatch", .dataPlane, instead: "the reactor's threads and timers"),
        BanRule("DispatchQueue", .dataPlane, instead: "the reactor's threads and timers"),
        BanRule(
            " async ",
            .dataPlane,
            instead: "an event of the loop: the data path never suspends"
        ),
        BanRule(
            "await ",
            .dataPlane,
            instead: "an event of the loop: the data path never suspends"
        ),
        BanRule(
            "Task {",
            .dataPlane,
            instead: "an event of the loop: the data path never suspends"
        ),
        BanRule("actor ", .dataPlane, instead: "a class that one loop owns"),
        BanRule("exit(", .sources, except: ending, instead: "an error that `main.swift` answers"),
        BanRule("#expect(Bool(true))", .tests, instead: "a test that can fail"),
        BanRule("#expect(true)", .tests, instead: "a test that can fail"),
        BanRule("enum Placeholder", instead: "the module's real files"),
    ]

    // A lab test cuts a wire or waits for other processes for as long as the scenario says.
    private static let labTests = ["Tests/LabTests/"]
    // The wait on a condition variable, and programs that wait for other processes.
    private static let pacing = [
        "Sources/Reactor/Monitor.swift", "Sources/Lab/System/", "Sources/ambit/",
        "bench/driver/Waiting.swift", "bench/scaling/",
    ]
    // The one call that ends a process, a worker that cannot go on, and the programs themselves.
    private static let ending = [
        "Sources/Reactor/Signals.swift", "Sources/Node/NodeProgram.swift", "Sources/Lab/",
        "Sources/ambit", "bench/relay/", "bench/scaling/main.swift",
    ]

    func findings(in file: SourceFile) -> [Finding] {
        guard applies(to: file), !except.contains(where: file.path.hasPrefix) else { return [] }
        let bytes = part == .code ? file.codeBytes : file.commentBytes
        guard bytes.range(of: Data(word.utf8)) != nil else { return [] }
        let lines = part == .code ? file.code : file.comments
        return lines.enumerated().compactMap { index, line in
            guard contains(line), inLoop || !isInLoop(index, lines) else { return nil }
            let shown = word.filter { $0 != " " }
            return file.finding(index + 1, "`\(shown)` is banned; instead: \(instead)")
        }
    }

    private func applies(to file: SourceFile) -> Bool {
        switch place {
        case .everywhere: file.module != nil || file.testKind != nil
        case .sources: file.module != nil
        case .dataPlane: file.module.map(ModuleTable.isDataPlane) ?? false
        case .tests: file.testKind != nil
        }
    }

    // Whether the line stands inside a loop: one that begins above it, further to the left.
    private func isInLoop(_ index: Int, _ lines: [String]) -> Bool {
        func indent(_ line: String) -> Int { line.prefix { $0 == " " }.count }
        var left = indent(lines[index]) + 1
        for line in lines[...index].reversed() where indent(line) < left && !line.isEmpty {
            left = indent(line)
            let words = DeclarationWords(line)
            if words.keyword == "func" || words.keyword == "init" { return false }
            let isLoop = ["while ", "for ", "repeat "].contains { word in
                line.dropFirst(left).hasPrefix(word)
            }
            if isLoop { return true }
        }
        return false
    }

    // A word stands alone: nothing that belongs to a name comes before it.
    private func contains(_ line: String) -> Bool {
        var rest = line[...]
        while let range = rest.firstRange(of: word) {
            let before = rest[..<range.lowerBound].last ?? line[..<range.lowerBound].last
            let isPart = before.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false
            let isName = word.first.map { $0.isLetter } ?? false
            if !isPart || !isName || word == "sleep(" { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}
