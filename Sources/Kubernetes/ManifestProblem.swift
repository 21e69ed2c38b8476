/// A place in a manifest file.
package struct ManifestPlace: Sendable, Hashable, CustomStringConvertible {
    package let file: String
    /// Counts from 1; 0 for the file as a whole.
    package let document: Int
    /// Counts from 1.
    package let line: Int

    package init(file: String, document: Int, line: Int) {
        self.file = file
        self.document = document
        self.line = line
    }

    /// Such as `shop.yaml:41 (document 3)`.
    package var description: String {
        guard document == 0 else { return "\(file):\(line) (document \(document))" }
        return line > 1 ? "\(file):\(line)" : file
    }
}

/// What is wrong with a document, where.
package struct ManifestProblem: Sendable, Hashable, CustomStringConvertible {
    package let place: ManifestPlace
    /// Kind, namespace and name as far as they could be read; empty when they could not.
    package let object: String
    /// The path of the field, such as `spec.ports[0].port`; empty for the whole object.
    package let field: String
    package let reason: String

    package init(place: ManifestPlace, object: String = "", field: String = "", reason: String) {
        self.place = place
        self.object = object
        self.field = field
        self.reason = reason
    }

    /// One line: place, object, field, reason.
    package var description: String {
        (["\(place)"] + [object, field].filter { !$0.isEmpty } + [reason]).joined(separator: ": ")
    }
}
