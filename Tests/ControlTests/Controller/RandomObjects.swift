import Kubernetes

/// Random objects from few names, so that they meet each other often.
struct RandomObjects {
    private var random: SplitMix

    init(seed: UInt64) { random = SplitMix(seed: seed) }

    mutating func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

    mutating func pick(_ words: String...) -> String { words[number(below: words.count)] }

    private mutating func namespace() -> String { pick("a", "b", "ambit-system") }

    private mutating func labels() -> String {
        var labels: [String] = []
        if number(below: 3) > 0 { labels.append("app: " + pick("x", "y", "z")) }
        if number(below: 3) > 0 { labels.append("tier: " + pick("x", "y")) }
        if number(below: 6) == 0 {
            labels.append("ambit.dev/dataplane-mode: " + pick("ambient", "none", "what"))
        }
        if number(below: 6) == 0 {
            labels.append("istio.io/use-waypoint: " + pick("g", "h", "none"))
            if number(below: 2) == 0 {
                labels.append("istio.io/use-waypoint-namespace: " + pick("a", "b"))
            }
        }
        return "{" + labels.joined(separator: ", ") + "}"
    }

    private mutating func selector() -> String {
        pick("{app: x}", "{app: y}", "{tier: x}", "{app: x, tier: y}", "{}")
    }

    /// The YAML of one object.
    mutating func object() -> String {
        switch number(below: 9) {
        case 0:
            return "{apiVersion: v1, kind: Namespace, "
                + "metadata: {name: \(namespace()), labels: \(labels())}}"
        case 1:
            return "{apiVersion: v1, kind: Node, metadata: {name: \(pick("m", "n")), "
                + "labels: {topology.kubernetes.io/zone: \(pick("r", "s"))}}}"
        case 2: return service()
        case 3: return slice()
        case 4: return authorization()
        case 5: return peers()
        case 6: return gateway()
        default: return pod()
        }
    }

    private mutating func pod() -> String {
        let number = number(below: 6)
        let phase = pick("Running", "Running", "Running", "Succeeded", "Pending")
        let address = pick("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.\(number + 1)")
        return """
            apiVersion: v1
            kind: Pod
            metadata:
              name: p\(number)
              namespace: \(namespace())
              labels: \(labels())
              deletionTimestamp: \(pick("", "", "", "2026-01-01T00:00:00Z"))
            spec:
              nodeName: \(pick("m", "n", ""))
              hostNetwork: \(pick("false", "false", "false", "true"))
              serviceAccountName: \(pick("s", "t"))
              containers: [{name: c, ports: [{name: http, containerPort: \(pick("80", "81"))}]}]
            status:
              phase: \(phase)
              podIPs: [\(pick("", "{ip: \(address)}", "{ip: \(address)}"))]
              conditions: [{type: Ready, status: '\(pick("True", "False"))'}]
            """
    }

    private mutating func service() -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(pick("s", "t")), namespace: \(namespace()), labels: \(labels())}
        spec:
          type: \(pick("ClusterIP", "ClusterIP", "ClusterIP", "ExternalName"))
          selector: \(selector())
          clusterIP: \(pick("10.96.0.1", "10.96.0.2", "None"))
          ports: [{port: \(pick("80", "90")), targetPort: \(pick("http", "8080", "nope"))}]
          trafficDistribution: \(pick("PreferClose", "PreferSameNode", ""))
        """
    }

    private mutating func slice() -> String {
        let target = pick("", ", targetRef: {kind: Pod, name: p1}", ", targetRef: {kind: Node}")
        return """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: \(pick("e", "f"))
              namespace: \(namespace())
              labels:
                kubernetes.io/service-name: \(pick("s", "t"))
                endpointslice.kubernetes.io/managed-by: \(pick(
                    "me", "endpointslice-controller.k8s.io"))
            addressType: IPv4
            endpoints:
            - {addresses: [\(pick("10.0.0.1", "10.0.0.2", "192.0.2.1"))]\(target)}
            - {addresses: [\(pick("10.0.0.3", "192.0.2.2"))], nodeName: \(pick("m", "n"))}
            ports: [{port: \(pick("8080", "9090"))}]
            """
    }

    private mutating func authorization() -> String {
        """
        apiVersion: \(pick("security.ambit.dev/v1alpha1", "security.istio.io/v1"))
        kind: AuthorizationPolicy
        metadata: {name: \(pick("k", "l")), namespace: \(namespace())}
        spec:
          selector: {matchLabels: \(selector())}
          action: \(pick("ALLOW", "DENY", "WHAT"))
          rules: [{from: [{source: {namespaces: [\(pick("a", "b"))]}}]}]
        """
    }

    private mutating func peers() -> String {
        """
        apiVersion: \(pick("security.ambit.dev/v1alpha1", "security.istio.io/v1"))
        kind: PeerAuthentication
        metadata:
          name: \(pick("k", "l"))
          namespace: \(namespace())
          creationTimestamp: 2026-01-0\(number(below: 3) + 1)T00:00:00Z
        spec:
          mtls: {mode: \(pick("STRICT", "PERMISSIVE", "UNSET", "WHAT"))}
          \(pick("", "selector: {matchLabels: {app: x}}",
                 "{selector: {matchLabels: {tier: x}}, portLevelMtls: {80: {mode: STRICT}}}")
            .replacing("{selector: {matchLabels: {tier: x}}, ",
                       with: "selector: {matchLabels: {tier: x}}\n  ")
            .replacing("STRICT}}}", with: "STRICT}}"))
        """
    }

    private mutating func gateway() -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata:
          name: \(pick("g", "h"))
          namespace: \(namespace())
          labels: {istio.io/waypoint-for: \(pick("service", "workload", "all", "none"))}
        spec:
          gatewayClassName: \(pick("ambit-waypoint", "istio-waypoint", "other"))
          listeners:
          - name: mesh
            port: 15008
            protocol: HBONE
            allowedRoutes: {namespaces: \(pick(
                "{from: All}", "{from: Same}",
                "{from: Selector, selector: {matchLabels: {tier: x}}}"))}
        """
    }
}
