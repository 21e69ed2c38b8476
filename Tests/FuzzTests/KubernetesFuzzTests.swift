import Foundation
import Kubernetes
import Testing

@Suite struct `Fuzzed manifests` {
    /// A property that an input broke.
    struct Broken: Error {
        let property: String
    }

    @Test func `never trap, and every mistake names its place`() {
        fuzz("manifests", corpus: ManifestCorpus.entries) { bytes, _ in
            let manifests = Manifests(files: [("fuzz.yaml", bytes)])
            // A carriage return and Unicode's separators break lines of YAML too.
            let lines = bytes.count { $0 == 0x0A || $0 == 0x0D || $0 >= 0x80 } + 1
            for problem in manifests.problems + manifests.warnings {
                let text = problem.description
                guard text.hasPrefix("fuzz.yaml"), !problem.reason.isEmpty else {
                    throw Broken(property: "a problem without place or reason: \(text)")
                }
                guard (1...(lines + 1)).contains(problem.place.line) else {
                    throw Broken(property: "line \(problem.place.line) of \(lines)")
                }
                guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
                else {
                    throw Broken(property: "a control character in \(text.debugDescription)")
                }
            }
            let keys = manifests.objects.keys
            guard Set(keys).count == keys.count else { throw Broken(property: "a key twice") }
            for key in keys {
                guard ObjectName.subdomain.allows(key.name),
                    key.namespace.isEmpty || ObjectName.label.allows(key.namespace)
                else { throw Broken(property: "the name \(key)") }
            }
        }
    }

    @Test func `never trap as single values, which stay within their depth`() {
        let corpus = ManifestCorpus.entries + ManifestCorpus.values.map { Array($0.utf8) }
        fuzz("YAML", corpus: corpus) { bytes, _ in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let value = try? Value(yaml: text) else { return }
            guard depth(value) <= Value.YAMLLimit.depthMax else {
                throw Broken(property: "depth \(depth(value))")
            }
        }
    }

    private func depth(_ value: Value) -> Int {
        switch value {
        case .null, .bool, .integer, .number, .string: 1
        case .list(let elements): 1 + (elements.map(depth).max() ?? 0)
        case .map(let fields): 1 + (fields.values.map(depth).max() ?? 0)
        }
    }
}

/// Texts from which the manifest fuzzers start.
enum ManifestCorpus {
    /// The lab's own manifests and one document for each kind and feature.
    static let entries: [[UInt8]] = labManifests + documents.map { Array($0.utf8) }

    private static let labManifests: [[UInt8]] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "deploy/lab")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { $0.hasSuffix(".yaml") }.compactMap { name in
            (try? Data(contentsOf: folder.appending(path: name))).map { Array($0) }
        }
    }()

    static let values = [
        "a: &x [1, {b: *x2}]\nc: *x", "? [a]\n: b", "!!str 1", "- - - x", "a: |2-\n   x\n",
        "\"\\x41\"",
        "'it''s'", "{a: [b, {c: d}], 'e': \"f\\n\"}", "%YAML 1.1\n---\n!<tag:x> &y z\n...\n",
        "<<: {}",
        "0x7fffffffffffffff", "-9223372036854775808", "1e999", ".inf", "&a [*a]",
    ]

    private static let documents = [
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: web-0
          namespace: shop
          labels: {app: web, ambit.dev/dataplane-mode: ambient}
          annotations: {ambit.dev/exclude-inbound-ports: "80,81", ambit.dev/dns-capture: "false"}
          creationTimestamp: 2026-11-21T10:00:00Z
          ownerReferences: [{kind: ReplicaSet, name: web-5d4, controller: true}]
        spec:
          nodeName: node-1
          hostname: web-0
          subdomain: web
          dnsPolicy: None
          dnsConfig:
            nameservers: [10.0.0.10]
            searches: [x.y]
            options: [{name: ndots, value: "2"}]
          containers:
          - name: web
            ports: [{name: http, containerPort: 8080}]
            readinessProbe: {httpGet: {port: http}}
            env: [{name: A, value: B}]
        status:
          phase: Running
          podIPs: [{ip: 10.1.0.5}, {ip: "fd00::5"}]
          conditions: [{type: Ready, status: "True"}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec:
          clusterIPs: [10.96.0.1, "fd00:96::1"]
          selector: {app: web}
          internalTrafficPolicy: Local
          ports: [{name: http, port: 80, targetPort: http}, {name: b, port: 81, targetPort: 8081}]
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        endpoints:
        - {addresses: [10.1.0.5], targetRef: {kind: Pod, name: web-0}, conditions: {ready: false}}
        - {addresses: [192.0.2.1], nodeName: node-1, zone: a}
        ports: [{name: http, port: 8080}]
        """,
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: p, namespace: shop, annotations: {istio.io/dry-run: "true"}}
        spec:
          selector: {matchLabels: {app: web}}
          action: DENY
          rules:
          - from:
            - source: {principals: ["cluster.local/ns/a/sa/*"], notNamespaces: ["*b"]}
            - source: {serviceAccounts: [a/b], ipBlocks: [10.0.0.0/8], requestPrincipals: ["*"]}
            to: [{operation: {ports: ["80"], notPorts: ["81"], methods: [GET]}}]
            when:
            - {key: destination.port, values: ["8080"]}
            - {key: "request.headers[a]", values: [b]}
        ---
        apiVersion: security.ambit.dev/v1alpha1
        kind: PeerAuthentication
        metadata: {name: q, namespace: shop}
        spec:
          selector: {matchLabels: {app: web}}
          mtls: {mode: STRICT}
          portLevelMtls: {8080: {mode: PERMISSIVE}}
        """,
        """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {a.b/c: d}}}
        - {apiVersion: v1, kind: Node, metadata: {name: node-1}, spec: {podCIDRs: [10.1.0.0/24]}}
        """,
    ]
}
