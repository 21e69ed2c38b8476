// deploy/base/controller-access.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let baseControllerAccess = EmbeddedManifest(
        path: "base/controller-access.yaml",
        text: contents
    )
}

private let contents = #"""
    # What ambit-controller may do. It reads the objects the mesh is made of, asks whose a token is,
    # and writes conditions of policies and events; Secrets it reads by name, in its own namespace.
    apiVersion: v1
    kind: ServiceAccount
    metadata:
      name: ambit-controller
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    # The Deployment asks for its token by name.
    automountServiceAccountToken: false
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata:
      name: ambit-controller
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    rules:
      - apiGroups: [""]
        resources: [namespaces, nodes, pods, services]
        verbs: [get, list, watch]
      - apiGroups: [discovery.k8s.io]
        resources: [endpointslices]
        verbs: [get, list, watch]
      - apiGroups: [security.ambit.dev]
        resources: [authorizationpolicies, peerauthentications]
        verbs: [get, list, watch]
      - apiGroups: [security.istio.io]
        resources: [authorizationpolicies, peerauthentications]
        verbs: [get, list, watch]
      - apiGroups: [gateway.networking.k8s.io]
        resources: [gateways]
        verbs: [get, list, watch]
      # Conditions, by the leader alone.
      - apiGroups: [security.ambit.dev]
        resources: [authorizationpolicies/status, peerauthentications/status]
        verbs: [patch]
      - apiGroups: [security.istio.io]
        resources: [authorizationpolicies/status, peerauthentications/status]
        verbs: [patch]
      - apiGroups: [events.k8s.io]
        resources: [events]
        verbs: [create]
      # Whose the token is that a node shows.
      - apiGroups: [authentication.k8s.io]
        resources: [tokenreviews]
        verbs: [create]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata:
      name: ambit-controller
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: ClusterRole
      name: ambit-controller
    subjects:
      - kind: ServiceAccount
        name: ambit-controller
        namespace: ambit-system
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: ambit-controller
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    rules:
      # The root of the mesh, with its key.
      - apiGroups: [""]
        resources: [secrets]
        resourceNames: [ambit-ca]
        verbs: [get, update]
      # The roots that nodes trust, without keys, and the revocation lists in force; applied.
      - apiGroups: [""]
        resources: [configmaps]
        resourceNames: [ambit-ca-root, ambit-ca-crl]
        verbs: [get, patch]
      # Who leads.
      - apiGroups: [coordination.k8s.io]
        resources: [leases]
        resourceNames: [ambit-controller]
        verbs: [get, update]
      # RBAC cannot limit a create to a name.
      - apiGroups: [""]
        resources: [secrets, configmaps]
        verbs: [create]
      - apiGroups: [coordination.k8s.io]
        resources: [leases]
        verbs: [create]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata:
      name: ambit-controller
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: Role
      name: ambit-controller
    subjects:
      - kind: ServiceAccount
        name: ambit-controller
        namespace: ambit-system

    """#
