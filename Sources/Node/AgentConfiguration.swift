/// What an operator decides for the agent: where pods come from, and the paths it shares with the
/// host.
package struct AgentConfiguration: Sendable, Equatable {
    /// Where the API server is: `auto` for the cluster this runs in, if it does; `off`;
    /// `in-cluster`; or the path of a kubeconfig.
    package var kubernetes = "auto"
    /// The namespace the node's own pod and DaemonSet are in.
    package var namespace = "ambit-system"
    /// The DaemonSet of the node's own pod; with it goes what was put on the host.
    package var daemonSet = "ambit-node"
    /// The Unix socket on which the CNI plugin hands pods over.
    package var handoverSocketPath = "/var/run/ambit/cni.sock"
    /// What outlives a reboot of the node.
    package var stateFolder = "/var/lib/ambit"
    /// Namespaces, between commas, whose pods never wait for their capture.
    package var excludedNamespaces = ""
    /// Whether the CNI plugin is put on the host and into its configuration.
    package var installsPlugin = true
    /// The plugin in the image.
    package var pluginPath = "/usr/local/bin/ambit-cni"
    /// Where the host looks for plugins.
    package var pluginFolder = "/opt/cni/bin"
    /// Where the host looks for the configuration of its network.
    package var pluginConfigurationFolder = "/etc/cni/net.d"
    /// The socket of a foreign agent that hands over pods (PROTOCOL.md §2.5); empty for none.
    package var foreignAgentSocketPath = ""

    /// The defaults.
    package init() {}
}

extension NodeConfiguration {
    /// Variables that count where ours is not set: what Kubernetes manifests and other node
    /// proxies of the ambient kind call the same thing (PROTOCOL.md §5.4).
    static let otherVariables = [
        "node-name": ["NODE_NAME"], "pod-namespace": ["POD_NAMESPACE"],
        "zds-socket": ["INPOD_UDS"], "controller-address": ["XDS_ADDRESS"],
        "controller-root": ["XDS_ROOT_CA"], "controller-name": ["ALT_XDS_HOSTNAME"],
        "controller-token": ["AUTH_TOKEN"], "ca-address": ["CA_ADDRESS"],
        "ca-root": ["CA_ROOT_CA"], "pod-name": ["POD_NAME"], "instance-ip": ["INSTANCE_IP"],
        "cluster-id": ["ISTIO_META_CLUSTER_ID", "CLUSTER_ID"], "network": ["NETWORK"],
        "trust-domain": ["TRUST_DOMAIN"], "crl-path": ["CRL_PATH"],
    ]

    static let agentKeys = [
        ConfigurationKey(
            "kubernetes",
            \.agent.kubernetes,
            .path,
            "The API server that names the pods: auto, off, in-cluster or a kubeconfig's path."
        ),
        ConfigurationKey(
            "pod-namespace",
            \.agent.namespace,
            .text,
            "The namespace this node proxy runs in."
        ),
        ConfigurationKey(
            "daemon-set",
            \.agent.daemonSet,
            .text,
            "The DaemonSet of this node proxy; when it is deleted, pods are let go."
        ),
        ConfigurationKey(
            "cni-socket",
            \.agent.handoverSocketPath,
            .path,
            "The Unix socket on which the CNI plugin hands over new pods."
        ),
        ConfigurationKey(
            "state-folder",
            \.agent.stateFolder,
            .path,
            "The folder on the host of what the CNI plugin must know without this process."
        ),
        ConfigurationKey(
            "excluded-namespaces",
            \.agent.excludedNamespaces,
            .path,
            "Namespaces, between commas, whose new pods never wait for their capture."
        ),
        ConfigurationKey(
            "install-cni",
            \.agent.installsPlugin,
            .boolean,
            "Whether the CNI plugin is put on the host and into its configuration."
        ),
        ConfigurationKey(
            "cni-plugin",
            \.agent.pluginPath,
            .path,
            "The CNI plugin to put on the host."
        ),
        ConfigurationKey(
            "cni-bin-folder",
            \.agent.pluginFolder,
            .path,
            "The folder of the host's CNI plugins."
        ),
        ConfigurationKey(
            "cni-conf-folder",
            \.agent.pluginConfigurationFolder,
            .path,
            "The folder of the host's CNI configuration."
        ),
        ConfigurationKey(
            "zds-socket",
            \.agent.foreignAgentSocketPath,
            .path,
            "The socket of a foreign agent that names the pods, in place of the API server."
        ),
    ]
}
