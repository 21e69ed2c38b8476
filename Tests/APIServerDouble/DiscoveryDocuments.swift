import Kubernetes

/// What tells a client which kinds there are.
struct DiscoveryDocuments {
    let kinds: [ServedKind]

    /// `/api`.
    static let core: Value = [
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [],
    ]

    // What `kubectl get all` shows.
    private static let workloads: Set<String> = [
        "Pod", "Service", "Deployment", "DaemonSet", "ReplicaSet", "StatefulSet", "Job",
    ]

    /// `/version`.
    static let version: Value = [
        "major": "1", "minor": "36", "gitVersion": "v1.36.0", "gitCommit": "0",
        "gitTreeState": "clean", "buildDate": "2026-04-22T00:00:00Z", "goVersion": "go1.26",
        "compiler": "gc", "platform": "linux/amd64",
    ]

    /// `/apis`.
    var groups: Value {
        ["kind": "APIGroupList", "apiVersion": "v1", "groups": .list(groupNames.map(group))]
    }

    private var groupNames: [String] {
        var seen: Set<String> = [""]
        return kinds.map(\.group).filter { seen.insert($0).inserted }
    }

    /// `/apis/GROUP`.
    func group(_ name: String) -> Value {
        var versions: [Value] = []
        for kind in kinds where kind.group == name {
            for version in kind.versions {
                let entry: Value = [
                    "groupVersion": .string("\(name)/\(version)"), "version": .string(version),
                ]
                if !versions.contains(entry) { versions.append(entry) }
            }
        }
        return [
            "kind": "APIGroup", "apiVersion": "v1", "name": .string(name),
            "versions": .list(versions),
            "preferredVersion": versions.first ?? .null,
        ]
    }

    /// `/api/v1` or `/apis/GROUP/VERSION`; nil when there is none.
    func resources(group: String, version: String) -> Value? {
        let served = kinds.filter { $0.group == group && $0.versions.contains(version) }
        guard !served.isEmpty else { return nil }
        var resources: [Value] = []
        for kind in served {
            let isReview = ServedKind.reviews.contains { $0.storage == kind.storage }
            let verbs: Value =
                isReview
                ? ["create"]
                : [
                    "create", "delete", "deletecollection", "get", "list", "patch", "update",
                    "watch",
                ]
            resources.append([
                "name": .string(kind.plural), "singularName": .string(kind.kind.lowercased()),
                "namespaced": .bool(kind.isNamespaced), "kind": .string(kind.kind),
                "verbs": verbs,
                "shortNames": .list(kind.shortNames.map { .string($0) }),
                "categories": Self.workloads.contains(kind.kind) ? ["all"] : [],
            ])
            if kind.hasStatus {
                resources.append([
                    "name": .string(kind.plural + "/status"), "singularName": "",
                    "namespaced": .bool(kind.isNamespaced), "kind": .string(kind.kind),
                    "verbs": ["get", "patch", "update"],
                ])
            }
        }
        return [
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"),
            "resources": .list(resources),
        ]
    }

    /// `/openapi/v3`: enough to learn that the server checks fields itself.
    var schemas: Value {
        var paths: [String: Value] = [:]
        for kind in kinds {
            for version in kind.versions {
                let place = kind.group.isEmpty ? "api/\(version)" : "apis/\(kind.group)/\(version)"
                paths[place] = ["serverRelativeURL": .string("/openapi/v3/\(place)?hash=0")]
            }
        }
        return ["paths": .map(paths)]
    }

    /// `/openapi/v3/…`.
    func schema(group: String, version: String) -> Value {
        var paths: [String: Value] = [:]
        for kind in kinds where kind.group == group && kind.versions.contains(version) {
            let place = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
            let inside = kind.isNamespaced ? "/namespaces/{namespace}/" : "/"
            paths["\(place)\(inside)\(kind.plural)/{name}"] = [
                "patch": [
                    "operationId": .string("patch\(kind.kind)"),
                    "parameters": [
                        [
                            "name": "fieldValidation", "in": "query",
                            "schema": ["type": "string"],
                        ]
                    ],
                    "responses": ["200": ["description": "OK"]],
                    "x-kubernetes-action": "patch",
                    "x-kubernetes-group-version-kind": [
                        "group": .string(group), "version": .string(version),
                        "kind": .string(kind.kind),
                    ],
                ]
            ]
        }
        return [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": "v1.36.0"],
            "paths": .map(paths), "components": ["schemas": .map([:])],
        ]
    }
}
