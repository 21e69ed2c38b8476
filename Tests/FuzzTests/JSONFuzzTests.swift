import JSON
import Testing

@Suite struct `Arbitrary bytes as JSON` {
    private static let corpus: [[UInt8]] =
        [
            #"{"a": [1, -2.5e3, true, false, null, "x\u00e9\ud83d\ude00\n"], "b": {"c": {}}}"#,
            #"[[[[[[[[]]]]]]]]"#, #""\"\\\/\b\f\n\r\t""#, "9223372036854775807", "-0.0e-10", "{}",
            " 1 ",
        ].map { Array($0.utf8) } + [
            [0x22, 0xC3, 0xA9, 0x22], [0x22, 0xF0, 0x9F, 0x98, 0x80, 0x22],
        ]

    @Test func `are refused or survive being written and read again`() {
        fuzz("JSON", corpus: Self.corpus) { input, _ in
            let value: JSON
            do {
                value = try JSON.parse(input, depthMax: 16, bytesMax: 1 << 16)
            } catch let failure as JSON.Failure {
                try #require(failure.line >= 1 && failure.column >= 1)
                return
            }
            try #require(JSON.parse(value.compact()) == value)
            try #require(JSON.parse(value.pretty()) == value)
        }
    }

    @Test func `are skipped to where they end`() {
        fuzz("JSON skipped", corpus: Self.corpus) { input, _ in
            func skip() throws(JSON.Failure) {
                var scanner = try JSONScanner(input, depthMax: 16, bytesMax: 1 << 16)
                try scanner.skip()
                try scanner.end()
            }
            do {
                _ = try JSON.parse(input, depthMax: 16, bytesMax: 1 << 16)
            } catch {
                // It may be taken or refused, as it is not looked at closely.
                _ = try? skip()
                return
            }
            try skip()
        }
    }
}
