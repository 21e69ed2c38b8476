internal import Foundation

/// `kubectl port-forward` to one pod's admin port, for as long as this object lives.
///
/// The user's own kubectl and rights are used, and it listens on loopback alone.
package final class PortForward: Sendable {
    private let process: Process
    /// Where it listens on 127.0.0.1.
    package let port: UInt16

    /// Starts kubectl and returns when it listens; fails with what kubectl says.
    ///
    /// `options` are kubectl's global ones, such as `--context`.
    package init(
        pod: String,
        namespace: String,
        remotePort: UInt16 = 15_000,
        options: [String]
    ) throws(ReachError) {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["kubectl"] + options + [
                "port-forward", "--namespace", namespace, "--address", "127.0.0.1", "pod/\(pod)",
                ":\(remotePort)",
            ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        do {
            try process.run()
        } catch {
            throw ReachError(.unavailable, "kubectl cannot be run: \(error)")
        }
        var text = ""
        while !text.contains("\n") {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            text += String(decoding: data, as: UTF8.self)
        }
        guard let port = Self.port(in: text) else {
            process.terminate()
            let reason = errors.fileHandleForReading.readDataToEndOfFile()
            let said = Terminal.printable(String(decoding: reason.prefix(500), as: UTF8.self))
            throw ReachError(.unavailable, "kubectl port-forward to \(pod): \(said)")
        }
        self.process = process
        self.port = port
    }

    deinit { process.terminate() }

    /// The port in `Forwarding from 127.0.0.1:41234 -> 15000`; nil when there is none.
    package static func port(in text: String) -> UInt16? {
        let start = "Forwarding from 127.0.0.1:"
        guard let range = text.range(of: start) else { return nil }
        return UInt16(text[range.upperBound...].prefix { $0.isNumber })
    }
}
