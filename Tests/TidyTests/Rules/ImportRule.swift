/// A file imports only what its module may: the manifest and DESIGN.md §4 agree, and so do imports.
enum ImportRule {
    /// The toolchain's modules that any module may import.
    private static let free: Set<String> = ["Dispatch", "Swift", "Synchronization"]
    private static let testing: Set<String> = [
        "Testing", "Foundation", "Glibc", "Synchronization", "FoundationEssentials",
    ]

    static func findings(in file: SourceFile, manifest: Manifest) -> [Finding] {
        guard file.isSwift, let target = file.module ?? file.testKind else { return [] }
        let declared = manifest.dependencies[target] ?? []
        return imports(of: file).compactMap { line, name in
            if declared.contains(name) || free.contains(name) { return nil }
            if file.testKind != nil, testing.contains(name) { return nil }
            if name.hasPrefix("Foundation") {
                return ModuleTable.foundation.contains(target)
                    ? nil
                    : file.finding(line, "\(target) may not import Foundation (STYLE 39)")
            }
            if name == "Glibc" {
                return ModuleTable.glibc.contains(target)
                    ? nil
                    : file.finding(line, "\(target) may not import Glibc; Reactor wraps its calls")
            }
            return file.finding(
                line,
                "\(target) imports \(name), which Package.swift does not give it"
            )
        }
    }

    /// What a file imports, with the line from 1.
    static func imports(of file: SourceFile) -> [(line: Int, name: String)] {
        file.code.enumerated().compactMap { index, line in
            guard DeclarationWords(line).keyword == "import" else { return nil }
            let words = line.split(separator: " ").map(String.init)
            guard let place = words.firstIndex(of: "import"), place + 1 < words.count else {
                return nil
            }
            // `import struct Mesh.Policy` imports Mesh.
            let kinds = ["struct", "enum", "class", "func", "protocol", "typealias", "var", "let"]
            let name = kinds.contains(words[place + 1]) ? words.last : words[place + 1]
            guard let module = name?.split(separator: ".").first else { return nil }
            return (index + 1, String(module))
        }
    }

    /// Where the manifest leaves the table.
    static func findings(in manifest: Manifest) -> [Finding] {
        var findings: [Finding] = []
        func report(_ reason: String) {
            findings.append(Finding(path: "Package.swift", line: 0, reason: reason))
        }
        for (target, dependencies) in manifest.dependencies.sorted(by: { $0.key < $1.key })
        where !target.hasSuffix("Tests") {
            guard let allowed = ModuleTable.mayImport[target] else {
                report(
                    "\(target) is not in the table of modules (Tests/TidyTests/ModuleTable.swift)"
                )
                continue
            }
            for name in dependencies where !allowed.contains(name) {
                report("\(target) may not import \(name) by the table of modules")
            }
        }
        for target in ModuleTable.mayImport.keys.sorted() where manifest.dependencies[target] == nil
        {
            report("the table of modules has \(target), which is not a target")
        }
        if let cycle = manifest.cycle() {
            report("targets depend on each other: \(cycle.joined(separator: " → "))")
        }
        return findings
    }
}
