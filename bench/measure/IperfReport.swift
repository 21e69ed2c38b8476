package import Foundation

/// What `iperf3 --json` says of a run.
package struct IperfReport: Sendable {
    package let bytes: Double
    package let bitsPerSecond: Double

    /// A report that is none, or of a run that failed, in iperf3's words.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private struct Text: Decodable {
        struct Sum: Decodable {
            var bytes: Double
            var bits_per_second: Double
        }
        struct End: Decodable { var sum_received: Sum? }
        var end: End?
        var error: String?
    }

    /// Reads the figures of the receiver, which counts what arrived.
    package init(_ json: Data) throws {
        guard let text = try? JSONDecoder().decode(Text.self, from: json) else {
            throw Failure(description: "iperf3 wrote no report")
        }
        if let error = text.error { throw Failure(description: "iperf3: \(error)") }
        guard let sum = text.end?.sum_received, sum.bytes > 0 else {
            throw Failure(description: "iperf3 received nothing")
        }
        bytes = sum.bytes
        bitsPerSecond = sum.bits_per_second
    }
}
