import Kubernetes
import Testing

@Suite struct `A YAML document` {
    @Test(arguments: [
        ("", Value.null), ("~", .null), ("null", .null), ("NULL", .null), ("nUll", .string("nUll")),
        ("true", .bool(true)), ("True", .bool(true)), ("yes", .bool(true)), ("on", .bool(true)),
        ("false", .bool(false)), ("no", .bool(false)), ("OFF", .bool(false)), ("y", .string("y")),
        ("0", .integer(0)), ("8080", .integer(8080)), ("-12", .integer(-12)), ("+7", .integer(7)),
        ("1_000", .integer(1000)), ("0x1F", .integer(31)), ("0o17", .integer(15)),
        ("017", .integer(15)), ("0b101", .integer(5)), ("-0x10", .integer(-16)),
        ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .number(9.223372036854775808e18)),
        ("1.5", .number(1.5)), ("-1.5", .number(-1.5)), (".5", .number(0.5)),
        ("1e3", .number(1000)),
        ("1.10", .number(1.1)), ("1.2.3", .string("1.2.3")), ("10.0.0.1", .string("10.0.0.1")),
        ("-", .string("-")), (".", .string(".")), ("+", .string("+")), ("_1", .string("_1")),
        ("0x", .string("0x")), ("0x-1", .string("0x-1")), ("--1", .string("--1")),
        ("1a", .string("1a")), ("e1", .string("e1")), ("08", .number(8)),
        ("2026-11-21", .string("2026-11-21")),
        ("2026-11-21T10:00:00Z", .string("2026-11-21T10:00:00Z")),
    ])
    func `types a plain scalar as Kubernetes does`(text: String, value: Value) {
        #expect(Value(plainScalar: text) == value)
    }

    @Test(arguments: [
        ("a: '1'", Value.map(["a": .string("1")])),
        ("a: \"true\"", .map(["a": .string("true")])),
        ("a: !!str 1", .map(["a": .string("1")])),
        ("a: |\n  1\n", .map(["a": .string("1\n")])),
        ("a: >-\n  1\n  2\n", .map(["a": .string("1 2")])),
        ("a:\n- 1\n- b", .map(["a": .list([.integer(1), .string("b")])])),
        ("a: {b: [c, 1]}", .map(["a": .map(["b": .list([.string("c"), .integer(1)])])])),
        ("1: a", .map(["1": .string("a")])),
        ("a:", .map(["a": .null])),
        ("{\"a\": 1}", .map(["a": .integer(1)])),
        ("a: &x [1]\nb: *x\n", .map(["a": .list([.integer(1)]), "b": .list([.integer(1)])])),
        ("a: x && y\nb: \"*\"\n", .map(["a": .string("x && y"), "b": .string("*")])),
        ("# nothing", .null),
    ])
    func `becomes a value`(text: String, value: Value) throws {
        #expect(try Value(yaml: text) == value)
    }

    @Test(
        arguments: [
            ("a: [", 2), ("a: 1\n  b: 2", 2), ("a: 1\na: 2", 1), ("a: 1\n\"a\": 2", 1),
            ("a: *x", 1),
            ("\ta: 1", 1), ("a: \"\\q\"", 1), ("[a]: 1", 1), ("? {a: 1}\n: 1", 1),
            ("x: &b {c: 1}\na:\n  <<: *b\n", 3), ("a: 1\n...\nb: 2", 3), ("a: \u{0}", nil),
            ("a: \"\\ud800\"", 1), ("%TAG ! x\n", 2), ("&a &b c", 1), ("a: !<", 1),
        ] as [(String, Int?)]
    )
    func `is refused when it is malformed`(text: String, line: Int?) {
        let error = #expect(throws: YAMLError.self) { try Value(yaml: text) }
        #expect(error?.line == line, "\(String(describing: error))")
        #expect(error?.reason.isEmpty == false)
    }

    @Test(arguments: [
        // Nine levels of nine: 387 million elements.
        (1...9).reduce("l0: &l0 [x]\n") { text, level in
            let aliases = repeatElement("*l\(level - 1)", count: 9).joined(separator: ", ")
            return text + "l\(level): &l\(level) [\(aliases)]\n"
        },
        // The same by two, where each alias costs least.
        (1...30).reduce("l0: &l0 [x]\n") { $0 + "l\($1): &l\($1) [*l\($1 - 1), *l\($1 - 1)]\n" },
        // Hashed as a key.
        (1...30).reduce("- &l0 [x]\n") { $0 + "- &l\($1) [*l\($1 - 1), *l\($1 - 1)]\n" }
            + "- {*l30 : 1}\n",
        // In flow style without any blank.
        "[" + (1...30).reduce("&l0 [x]") { $0 + ",&l\($1) [*l\($1 - 1),*l\($1 - 1)]" } + "]",
    ])
    func `is refused when its aliases could fill the memory`(bomb: String) {
        let error = #expect(throws: YAMLError.self) { try Value(yaml: bomb) }
        #expect(error?.reason.contains("aliases could expand") == true)
    }

    @Test func `is refused when it is nested too deeply`() throws {
        func flow(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        func block(_ depth: Int) -> String {
            String(repeating: "- ", count: depth) + "x"
        }
        #expect(throws: Never.self) { try Value(yaml: flow(Value.YAMLLimit.depthMax)) }
        #expect(throws: Never.self) { try Value(yaml: block(Value.YAMLLimit.depthMax - 1)) }
        for text in [
            flow(Value.YAMLLimit.depthMax + 1), flow(255), flow(257), flow(1_000_000), block(64),
            block(999), block(1001), block(1_000_000),
        ] {
            #expect(throws: YAMLError.self) { try Value(yaml: text) }
        }
    }
}
