import JSON
import Testing

@Suite struct `The JSON parser` {
    private func parse(_ text: String) throws(JSON.Failure) -> JSON {
        try JSON.parse(Array(text.utf8))
    }

    @Test(
        arguments: [
            ("null", JSON.null), ("true", true), (" false\n", false),
            ("0", 0), ("-1", -1), ("9223372036854775807", 9_223_372_036_854_775_807),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("1.5", 1.5), ("-2e3", .number(-2000)), ("1E-2", 0.01),
            (#""""#, ""), (#""aé\n\/\"\\\b\f\r\t""#, "aé\n/\"\\\u{8}\u{C}\r\t"),
            (#""\u00e9\ud83d\ude00""#, "é😀"), (#""\u0000""#, "\0"),
            ("[]", []), ("[1, [2]]", [1, [2]]), ("{}", .object([])),
            (#"{"b": 1, "a": {"c": null}}"#, ["b": 1, "a": ["c": .null]]),
        ] as [(String, JSON)]
    )
    func `reads a value`(text: String, value: JSON) throws {
        #expect(try parse(text) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "truee", "01", "-", "+1", "1.", ".5", "1e", "1e999", "0x1", "NaN",
        "\"", "\"\n\"", #""\x""#, #""\u12""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#,
        "[", "[1", "[1,]", "[,1]", "[1 2]", "{", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{a:1}",
        #"{"a":1 "b":2}"#, "[]]", "1 2", #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#,
    ])
    func `refuses what is no JSON`(text: String) {
        #expect(throws: JSON.Failure.self) { try parse(text) }
    }

    @Test(
        arguments: [
            [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xFF, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x5C, 0x6E, 0xC3, 0x22],
            [0xEF, 0xBB, 0xBF, 0x30],
        ] as [[UInt8]]
    )
    func `refuses bytes that are not UTF-8`(bytes: [UInt8]) {
        #expect(throws: JSON.Failure.self) { try JSON.parse(bytes) }
    }

    @Test func `refuses a name that comes twice in a large object`() throws {
        let members = (0..<40).map { "\"m\($0)\": \($0)" }
        #expect(try parse("{" + members.joined(separator: ",") + "}").objectValue?.count == 40)
        for again in [0, 15, 16, 17, 39] {
            let twice = members + ["\"m\(again)\": 0"]
            #expect(throws: JSON.Failure.self) {
                try parse("{" + twice.joined(separator: ",") + "}")
            }
        }
    }

    @Test func `stops at its depth`() throws {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try parse(deep) }
        #expect(throws: JSON.Failure.self) { try parse("[" + deep + "]") }
        let bottomless = String(repeating: "[{\"a\":", count: 100_000)
        #expect(throws: JSON.Failure.self) { try parse(bottomless) }
    }

    @Test func `stops at its size`() {
        #expect(throws: JSON.Failure.self) { try JSON.parse(Array("12345".utf8), bytesMax: 4) }
        #expect(throws: Never.self) { try JSON.parse(Array("1234".utf8), bytesMax: 4) }
    }

    @Test func `tells where it stopped`() {
        let failure = #expect(throws: JSON.Failure.self) {
            try parse("{\n  \"a\": 1,\n  \"b\" 2\n}")
        }
        #expect(failure?.description == "line 3, column 7: expected : after a name")
    }
}

@Suite struct `The JSON scanner` {
    @Test func `walks a text value by value`() throws {
        let text = #" { "a" : [ 1 , {} ] , "skipped": {"x": ["}"]}, "b": "c" } "#
        var scanner = try JSONScanner(Array(text.utf8), depthMax: 3, bytesMax: 100)
        #expect(try scanner.value() == .map)
        #expect(try scanner.name() == "a")
        #expect(try scanner.value() == .list)
        #expect(try scanner.hasElement())
        #expect(try scanner.value() == .integer(1))
        #expect(try scanner.hasElement())
        #expect(try scanner.value() == .map)
        #expect(try scanner.name() == nil)
        #expect(try !scanner.hasElement())
        #expect(try scanner.name() == "skipped")
        try scanner.skip()
        #expect(try scanner.name() == "b")
        #expect(try scanner.value() == .string("c"))
        #expect(try scanner.name() == nil)
        try scanner.end()
    }

    @Test func `skips without a limit to the depth`() throws {
        let depth = 100_000
        let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        var scanner = try JSONScanner(Array(deep.utf8), depthMax: 1, bytesMax: 1 << 20)
        try scanner.skip()
        try scanner.end()
    }

    @Test(arguments: ["", "[", "{\"a\"", "\"", "[\"", "[\"\\", "[{}", "nope"])
    func `refuses to skip what does not end`(text: String) throws {
        var scanner = try JSONScanner(Array(text.utf8), depthMax: 8, bytesMax: 100)
        #expect(throws: JSON.Failure.self) { try scanner.skip() }
    }
}

@Suite struct `The JSON writer` {
    @Test func `writes what the parser reads`() throws {
        let value: JSON = [
            "text": "a\"\\\n\u{1}\u{7F}é😀", "list": [1, -2.5, true, .null], "empty": [],
            "none": .object([]), "large": .integer(.min),
        ]
        #expect(try JSON.parse(value.compact()) == value)
        #expect(try JSON.parse(value.pretty()) == value)
    }

    @Test func `writes compact and pretty text`() {
        let value: JSON = ["a": [1, 2], "b": .object([])]
        #expect(String(decoding: value.compact(), as: UTF8.self) == #"{"a":[1,2],"b":{}}"#)
        let pretty = "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}\n"
        #expect(String(decoding: value.pretty(), as: UTF8.self) == pretty)
    }

    @Test func `escapes what would break a line or a string`() {
        let text = String(decoding: JSON.string("\u{0}\r\"").compact(), as: UTF8.self)
        #expect(text == #""\u0000\r\"""#)
    }

    @Test func `writes no number that JSON does not have`() {
        #expect(JSON.number(.infinity).compact() == Array("null".utf8))
        #expect(JSON.number(.nan).compact() == Array("null".utf8))
    }
}
