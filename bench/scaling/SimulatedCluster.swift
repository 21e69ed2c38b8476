internal import Kubernetes

/// The objects of a cluster of as many pods as wanted: 100 on a node, 1,000 namespaces, 10 behind a
/// service, a policy in each namespace.
///
/// Pods are read from JSON as long as an API server's, so that a pod costs the controller what it
/// does in a cluster. Their addresses are of 100.64.0.0/10 and 198.18.0.0/15, which no lab uses.
struct SimulatedCluster: Sendable {
    static let podsPerNode = 100
    static let podsPerService = 10
    static let namespacesMax = 1_000
    /// How many node proxies there are to follow it; they share the nodes if there are fewer.
    static let proxies = 100

    let pods: Int
    let namespaces: Int

    init(pods: Int) {
        self.pods = pods
        namespaces = min(Self.namespacesMax, max(1, pods / Self.podsPerService))
    }

    var nodes: Int { max(1, pods / Self.podsPerNode) }
    var services: Int { max(1, pods / Self.podsPerService) }

    /// Services stand in namespaces in turn; a pod stands where its service does.
    private func namespace(ofService service: Int) -> String { "sim-\(service % namespaces)" }

    private func nodeName(_ number: Int) -> String { "sim-node-\(number % nodes)" }

    func namespace(_ number: Int) throws -> Namespace {
        try Namespace(
            object(
                """
                {"metadata": {"name": "sim-\(number)", "uid": "n-\(number)",
                 "labels": {"ambit.dev/dataplane-mode": "ambient",
                  "kubernetes.io/metadata.name": "sim-\(number)"}}}
                """
            )
        )
    }

    func node(_ number: Int) throws -> Node {
        try Node(
            object(
                """
                {"metadata": {"name": "\(nodeName(number))", "uid": "h-\(number)",
                 "labels": {"topology.kubernetes.io/region": "region-a",
                  "topology.kubernetes.io/zone": "zone-\(number % 3)"}}}
                """
            )
        )
    }

    func service(_ number: Int) throws -> Service {
        let ip = "198.\(18 + number >> 16).\(number >> 8 & 255).\(number & 255)"
        return try Service(
            object(
                """
                {"metadata": {"name": "app-\(number)", "uid": "s-\(number)",
                 "namespace": "\(namespace(ofService: number))"},
                 "spec": {"clusterIP": "\(ip)", "clusterIPs": ["\(ip)"],
                  "selector": {"app": "app-\(number)"},
                  "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}]}}
                """
            )
        )
    }

    /// A policy for one namespace that lets its own pods and one other namespace in.
    func policy(_ number: Int) throws -> AuthorizationPolicy {
        try AuthorizationPolicy(
            object(
                """
                {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                 "metadata": {"name": "allow", "uid": "p-\(number)",
                  "namespace": "sim-\(number)"},
                 "spec": {"action": "ALLOW", "rules": [{"from": [{"source":
                  {"namespaces": ["sim-\(number)", "sim-\(number + 1)"]}}]}]}}
                """
            )
        )
    }

    /// A node proxy, which is no part of the mesh.
    func proxy(_ number: Int) throws -> Pod {
        try Pod(
            object(
                """
                {"metadata": {"name": "ambit-node-\(number)", "namespace": "ambit-system",
                  "uid": "proxy-\(number)"},
                 "spec": {"nodeName": "\(nodeName(number))", "hostNetwork": true,
                  "serviceAccountName": "ambit-node", "containers": [{"name": "node"}]},
                 "status": {"phase": "Running"}}
                """
            )
        )
    }

    /// Whose token `proxy-N` is.
    func review(_ token: String) -> TokenReview {
        var review = TokenReview()
        guard token.hasPrefix("proxy-"), let number = Int(token.dropFirst(6)) else { return review }
        review.isAuthenticated = true
        review.username = "system:serviceaccount:ambit-system:ambit-node"
        review.podName = "ambit-node-\(number)"
        review.podUID = token
        review.nodeName = nodeName(number)
        return review
    }

    /// A running pod.
    func pod(_ number: Int) throws -> Pod { try Self.pod(json: json(ofPod: number)) }

    /// Reads a pod as it came, as the client of an API server does.
    static func pod(json: [UInt8]) throws -> Pod {
        try Pod(Field(root: try Value(json: json, omitting: Pod.unread)))
    }

    /// A running pod as an API server gives it; `isReady` is what changes.
    func json(ofPod number: Int, isReady: Bool = true) -> [UInt8] {
        let service = number % services
        let ip = "100.\(64 + number >> 16).\(number >> 8 & 255).\(number & 255)"
        let place = PodPlace(
            name: "app-\(service)-6d4cf56db6-\(number)",
            namespace: namespace(ofService: service),
            app: "app-\(service)",
            node: nodeName(number),
            uid: "pod-\(number)",
            address: ip
        )
        return Array(place.json(isReady: isReady).utf8)
    }

    private func object(_ text: String) throws -> Field {
        Field(root: try Value(json: Array(text.utf8)))
    }
}

/// What tells one simulated pod from another.
private struct PodPlace {
    let name: String
    let namespace: String
    let app: String
    let node: String
    let uid: String
    let address: String

    /// As an API server gives it, with all that nobody reads; some 3 KB.
    func json(isReady: Bool) -> String {
        """
        {"metadata": {"name": "\(name)", "generateName": "\(app)-6d4cf56db6-",
         "namespace": "\(namespace)", "uid": "\(uid)", "resourceVersion": "4711",
         "creationTimestamp": "2026-11-21T10:00:00Z",
         "labels": {"app": "\(app)", "pod-template-hash": "6d4cf56db6"},
         "annotations": {"ambit.dev/captured": "true",
          "kubectl.kubernetes.io/restartedAt": "2026-11-20T10:00:00Z"},
         "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
          "name": "\(app)-6d4cf56db6", "uid": "r-\(app)", "controller": true,
          "blockOwnerDeletion": true}],
         "managedFields": [\(Self.managed("kube-controller-manager")),
          \(Self.managed("kubelet"))]},
         "spec": {"nodeName": "\(node)", "serviceAccountName": "\(app)",
          "serviceAccount": "\(app)", "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
          "terminationGracePeriodSeconds": 30, "schedulerName": "default-scheduler",
          "securityContext": {}, "enableServiceLinks": true, "priority": 0,
          "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420,
           "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt",
             "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]}}],
          "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists",
           "effect": "NoExecute", "tolerationSeconds": 300}],
          "containers": [{"name": "app", "image": "registry.example/\(app):1.4.2",
           "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
           "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
           "env": [{"name": "PORT", "value": "8080"}, {"name": "LOG", "value": "info"}],
           "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
           "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080, "scheme": "HTTP"},
            "periodSeconds": 10},
           "volumeMounts": [{"name": "kube-api-access", "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}]},
         "status": {"phase": "Running", "hostIP": "192.0.2.1", "podIP": "\(address)",
          "podIPs": [{"ip": "\(address)"}], "qosClass": "Burstable",
          "startTime": "2026-11-21T10:00:00Z",
          "conditions": [\(Self.condition("Initialized", true)),
           \(Self.condition("Ready", isReady)), \(Self.condition("ContainersReady", isReady)),
           \(Self.condition("PodScheduled", true))],
          "containerStatuses": [{"name": "app", "ready": \(isReady), "restartCount": 0,
           "started": true, "image": "registry.example/\(app):1.4.2",
           "state": {"running": {"startedAt": "2026-11-21T10:00:03Z"}}}]}}
        """
    }

    private static func condition(_ type: String, _ isTrue: Bool) -> String {
        """
        {"type": "\(type)", "status": "\(isTrue ? "True" : "False")",
         "lastTransitionTime": "2026-11-21T10:00:03Z"}
        """
    }

    private static func managed(_ manager: String) -> String {
        """
        {"manager": "\(manager)", "operation": "Update", "apiVersion": "v1",
         "time": "2026-11-21T10:00:03Z", "fieldsType": "FieldsV1",
         "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}},
          "f:spec": {"f:containers": {".": {}}, "f:dnsPolicy": {}, "f:restartPolicy": {}}}}
        """
    }
}
