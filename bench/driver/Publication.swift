internal import Bench
internal import Foundation

/// Writes a result where people read it: the JSON, the charts and the README's generated parts.
enum Publication {
    static func publish(_ file: ResultFile) throws {
        let folder = URL(fileURLWithPath: "bench/results")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try file.write(to: folder.appending(path: "full.json"))
        let report = Report(file)
        for (name, picture) in report.charts() {
            try Data(picture.utf8).write(to: folder.appending(path: "\(name).svg"))
        }
        let readme = URL(fileURLWithPath: "bench/README.md")
        var text = MarkedText(try String(contentsOf: readme, encoding: .utf8))
        for (name, section) in report.sections() where !text.replace(name, with: section) {
            throw BenchFailure("bench/README.md has no part `\(name)` to write")
        }
        try Data(text.text.utf8).write(to: readme)
    }
}
