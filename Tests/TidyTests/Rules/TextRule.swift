/// Text is plain, and holds nothing of the machine it was written on.
enum TextRule {
    // In two parts each, so that this file does not hold them.
    private static let machine = [
        "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/opt/" + "swift", "/Us" + "ers/",
    ]
    private static let registries = [
        "py" + "pi.org", "python" + "hosted.org", "deb." + "debian.org", "security." + "debian.org",
        "npm" + "js.org", "crates" + ".io", "proxy." + "golang.org", "docker" + ".io",
        "docker" + ".com", "ghcr" + ".io", "gcr" + ".io", "quay" + ".io",
    ]

    static func findings(in file: SourceFile) -> [Finding] {
        var findings: [Finding] = []
        for (index, line) in file.lines.enumerated() {
            for word in machine where line.contains(word) {
                findings.append(file.finding(index + 1, "`\(word)` is a path of one machine"))
            }
            for word in registries where line.contains(word) {
                findings.append(file.finding(index + 1, "`\(word)` is a registry's host"))
            }
            if line.hasSuffix(" ") || line.hasSuffix("\t") {
                findings.append(file.finding(index + 1, "space at the end of the line"))
            }
            if line.contains("\r") {
                findings.append(file.finding(index + 1, "a carriage return"))
            }
            if line.contains("\t"), !file.code.isEmpty {
                findings.append(file.finding(index + 1, "a tab; indent by spaces"))
            }
            if line.hasPrefix("<<<" + "<<<<") || line.hasPrefix(">>>" + ">>>>") {
                findings.append(file.finding(index + 1, "a merge conflict"))
            }
        }
        return findings
    }
}
