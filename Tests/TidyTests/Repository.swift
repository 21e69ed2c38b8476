import Foundation

/// The repository these tests stand in.
enum Repository {
    /// The path of its top, without a slash at the end.
    static let top: String = {
        // Tests/TidyTests/Repository.swift
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(3)
        return parts.joined(separator: "/")
    }()

    /// The names of its top level, dotfiles included.
    static let topLevel: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: top)) ?? []).sorted()

    /// All text files, sorted by path.
    static let files: [SourceFile] = paths.compactMap { path in
        guard !isBinary(path), let text = text(path) else { return nil }
        return SourceFile(path: path, text: text)
    }

    /// Those under Sources and Tests and the package's manifest.
    static let swiftFiles: [SourceFile] = files.filter(\.isSwift)

    /// The paths of all files, from the top, but those of git and of builds.
    static let paths: [String] = {
        var paths: [String] = []
        for name in topLevel where !untracked.contains(name) {
            guard kind(name) == .typeDirectory else {
                paths.append(name)
                continue
            }
            let inside = FileManager.default.enumerator(atPath: top + "/" + name)
            while let path = inside?.nextObject() as? String {
                if inside?.fileAttributes?[.type] as? FileAttributeType == .typeRegular {
                    paths.append(name + "/" + path)
                }
            }
        }
        return paths.sorted().filter { !isIgnored($0) }
    }()

    private static func kind(_ path: String) -> FileAttributeType? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: top + "/" + path)
        return attributes?[.type] as? FileAttributeType
    }

    /// What lies at the top and is not the repository's: `.gitignore` names it.
    static let untracked: Set<String> = [".git", ".build", "Package.resolved"]

    // Editors' swap files and Python's caches, which `.gitignore` names too; and what a generator
    // wrote in its own style.
    private static func isIgnored(_ path: String) -> Bool {
        path.hasSuffix(".swp") || path.contains("__pycache__") || path.contains("/Generated/")
    }

    private static func isBinary(_ path: String) -> Bool {
        [".pcap", ".bin", ".der", ".png"].contains { path.hasSuffix($0) }
    }

    /// The contents of a text file, or nil where there is none.
    static func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: top + "/" + path) else { return nil }
        return String(validating: data, as: UTF8.self)
    }

    static func bytes(_ path: String) -> Int {
        FileManager.default.contents(atPath: top + "/" + path)?.count ?? 0
    }

    static func isExecutable(_ path: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: top + "/" + path)
    }
}
