import Controller
import Kubernetes
import Mesh
import Testing

@Suite struct `A pod's enrolment` {
    private static let ours = "ambit.dev/dataplane-mode"
    private static let alias = "istio.io/dataplane-mode"

    @Test(arguments: [
        ("", "", false),
        ("\(ours): ambient", "", true),
        ("\(alias): ambient", "", true),
        ("", "\(ours): ambient", true),
        ("", "\(alias): ambient", true),
        ("\(ours): ambient", "\(ours): none", false),
        ("\(ours): ambient", "\(alias): none", false),
        ("\(ours): none", "\(alias): ambient", true),
        ("\(ours): none, \(alias): ambient", "", false),
        ("\(ours): ambient, \(alias): none", "", true),
        ("", "\(ours): none, \(alias): ambient", false),
        ("\(ours): Ambient", "", false),
        ("\(ours): ambient", "\(ours): ''", false),
    ])
    func `follows the pod's label, then the namespace's, ours before Istio's`(
        namespace: String,
        pod: String,
        isEnrolled: Bool
    ) throws {
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.namespace("shop", namespace),
                Manifest.pod("web", labels: pod, spec: "nodeName: n"),
            ])
        )
        #expect(try mesh.workload("web").tunnelProtocol == (isEnrolled ? .hbone : .none))
        #expect(mesh.translation.localPods.isEmpty == !isEnrolled)
    }

    @Test func `never includes a pod on its node's network, and says so`() throws {
        let mesh = try MeshFixture(
            Manifest.pod("web", labels: "\(Self.ours): ambient", spec: "hostNetwork: true")
        )
        #expect(try mesh.workload("web").tunnelProtocol == .none)
        #expect(try mesh.workload("web").networkMode == .hostNetwork)
        #expect(mesh.translation.localPods.isEmpty)
        #expect(
            mesh.translation.warnings.map(\.description) == [
                "Pod shop/web: spec.hostNetwork: "
                    + "a pod on its node's network cannot be enrolled"
            ]
        )
    }

    @Test func `leaves pods of an enrolled namespace on their node's network alone`() throws {
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.namespace("shop", "\(Self.ours): ambient"),
                Manifest.pod("web", spec: "hostNetwork: true"),
            ])
        )
        #expect(mesh.translation.localPods.isEmpty)
        #expect(mesh.translation.warnings.isEmpty)
    }

    @Test func `warns of a label that means nothing`() throws {
        let mesh = try MeshFixture(
            Manifest.joined([
                Manifest.namespace("shop", "\(Self.alias): on1"),
                Manifest.pod("web", labels: "\(Self.ours): yes1"),
            ])
        )
        #expect(
            mesh.translation.warnings.map(\.field) == [
                "metadata.labels.\(Self.alias)", "metadata.labels.\(Self.ours)",
            ]
        )
    }

    @Test func `carries what the annotations ask of capture`() throws {
        let annotations = """
            annotations:
              ambit.dev/exclude-inbound-ports: "9000, 80 ,80"
              ambit.dev/exclude-outbound-ports: "5432"
              ambit.dev/dns-capture: "false"
            """
        let mesh = try MeshFixture(
            Manifest.pod(
                "web",
                labels: "\(Self.ours): ambient",
                metadata: annotations,
                spec: "nodeName: node-1\nserviceAccountName: robot"
            )
        )
        let pod = try #require(mesh.translation.localPods["node-1"]?.first)
        #expect(pod.uid == "shop.web")
        #expect(pod.serviceAccount == "robot")
        #expect(pod.addresses.map(\.description) == ["10.1.0.1"])
        #expect(pod.excludedInboundPorts == [80, 9000])
        #expect(pod.excludedOutboundPorts == [5432])
        #expect(!pod.capturesDNS)
        #expect(mesh.translation.warnings.isEmpty)
    }

    @Test(arguments: [
        "ambit.dev/exclude-inbound-ports: 'http'", "ambit.dev/exclude-inbound-ports: '0'",
        "ambit.dev/exclude-outbound-ports: '80,65536'", "ambit.dev/exclude-outbound-ports: '+80'",
        "ambit.dev/dns-capture: 'off'",
    ])
    func `keeps capturing where an annotation cannot be read`(annotation: String) throws {
        let mesh = try MeshFixture(
            Manifest.pod(
                "web",
                labels: "\(Self.ours): ambient",
                metadata: "annotations: {\(annotation)}",
                spec: "nodeName: n"
            )
        )
        let pod = try #require(mesh.translation.localPods["n"]?.first)
        #expect(pod.excludedInboundPorts.isEmpty)
        #expect(pod.excludedOutboundPorts.allSatisfy { $0 == 80 })
        #expect(pod.capturesDNS)
        #expect(mesh.translation.warnings.count == 1)
    }
}
