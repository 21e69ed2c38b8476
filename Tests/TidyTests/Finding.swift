import Testing

/// Something untidy: where, and what to do about it.
struct Finding: Hashable, CustomStringConvertible {
    /// The path from the repository's top.
    let path: String
    /// Counted from 1; 0 when it concerns the whole file.
    let line: Int
    let reason: String

    var description: String {
        line > 0 ? "\(path):\(line): \(reason)" : "\(path): \(reason)"
    }
}

extension [Finding] {
    /// Records each as an issue of the running test.
    func report() {
        for finding in self { Issue.record("\(finding)") }
    }
}
