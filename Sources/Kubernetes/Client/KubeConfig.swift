internal import Foundation

/// What kubectl knows of clusters and of ways into them.
package struct KubeConfig: Sendable {
    /// One named entry, with the folder that its relative paths start from.
    struct Entry: Sendable {
        let value: Value
        let folder: String
        let file: String
    }

    private(set) var clusters: [String: Entry] = [:]
    private(set) var users: [String: Entry] = [:]
    private(set) var contexts: [String: Entry] = [:]
    /// The context that is used when none is named; empty when the files name none.
    package private(set) var currentContext = ""

    /// A configuration without any entry.
    package init() {}

    /// The files of `$KUBECONFIG`, or `~/.kube/config`; of entries with one name the first counts.
    ///
    /// Files that do not exist are passed over as long as one does.
    package static func load(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(AccessError) -> KubeConfig {
        var paths = (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
        if paths.isEmpty { paths = [(environment["HOME"] ?? "") + "/.kube/config"] }
        var config = KubeConfig()
        let existing = paths.filter { FileManager.default.fileExists(atPath: $0) }
        guard !existing.isEmpty else {
            throw AccessError("no kubeconfig: \(paths.joined(separator: ", ")) does not exist")
        }
        for path in existing { try config.read(try SmallFile.read(path), from: path) }
        return config
    }

    /// Adds the entries of one more file, whose path says what its relative paths start from.
    package mutating func read(_ bytes: [UInt8], from path: String) throws(AccessError) {
        let root: Value
        do throws(YAMLError) {
            guard bytes.count <= SmallFile.bytesMax,
                let text = String(validating: bytes, as: UTF8.self)
            else { throw YAMLError(reason: "the file is too big, or not UTF-8") }
            root = try Value(yaml: text)
        } catch {
            let line = error.line.map { ":\($0)" } ?? ""
            throw AccessError("\(path)\(line): \(error.reason)")
        }
        if root == .null { return }
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        do throws(FieldError) {
            let field = Field(root: root)
            try Self.merge(field, "clusters", "cluster", folder, path, into: &clusters)
            try Self.merge(field, "users", "user", folder, path, into: &users)
            try Self.merge(field, "contexts", "context", folder, path, into: &contexts)
            if currentContext.isEmpty {
                currentContext = try field.string("current-context") ?? ""
            }
        } catch {
            throw AccessError("\(path): \(error)")
        }
    }

    private static func merge(
        _ root: Field,
        _ list: String,
        _ name: String,
        _ folder: String,
        _ file: String,
        into entries: inout [String: Entry]
    ) throws(FieldError) {
        for element in try root.field(list)?.elements() ?? [] {
            let key = try element.required("name").string()
            let value = try element.field(name)?.value ?? .map([:])
            if entries[key] == nil {
                entries[key] = Entry(value: value, folder: folder, file: file)
            }
        }
    }
}
