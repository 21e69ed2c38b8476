import Foundation
import Testing

/// The demo's shop: the smallest mesh with two nodes, a policy and a pod outside.
@Suite struct `The shop` {
    static func manifest(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(
            contentsOf: root.appending(path: "deploy/lab/\(name)"),
            encoding: .utf8
        )
    }

    @Test func `serves whom policy allows, in mutual TLS, and refuses the rest by name`() throws {
        let lab = try TestLab(Self.manifest("shop.yaml"))
        // The lab is ready before the applications in it need be.
        try lab.eventually("payments serves web") {
            try lab.exec("shop/web", ["curl", "-sS", "-m", "10", "http://payments/"])
                .output.hasPrefix("payments: hello")
        }
        let refused = try lab.exec(
            "shop/client",
            ["curl", "-sS", "-m", "10", "http://payments/"]
        )
        #expect(refused.status == 56, "a denial resets the client: \(refused.error)")
        try lab.eventually("both ends are in the log with their identities") {
            try !lab.access(
                "node-2",
                #"src.identity="spiffe://cluster.local/ns/shop/sa/web""#,
                #"dst.identity="spiffe://cluster.local/ns/shop/sa/payments""#,
                #"direction="inbound""#
            ).isEmpty
        }
        try lab.eventually("the denial is in the log") {
            try !lab.access("node-2", "response_flags=\"DENY\"", "sa/client").isEmpty
        }
    }
}
