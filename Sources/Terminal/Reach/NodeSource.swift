/// A way to ask one node's admin server.
package struct NodeSource: Sendable {
    /// The node's name, or the address it is asked at.
    package let name: String
    private let ask: @Sendable (String, String) async throws(ReachError) -> [UInt8]

    /// `ask` makes one request, given its method and its path with query.
    package init(
        name: String,
        ask: @escaping @Sendable (String, String) async throws(ReachError) -> [UInt8]
    ) {
        self.name = name
        self.ask = ask
    }

    /// Reads a page.
    package func get(_ path: String) async throws(ReachError) -> [UInt8] {
        try await ask("GET", path)
    }

    /// Changes something.
    package func post(_ path: String) async throws(ReachError) -> [UInt8] {
        try await ask("POST", path)
    }

    /// All that the node tells of itself.
    package func dump() async throws(ReachError) -> NodeDump {
        try NodeDump(node: name, bytes: try await get("/config_dump"))
    }

    /// The mesh as the node holds it.
    package func mesh() async throws(ReachError) -> MeshView {
        try MeshView(node: name, bytes: try await get("/mesh_state"))
    }

    /// What the node still waits for; empty when it is ready.
    package func pending() async throws(ReachError) -> String {
        do {
            _ = try await get("/healthz/ready")
            return ""
        } catch {
            guard error.kind == .failed else { throw error }
            let text = error.reason.split(separator: ": ", maxSplits: 1).last ?? ""
            return text.split(separator: "\n").joined(separator: "; ")
        }
    }
}
