/// One HTTP request to the admin, metrics or readiness listener, checked and whole.
package struct AdminRequest: Sendable, Equatable {
    package var method: String
    /// The path as it was sent, without the query.
    package var path: String
    /// The decoded parameters of the query in their order; a parameter without `=` is empty.
    package var query: [Parameter] = []
    /// The value of `Host`; nil only in HTTP/1.0.
    package var host: String?
    package var accept: String?
    /// Whether a browser says that another site's page made the request.
    package var isCrossSite = false
    /// Whether the connection goes on after the answer.
    package var isKeptAlive = true
    package var body: [UInt8] = []

    /// Makes a request without query, fields or body.
    package init(method: String, path: String) {
        self.method = method
        self.path = path
    }

    /// One parameter of a query.
    package struct Parameter: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The value of the first parameter of a name.
    package func parameter(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }
}

/// Why a request was refused before any route saw it; the connection ends after the answer.
package struct AdminRefusal: Error, Sendable, Equatable {
    /// The HTTP status of the answer.
    package let status: Int
    package let reason: String

    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
