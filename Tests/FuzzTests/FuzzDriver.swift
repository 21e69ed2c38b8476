import Foundation
import Testing

/// A small, fast generator (SplitMix64) whose whole sequence follows from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<bound`; 0 when `bound` is not positive.
    mutating func below(_ bound: Int) -> Int {
        bound > 0 ? Int.random(in: 0..<bound, using: &self) : 0
    }
}

/// Feeds `body` every corpus entry as it is, then mutations of the corpus until time is up.
///
/// Runs for `AMBIT_FUZZ_SECONDS` (default 2). `AMBIT_FUZZ_SEED` repeats a run; the seed is printed
/// before the first mutation, so that it is known even when the process traps. An error thrown by
/// `body` means that a property does not hold: it is recorded with seed and input, and the run
/// ends. A parser's own refusal of its input is no such error: `body` catches it.
func fuzz(
    _ name: String,
    corpus: [[UInt8]],
    _ body: ([UInt8], inout SeededGenerator) throws -> Void
) {
    let environment = ProcessInfo.processInfo.environment
    let seconds = environment["AMBIT_FUZZ_SECONDS"].flatMap { Double($0) } ?? 2
    let seed =
        environment["AMBIT_FUZZ_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0 ... .max)
    print("fuzz \(name): AMBIT_FUZZ_SEED=\(seed)")
    var generator = SeededGenerator(seed: seed)
    let deadline = ContinuousClock.now + .milliseconds(Int64(max(0, min(seconds, 86_400)) * 1000))
    var iteration = 0
    while iteration < corpus.count || ContinuousClock.now < deadline {
        let input =
            iteration < corpus.count ? corpus[iteration] : mutation(of: corpus, using: &generator)
        do {
            try body(input, &generator)
        } catch {
            let hex = input.prefix(1024).map { hexadecimal($0) }.joined()
            Issue.record(
                """
                fuzz \(name) failed: \(error); AMBIT_FUZZ_SEED=\(seed), iteration \(iteration), \
                \(input.count) bytes, hex (first 1024): \(hex)
                """
            )
            return
        }
        iteration += 1
    }
}

/// An entry of the corpus with one to eight random edits.
private func mutation(of corpus: [[UInt8]], using generator: inout SeededGenerator) -> [UInt8] {
    var bytes = corpus.isEmpty ? [] : corpus[generator.below(corpus.count)]
    for _ in 0..<(1 + generator.below(8)) {
        edit(&bytes, corpus: corpus, using: &generator)
    }
    return bytes
}

/// Byte values at which parsers change their mind.
private let interestingBytes: [UInt8] = [
    0x00, 0x01, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x25, 0x2C, 0x2E, 0x2F, 0x30, 0x39, 0x3A, 0x3B, 0x3D,
    0x40, 0x5B, 0x5C, 0x5D, 0x61, 0x7B, 0x7D, 0x7F, 0x80, 0xBF, 0xC0, 0xC2, 0xED, 0xF4, 0xFE, 0xFF,
]

/// Makes one random edit.
private func edit(
    _ bytes: inout [UInt8],
    corpus: [[UInt8]],
    using generator: inout SeededGenerator
) {
    let position = generator.below(bytes.count)
    switch generator.below(8) {
    case 0 where !bytes.isEmpty:
        bytes[position] ^= 1 << UInt8(generator.below(8))
    case 1 where !bytes.isEmpty:
        bytes[position] = interestingBytes[generator.below(interestingBytes.count)]
    case 2 where !bytes.isEmpty:
        bytes[position] = UInt8.random(in: 0 ... .max, using: &generator)
    case 3 where !bytes.isEmpty:
        let length = 1 + generator.below(min(16, bytes.count - position))
        bytes.removeSubrange(position..<(position + length))
    case 4 where !bytes.isEmpty:
        let length = 1 + generator.below(min(64, bytes.count - position))
        let piece = Array(bytes[position..<(position + length)])
        let target = generator.below(bytes.count + 1)
        for _ in 0..<(1 + generator.below(4)) { bytes.insert(contentsOf: piece, at: target) }
    case 5:
        let fresh = (0..<(1 + generator.below(8))).map { _ in
            UInt8.random(in: 0 ... .max, using: &generator)
        }
        bytes.insert(contentsOf: fresh, at: position)
    case 6 where !bytes.isEmpty:
        bytes.removeSubrange(position...)
    default:
        guard !corpus.isEmpty else { return }
        let other = corpus[generator.below(corpus.count)]
        let start = generator.below(other.count)
        let length = generator.below(min(64, other.count - start) + 1)
        bytes.insert(contentsOf: other[start..<(start + length)], at: position)
    }
}

private func hexadecimal(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16)
    return text.count == 1 ? "0" + text : text
}

@Suite struct `The fuzz driver` {
    @Test func `feeds the corpus unchanged first and then mutations of it`() {
        let corpus: [[UInt8]] = [Array("first".utf8), Array("second".utf8)]
        var seen: [[UInt8]] = []
        var mutated = 0
        fuzz("driver", corpus: corpus) { input, _ in
            if seen.count < 2 {
                seen.append(input)
            } else if !corpus.contains(input) {
                mutated += 1
            }
        }
        #expect(seen == corpus)
        #expect(mutated > 0)
    }

    @Test func `repeats a sequence from its seed`() {
        var one = SeededGenerator(seed: 7)
        var two = SeededGenerator(seed: 7)
        #expect((0..<100).allSatisfy { _ in one.next() == two.next() })
    }

    @Test func `reports a broken property with its seed`() {
        withKnownIssue {
            fuzz("broken", corpus: [[1]]) { _, _ in throw CancellationError() }
        } matching: { issue in
            issue.comments.contains { $0.rawValue.contains("AMBIT_FUZZ_SEED=") }
        }
    }
}
