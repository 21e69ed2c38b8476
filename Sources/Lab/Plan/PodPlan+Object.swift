internal import Kubernetes
internal import Mesh

extension PodPlan {
    /// What to run for a pod whose node and addresses are assigned.
    init(_ pod: Pod, clusterDomain: String) {
        self.init(
            namespace: pod.metadata.namespace,
            name: pod.metadata.name,
            uid: pod.metadata.uid,
            node: pod.nodeName
        )
        addresses = pod.addresses
        usesHostNetwork = pod.usesHostNetwork
        // A host name is one label of at most 63 bytes; a pod's name may be longer.
        let label = pod.metadata.name.prefix(63).split(separator: ".").first.map(String.init)
        hostname = pod.hostname.isEmpty ? label ?? "pod" : pod.hostname
        initialContainers = pod.initContainers.map(Container.init)
        containers = pod.containers.map(Container.init)
        probePorts = pod.probePorts
        restartPolicy =
            switch pod.restartPolicy {
            case .always: .always
            case .onFailure: .onFailure
            case .never: .never
            }
        if !pod.usesHostNetwork { hostsFile = hosts(pod, clusterDomain) }
        resolverFile = resolver(pod, clusterDomain)?.text
    }

    private func hosts(_ pod: Pod, _ clusterDomain: String) -> String {
        var lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
        for address in pod.addresses {
            let full =
                pod.subdomain.isEmpty
                ? ""
                : "\(hostname).\(pod.subdomain).\(namespace).svc.\(clusterDomain) "
            lines.append("\(address) \(full)\(hostname)")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    // Nil for a pod that uses the host's.
    private func resolver(_ pod: Pod, _ clusterDomain: String) -> ResolverFile? {
        var file: ResolverFile
        switch pod.dnsPolicy {
        case .node:
            return nil
        case .clusterFirst where pod.usesHostNetwork:
            return nil
        case .clusterFirst, .clusterFirstWithHostNet:
            let family = pod.addresses.first?.family ?? .v4
            file = ResolverFile(
                namespace: namespace,
                clusterDomain: clusterDomain,
                nameservers: Cluster.resolvers.filter { $0.family == family }
            )
        case .none:
            file = ResolverFile()
        }
        var added = ResolverFile()
        added.nameservers = pod.dnsConfig.nameservers
        added.searches = pod.dnsConfig.searches
        added.options = pod.dnsConfig.options.map { option in
            option.value.map { "\(option.name):\($0)" } ?? option.name
        }
        file.merge(added)
        return file
    }
}

extension PodPlan.Container {
    // Arguments alone are for the command of an image, and a lab has no images.
    fileprivate init(_ container: Kubernetes.Container) {
        self.init(
            name: container.name,
            arguments: container.command.isEmpty ? [] : container.command + container.arguments,
            environment: container.environment.map { "\($0.name)=\($0.value)" },
            directory: container.workingDirectory.isEmpty ? nil : container.workingDirectory
        )
    }
}
