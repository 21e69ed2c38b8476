// deploy/base/namespace.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let baseNamespace = EmbeddedManifest(
        path: "base/namespace.yaml",
        text: contents
    )
}

private let contents = #"""
    # The root namespace of the mesh. Its own pods are no part of the mesh.
    apiVersion: v1
    kind: Namespace
    metadata:
      name: ambit-system
      labels:
        app.kubernetes.io/name: ambit
        app.kubernetes.io/part-of: ambit
        ambit.dev/dataplane-mode: none
        # ambit-node stands on the network of the node and enters the pods; the rest is restricted.
        pod-security.kubernetes.io/enforce: privileged
        pod-security.kubernetes.io/audit: privileged
        pod-security.kubernetes.io/warn: privileged

    """#
