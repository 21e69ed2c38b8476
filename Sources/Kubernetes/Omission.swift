/// The fields of an object that nobody here reads, so that parsing can go past them.
///
/// Written as the fields are nested; a field without further ones is left out whole. A list counts
/// as each of its elements.
package struct Omission: Sendable, ExpressibleByDictionaryLiteral {
    /// Leaves nothing out.
    package static let nothing = Omission(isWhole: false, fields: [])
    /// The field itself.
    package static let whole = Omission(isWhole: true, fields: [])

    let isWhole: Bool
    // A handful at each level: comparing them is quicker than hashing a name.
    private let fields: [(name: String, inside: Omission)]

    private init(isWhole: Bool, fields: [(name: String, inside: Omission)]) {
        self.isWhole = isWhole
        self.fields = fields
    }

    /// What to leave out of each field named.
    package init(dictionaryLiteral fields: (String, Omission)...) {
        self.init(isWhole: false, fields: fields.map { (name: $0.0, inside: $0.1) })
    }

    /// What to leave out of the field of that name; nil for a field that stays as it is.
    subscript(name: String) -> Omission? { fields.first { $0.name == name }?.inside }
}
