/// What a relay is told: how it carries bytes, and which ports lead where.
struct RelayPlan {
    /// How bytes go from one socket to the other.
    enum Mode: String { case splice, copy }

    /// A port it listens on, and where its connections lead.
    struct Route {
        var port: UInt16
        var address: UInt32
        var targetPort: UInt16
    }

    /// Arguments that make no plan.
    struct Invalid: Error { let reason: String }

    /// Threads, each with listeners of its own; as many as every proxy of the benchmark has.
    static let workers = 2

    let mode: Mode
    let routes: [Route]

    init(arguments: ArraySlice<String>) throws(Invalid) {
        guard let word = arguments.first, let mode = Mode(rawValue: word), arguments.count > 1
        else {
            throw Invalid(reason: "usage: ambit-relay splice|copy PORT=ADDRESS:PORT...")
        }
        self.mode = mode
        var routes: [Route] = []
        for text in arguments.dropFirst() {
            guard let route = Route(text) else {
                throw Invalid(reason: "must be PORT=ADDRESS:PORT with IPv4, found \(text)")
            }
            routes.append(route)
        }
        self.routes = routes
    }
}

extension RelayPlan.Route {
    init?(_ text: String) {
        let sides = text.split(separator: "=")
        guard sides.count == 2, let port = UInt16(sides[0]) else { return nil }
        let target = sides[1].split(separator: ":")
        guard target.count == 2, let targetPort = UInt16(target[1]) else { return nil }
        let parts = target[0].split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return nil }
        self.init(
            port: port,
            address: parts.reduce(0) { $0 << 8 | UInt32($1) },
            targetPort: targetPort
        )
    }
}
