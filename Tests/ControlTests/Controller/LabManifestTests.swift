import Controller
import Foundation
import Kubernetes
import Mesh
import Testing

/// The manifests under deploy/lab, which the README shows.
@Suite struct `A lab manifest` {
    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "deploy/lab")

    static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".yaml") }.sorted()
    }

    private static func manifests(_ name: String) throws -> Manifests {
        let data = try Data(contentsOf: folder.appending(path: name))
        return Manifests(files: [(name, Array(data))])
    }

    @Test(arguments: try names())
    func `has nothing that is refused or has no effect`(name: String) throws {
        let manifests = try Self.manifests(name)
        #expect(manifests.problems.isEmpty, "\(manifests.problems)")
        #expect(manifests.warnings.isEmpty, "\(manifests.warnings)")
        #expect(!manifests.objects.pods.isEmpty)
        let translation = translate(manifests.objects, settings: MeshSettings())
        #expect(translation.refusals.isEmpty, "\(translation.refusals)")
        #expect(translation.warnings.isEmpty, "\(translation.warnings)")
    }

    @Test func `of the shop makes the mesh its comment promises`() throws {
        var objects = try Self.manifests("shop.yaml").objects
        for index in objects.pods.indices {
            objects.pods[index].addresses = [IPAddress(v4: 0x0A3C_0100 + UInt32(index))]
        }
        let translation = translate(objects, settings: MeshSettings())
        let workloads = translation.state.workloads
        #expect(workloads.map(\.name) == ["client", "web", "payments", "guest", "legacy"])
        #expect(workloads.map(\.node) == ["node-1", "node-1", "node-2", "node-2", "node-2"])
        #expect(workloads.map(\.tunnelProtocol) == [.hbone, .hbone, .hbone, .hbone, .none])
        let payments = try #require(workloads.first { $0.name == "payments" })
        #expect(payments.identity.description == "spiffe://cluster.local/ns/shop/sa/payments")
        #expect(
            payments.authorizationPolicies == [
                "shop/payments-from-web", "ambit-system/istio_converted_static_strict",
            ]
        )
        #expect(
            payments.services == [
                "shop/payments.shop.svc.cluster.local": [
                    ServicePort(servicePort: 80, targetPort: 8080)
                ]
            ]
        )
        #expect(translation.localPods["node-1"]?.map(\.name) == ["client", "web"])
        #expect(translation.localPods["node-2"]?.map(\.name) == ["payments", "guest"])
    }
}
