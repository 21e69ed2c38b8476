package import Mesh

/// What a pod's `/etc/resolv.conf` says, by the rules the kubelet has.
package struct ResolverFile: Sendable, Equatable {
    package var nameservers: [IPAddress] = []
    package var searches: [String] = []
    package var options: [String] = []

    package init() {}

    /// The cluster's resolver for a pod of a namespace (`dnsPolicy: ClusterFirst`).
    package init(namespace: String, clusterDomain: String, nameservers: [IPAddress]) {
        self.nameservers = nameservers
        searches = ["\(namespace).svc.\(clusterDomain)", "svc.\(clusterDomain)", clusterDomain]
        options = ["ndots:5"]
    }

    /// Adds what the pod's `dnsConfig` asks for; an option replaces one of the same name.
    package mutating func merge(_ other: ResolverFile) {
        for server in other.nameservers where !nameservers.contains(server) {
            nameservers.append(server)
        }
        for search in other.searches where !searches.contains(search) {
            searches.append(search)
        }
        for option in other.options {
            let name = Self.name(of: option)
            options.removeAll { Self.name(of: $0) == name }
            options.append(option)
        }
    }

    /// The file's text; the C library takes three name servers at most.
    package var text: String {
        var lines = nameservers.prefix(3).map { "nameserver \($0)" }
        if !searches.isEmpty { lines.append("search " + searches.joined(separator: " ")) }
        if !options.isEmpty { lines.append("options " + options.joined(separator: " ")) }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func name(of option: String) -> Substring {
        option.prefix { $0 != ":" }
    }
}
