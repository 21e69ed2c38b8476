/// What an operator decides about the control plane that a node follows.
package struct ControlPlaneConfiguration: Sendable, Equatable {
    /// Where discovery is served, `host:port`, or several with commas between them, any of which
    /// will do; empty when files tell all.
    package var address = ""
    /// The name in the certificate of the control plane; empty for the host of its address.
    package var name = ""
    /// The roots it must lead to: a path, a PEM text, or `SYSTEM`.
    package var roots = "/var/run/secrets/ambit/" + "root/root-cert.pem"
    /// The service-account token: a path, or the token itself.
    package var token = "/var/run/secrets/ambit/token"
    /// Where certificates are signed; empty for the address of discovery.
    package var authorityAddress = ""
    /// The roots the authority must lead to; empty for those of discovery.
    package var authorityRoots = ""
    /// The pod this node proxy runs in.
    package var podName = ""
    /// The address of that pod; empty when not known.
    package var instanceIP = ""

    /// The defaults.
    package init() {}
}

extension NodeConfiguration {
    static let controlPlaneKeys = [
        ConfigurationKey(
            "controller-address",
            \.controlPlane.address,
            .path,
            "Where the mesh is learnt from, as host:port or several with commas; empty for files."
        ),
        ConfigurationKey(
            "controller-name",
            \.controlPlane.name,
            .text,
            "The name in the controller's certificate, if it is not the host."
        ),
        ConfigurationKey(
            "controller-root",
            \.controlPlane.roots,
            .path,
            "The roots of the controller's certificate: a path, PEM or SYSTEM."
        ),
        ConfigurationKey(
            "controller-token",
            \.controlPlane.token,
            .path,
            "The service-account token: a path, or the token itself."
        ),
        ConfigurationKey(
            "ca-address",
            \.controlPlane.authorityAddress,
            .path,
            "Where certificates are signed, if not at the controller's address."
        ),
        ConfigurationKey(
            "ca-root",
            \.controlPlane.authorityRoots,
            .path,
            "The roots of the authority's certificate, if not the controller's."
        ),
        ConfigurationKey(
            "pod-name",
            \.controlPlane.podName,
            .text,
            "The pod this node proxy runs in."
        ),
        ConfigurationKey(
            "instance-ip",
            \.controlPlane.instanceIP,
            .text,
            "The address of that pod."
        ),
    ]
}
