internal import Foundation
internal import Glibc
internal import Reactor

/// What commands read and write.
package enum Output {
    /// Writes everything to a descriptor.
    package static func write(_ bytes: [UInt8], to descriptor: Int32) throws(LabError) {
        do {
            try Calls.writeAll(descriptor, bytes)
        } catch {
            throw LabError("cannot write", error)
        }
    }

    /// Reads files of objects; `-` is standard input.
    package static func read(_ paths: [String]) throws(LabError) -> [SourceFile] {
        var files: [SourceFile] = []
        for path in paths {
            let data: Data?
            if path == "-" {
                data = (try? FileHandle.standardInput.readToEnd()) ?? nil
            } else {
                data = FileManager.default.contents(atPath: path)
            }
            guard let data else {
                throw LabError(.unreadable, "\(path): cannot be read")
            }
            guard let text = String(data: data, encoding: .utf8) else {
                throw LabError(.data, "\(path): is not UTF-8 text")
            }
            files.append(SourceFile(path: path == "-" ? "standard input" : path, text: text))
        }
        return files
    }

    /// A variable of this process's environment.
    package static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name]
    }

    /// The variables of this process that its terminal set, as `NAME=VALUE`.
    package static var terminalEnvironment: [String] {
        ProcessInfo.processInfo.environment["TERM"].map { ["TERM=" + $0] } ?? []
    }

    /// Makes a file to write to, in place of one that is there.
    package static func create(_ path: String) throws(LabError) -> Int32 {
        do {
            return try Calls.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).release()
        } catch {
            throw LabError("cannot write \(path)", error)
        }
    }

    /// A value as JSON text with sorted keys.
    package static func json(_ value: some Encodable) throws(LabError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw LabError(.failed, "cannot encode: \(error)")
        }
    }
}
