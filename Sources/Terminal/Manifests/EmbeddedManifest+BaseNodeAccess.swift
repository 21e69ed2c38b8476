// deploy/base/node-access.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let baseNodeAccess = EmbeddedManifest(
        path: "base/node-access.yaml",
        text: contents
    )
}

private let contents = #"""
    # What ambit-node may do: find the pods of its node, and say in an annotation which it captured.
    apiVersion: v1
    kind: ServiceAccount
    metadata:
      name: ambit-node
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    # The DaemonSet asks for its tokens by name.
    automountServiceAccountToken: false
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRole
    metadata:
      name: ambit-node
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    rules:
      - apiGroups: [""]
        resources: [namespaces, pods]
        verbs: [get, list, watch]
      # The annotation ambit.dev/captured. A patch of the status subresource may set annotations and
      # not touch the spec, so this is less than a patch of pods.
      - apiGroups: [""]
        resources: [pods/status]
        verbs: [patch]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: ClusterRoleBinding
    metadata:
      name: ambit-node
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: ClusterRole
      name: ambit-node
    subjects:
      - kind: ServiceAccount
        name: ambit-node
        namespace: ambit-system
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      name: ambit-node
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    rules:
      # Whether this pod goes because all of Ambit goes: then it lets go of the pods it captured.
      - apiGroups: [apps]
        resources: [daemonsets]
        resourceNames: [ambit-node]
        verbs: [get]
    ---
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata:
      name: ambit-node
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: Role
      name: ambit-node
    subjects:
      - kind: ServiceAccount
        name: ambit-node
        namespace: ambit-system
    ---
    # What RBAC cannot say: a node marks its own pods, and changes nothing else of them.
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingAdmissionPolicy
    metadata:
      name: ambit-node
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    spec:
      failurePolicy: Fail
      matchConstraints:
        resourceRules:
          - apiGroups: [""]
            apiVersions: [v1]
            operations: [UPDATE]
            resources: [pods/status]
      matchConditions:
        - name: is-ambit-node
          expression: request.userInfo.username == 'system:serviceaccount:ambit-system:ambit-node'
      variables:
        - name: ours
          expression: "['ambit.dev/captured', 'ambient.istio.io/redirection']"
        - name: before
          expression: "has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}"
        - name: after
          expression: "has(object.metadata.annotations) ? object.metadata.annotations : {}"
      validations:
        # Tokens that kubelet asked for name their node.
        - expression: >-
            !has(request.userInfo.extra) ||
            !('authentication.kubernetes.io/node-name' in request.userInfo.extra) ||
            request.userInfo.extra['authentication.kubernetes.io/node-name'][0] ==
            object.spec.nodeName
          message: ambit-node may mark the pods of its own node only
        - expression: >-
            variables.after.all(key, key in variables.ours || (key in variables.before &&
            variables.after[key] == variables.before[key])) &&
            variables.before.all(key, key in variables.ours || key in variables.after)
          message: ambit-node may change no annotations of a pod but its mark
        - expression: object.status == oldObject.status
          message: ambit-node may not change the status of a pod
        - expression: >-
            (has(object.metadata.labels) ? object.metadata.labels : {}) ==
            (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})
          message: ambit-node may not change the labels of a pod
        - expression: >-
            (has(object.metadata.finalizers) ? object.metadata.finalizers : []) ==
            (has(oldObject.metadata.finalizers) ? oldObject.metadata.finalizers : [])
          message: ambit-node may not change the finalizers of a pod
    ---
    apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingAdmissionPolicyBinding
    metadata:
      name: ambit-node
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    spec:
      policyName: ambit-node
      validationActions: [Deny]

    """#
