/// One file of manifests: its objects untyped, once each of them is known to be understood.
struct ManifestFile: Sendable {
    /// An object and where it stands.
    struct Entry: Sendable {
        let key: FolderKey
        let object: Value
        let place: ManifestPlace
    }

    /// In the order of the file.
    private(set) var entries: [Entry] = []
    // Where each object is among the entries.
    private var places: [FolderKey: Int] = [:]
    /// What is wrong; the entries are not to be used then.
    private(set) var problems: [ManifestProblem] = []

    /// Reads all documents of a file.
    init(_ bytes: [UInt8], name: String) {
        // Checks the kinds that are read here, and that no object is there twice.
        problems = Manifests(files: [(name, bytes)]).problems
        guard problems.isEmpty, let documents = try? YAMLDocuments(bytes).documents else { return }
        for document in documents {
            let place = ManifestPlace(file: name, document: document.index, line: document.line)
            // It was parsed before.
            guard let value = try? Value(yaml: document.text), value != .null else { continue }
            take(value, at: place)
        }
    }

    private mutating func take(_ value: Value, at place: ManifestPlace) {
        if value["kind"] == "List", value["apiVersion"] == "v1" {
            for item in value["items"].listValue ?? [] { take(item, at: place) }
            return
        }
        guard let (key, object) = FolderKey.keyed(value) else {
            let reason = "an object needs apiVersion, kind and metadata.name"
            problems.append(ManifestProblem(place: place, reason: reason))
            return
        }
        places[key] = entries.count
        entries.append(Entry(key: key, object: object, place: place))
    }

    /// The object of that key; nil when the file has none.
    func object(_ key: FolderKey) -> Value? { places[key].map { entries[$0].object } }
}

/// What names an object in a folder: unlike `ObjectKey` its group too, but no version.
struct FolderKey: Sendable, Hashable, Comparable {
    let group: String
    let kind: String
    let namespace: String
    let name: String

    /// The key of an object, and the object with the namespace that it is in.
    static func keyed(_ value: Value) -> (FolderKey, Value)? {
        guard let version = value["apiVersion"].stringValue, let kind = value["kind"].stringValue,
            let name = value["metadata"]["name"].stringValue, !name.isEmpty
        else { return nil }
        var object = value
        let group = Self.group(of: version)
        let known = Resource.known.first { $0.kind == kind && $0.group == group }
        var namespace = value["metadata"]["namespace"].stringValue ?? ""
        if known?.isNamespaced == true, namespace.isEmpty {
            namespace = "default"
            object["metadata"]["namespace"] = "default"
        }
        if known?.isNamespaced == false { namespace = "" }
        return (FolderKey(group: group, kind: kind, namespace: namespace, name: name), object)
    }

    /// The key of a reference.
    init(_ reference: ObjectReference) {
        self.init(
            group: reference.resource.group,
            kind: reference.resource.kind,
            namespace: reference.resource.isNamespaced ? reference.namespace : "",
            name: reference.name
        )
    }

    init(group: String, kind: String, namespace: String, name: String) {
        self.group = group
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    /// Such as `Pod shop/web` or `Namespace shop`.
    var text: String { "\(ObjectKey(kind: kind, namespace: namespace, name: name))" }

    static func group(of apiVersion: String) -> String {
        apiVersion.contains("/") ? String(apiVersion.prefix { $0 != "/" }) : ""
    }

    static func < (one: FolderKey, other: FolderKey) -> Bool {
        (one.group, one.kind, one.namespace, one.name)
            < (other.group, other.kind, other.namespace, other.name)
    }
}
