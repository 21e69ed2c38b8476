/// Kubernetes objects read from files, with everything that is wrong with them.
///
/// Every document of every file is looked at, so that one run names all mistakes. Objects with a
/// mistake are left out; a caller that wants all or nothing looks at `problems` first.
package struct Manifests: Sendable {
    /// The objects that were understood.
    package private(set) var objects = ObjectSet()
    /// Documents that were refused, in the order of the files.
    package private(set) var problems: [ManifestProblem] = []
    /// Documents of kinds that are not read here.
    package private(set) var warnings: [ManifestProblem] = []

    /// The objects that were understood, as they were written.
    package private(set) var written: [ObjectKey: Value] = [:]

    private var places: [ObjectKey: ManifestPlace] = [:]

    /// Makes a set without objects.
    package init() {}

    /// Reads files in order; `name` is what problems call the file.
    package init(files: [(name: String, bytes: [UInt8])]) {
        for file in files { read(file.bytes, from: file.name) }
    }

    /// Reads the documents of one more file.
    package mutating func read(_ bytes: [UInt8], from file: String) {
        let documents: [YAMLDocuments.Document]
        do {
            documents = try YAMLDocuments(bytes).documents
        } catch {
            let place = ManifestPlace(file: file, document: 0, line: error.line ?? 1)
            problems.append(ManifestProblem(place: place, reason: error.reason))
            return
        }
        for document in documents {
            let place = ManifestPlace(file: file, document: document.index, line: document.line)
            do {
                let value = try Value(yaml: document.text)
                if value != .null { read(Field(root: value), at: place) }
            } catch {
                // Lines are counted from the document's own start.
                let line = document.line + (error.line ?? 1) - 1
                let place = ManifestPlace(file: file, document: document.index, line: line)
                problems.append(ManifestProblem(place: place, reason: error.reason))
            }
        }
    }

    private mutating func read(_ root: Field, at place: ManifestPlace) {
        do {
            let version = try root.required("apiVersion").string()
            let kind = try root.required("kind").string()
            if kind == "List", version == "v1" {
                for item in try root.required("items").elements() { read(item, at: place) }
                return
            }
            try read(root, kind: kind, apiVersion: version, at: place)
        } catch {
            problems.append(
                ManifestProblem(
                    place: place,
                    object: Self.describe(root),
                    field: error.path,
                    reason: error.reason
                )
            )
        }
    }

    private mutating func read(
        _ root: Field,
        kind: String,
        apiVersion: String,
        at place: ManifestPlace
    ) throws(FieldError) {
        switch ObjectKind(kind: kind, apiVersion: apiVersion) {
        case .namespace: try add(root, to: \.namespaces, at: place)
        case .node: try add(root, to: \.nodes, at: place)
        case .serviceAccount: try add(root, to: \.serviceAccounts, at: place)
        case .pod: try add(root, to: \.pods, at: place)
        case .service: try add(root, to: \.services, at: place)
        case .endpointSlice: try add(root, to: \.endpointSlices, at: place)
        case .authorizationPolicy: try add(root, to: \.authorizationPolicies, at: place)
        case .peerAuthentication: try add(root, to: \.peerAuthentications, at: place)
        case .gateway: try add(root, to: \.gateways, at: place)
        case nil:
            let type = FieldError.quoted(apiVersion + " " + kind)
            // A policy must not go unread for a slip of the pen.
            guard !SecurityGroup.shouldKnow(kind: kind, apiVersion: apiVersion) else {
                throw FieldError(
                    path: "kind",
                    reason: "there is no type \(type); policies are AuthorizationPolicy and"
                        + " PeerAuthentication of "
                        + AuthorizationPolicy.objectType.apiVersions.joined(separator: ", ")
                )
            }
            warnings.append(
                ManifestProblem(
                    place: place,
                    object: Self.describe(root),
                    reason: "objects of type \(type) are not read"
                )
            )
        }
    }

    private mutating func add<Element: Object>(
        _ root: Field,
        to list: WritableKeyPath<ObjectSet, [Element]>,
        at place: ManifestPlace
    ) throws(FieldError) {
        let object = try Element(root)
        if let first = places[object.key] {
            problems.append(
                ManifestProblem(
                    place: place,
                    object: "\(object.key)",
                    reason: "the object is already defined in \(first)"
                )
            )
            return
        }
        places[object.key] = place
        written[object.key] = root.value
        objects[keyPath: list].append(object)
    }

    // What the document says it is, as far as it can be read.
    private static func describe(_ root: Field) -> String {
        func text(_ path: String...) -> String {
            var field: Field? = root
            for name in path { field = try? field?.field(name) }
            return (try? field?.string()).map(FieldError.printable) ?? ""
        }
        let kind = text("kind")
        let namespace = text("metadata", "namespace")
        let name = text("metadata", "name")
        guard !kind.isEmpty, !name.isEmpty else { return kind }
        return "\(ObjectKey(kind: kind, namespace: namespace, name: name))"
    }
}
