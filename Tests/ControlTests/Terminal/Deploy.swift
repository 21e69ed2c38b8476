import Foundation
import Kubernetes
import Testing

/// The folder deploy/ of the repository these tests stand in.
enum Deploy {
    static let folder: String = {
        // Tests/ControlTests/Terminal/Deploy.swift
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(4)
        return parts.joined(separator: "/") + "/deploy/"
    }()

    static func text(_ path: String) throws -> String {
        try String(contentsOfFile: folder + path, encoding: .utf8)
    }

    /// The documents of a YAML text.
    static func values(_ text: String) throws -> [Value] {
        try YAMLDocuments(Array(text.utf8)).documents
            .map { try Value(yaml: $0.text) }
            .filter { $0 != .null }
    }

    /// The files that a kustomization leads to, overlays resolved, sorted.
    static func resources(of kustomization: String) throws -> [String] {
        let root = try Value(yaml: try text(kustomization + "/kustomization.yaml"))
        let names = (root["resources"].listValue ?? []).compactMap(\.stringValue)
        return try names.flatMap { name -> [String] in
            let path = URL(filePath: folder + kustomization + "/" + name).standardized.path
            let relative = String(path.dropFirst(folder.count))
            return name.hasSuffix(".yaml") ? [relative] : try resources(of: relative)
        }.sorted()
    }
}
