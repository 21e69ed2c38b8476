internal import Foundation

extension ClusterAccess {
    /// Where every pod finds its service account's token, the cluster's CA and its namespace.
    package static let serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The access of a pod to its own cluster, from what kubelet gives it.
    package static func inCluster(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        folder: String = serviceAccountFolder
    ) throws(AccessError) -> ClusterAccess {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty
        else {
            throw AccessError(
                "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"
            )
        }
        let shown = host.contains(":") ? "[\(host)]" : host
        guard let server = ServerAddress("https://\(shown):\(port)") else {
            throw AccessError("KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is no address")
        }
        var access = ClusterAccess(server: server)
        access.trust = .authorities(.file(folder + "/ca.crt"))
        access.bearer = .file(folder + "/token")
        if let bytes = try? SmallFile.read(folder + "/namespace") {
            let name = String(decoding: bytes, as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines
            )
            if ObjectName.label.allows(name) { access.namespace = name }
        }
        return access
    }

    /// The access of a pod where there is one, that of a kubeconfig otherwise.
    package static func automatic(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(AccessError) -> ClusterAccess {
        if environment["KUBERNETES_SERVICE_HOST"] != nil, environment["KUBECONFIG"] == nil {
            return try inCluster(environment: environment)
        }
        return try KubeConfig.load(environment: environment).access()
    }
}
