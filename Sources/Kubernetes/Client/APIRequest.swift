/// One request to an API server, before it is sent.
struct APIRequest: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    var method: Method
    /// Begins with a slash; encoded already.
    var path: String
    /// Names and values, not encoded yet.
    var query: [(name: String, value: String)] = []
    var body: Value?
    var contentType = "application/json"

    init(_ method: Method, path: String) {
        self.method = method
        self.path = path
    }

    /// A request on the collection of a kind, or on one object of it.
    ///
    /// Fails when a name could leave its place in the path.
    init(
        _ method: Method,
        _ resource: Resource,
        namespace: String?,
        name: String? = nil,
        subresource: String = ""
    ) throws(ClusterError) {
        var segments = resource.apiVersion.split(
            separator: "/",
            omittingEmptySubsequences: false
        ).map(String.init)
        guard (1...2).contains(segments.count) else {
            throw ClusterError(.invalid, "the API version \(resource.apiVersion) is not valid")
        }
        segments.insert(segments.count == 1 ? "api" : "apis", at: 0)
        if resource.isNamespaced, let namespace { segments += ["namespaces", namespace] }
        segments.append(resource.plural)
        if let name { segments.append(name) }
        if !subresource.isEmpty { segments.append(subresource) }
        var path = ""
        for segment in segments {
            guard !segment.isEmpty, segment != ".", segment != "..", segment.utf8.count <= 253,
                segment.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"/?#%".utf8.contains($0) })
            else {
                throw ClusterError(
                    .invalid,
                    "\(resource.kind): \(FieldError.quoted(segment)) cannot stand in a path"
                )
            }
            path += "/" + Self.encoded(segment)
        }
        self.init(method, path: path)
    }

    /// The path and query as they are sent.
    var target: String {
        guard !query.isEmpty else { return path }
        return path + "?"
            + query.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }
            .joined(separator: "&")
    }

    /// What the request is, in an error.
    var summary: String { "\(method.rawValue) \(path)" }

    // All but RFC 3986's unreserved characters as %XX.
    private static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.utf8.count == 1 ? "%0" + digits : "%" + digits
            }
        }
        return result
    }
}
