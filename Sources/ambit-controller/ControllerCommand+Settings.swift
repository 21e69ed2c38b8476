internal import ArgumentParser
internal import Controller
internal import Foundation
internal import Mesh

/// Options and environment as settings; the option goes first.
extension ControllerCommand {
    func settings(_ environment: [String: String]) throws -> ControllerSettings {
        let given = Given(environment: environment)
        var settings = ControllerSettings()
        if !FileManager.default.fileExists(atPath: "/proc/net/if_inet6") {
            let any = IPAddress(v4: 0)
            settings.address = SocketAddress(any, settings.address.port)
            settings.metricsAddress = SocketAddress(any, settings.metricsAddress.port)
        }
        settings.manifests = given.text(manifests, "MANIFESTS") ?? ""
        settings.tokens = given.text(tokens, "TOKENS") ?? ""
        settings.kubeconfig = given.text(kubeconfig, "KUBECONFIG") ?? ""
        if let address = try given.address(address, "ADDRESS") { settings.address = address }
        if let address = try given.address(metricsAddress, "METRICS_ADDRESS") {
            settings.metricsAddress = address
        }
        if let port = try given.number(debugPort, "DEBUG_PORT") { settings.debugPort = port }
        let mesh = settings.mesh
        settings.mesh.trustDomain = given.text(trustDomain, "TRUST_DOMAIN") ?? mesh.trustDomain
        settings.mesh.clusterDomain =
            given.text(clusterDomain, "CLUSTER_DOMAIN") ?? mesh.clusterDomain
        settings.mesh.clusterID = given.text(clusterID, "CLUSTER_ID") ?? mesh.clusterID
        settings.mesh.network = given.text(network, "NETWORK") ?? mesh.network
        settings.mesh.rootNamespace =
            given.text(rootNamespace, "ROOT_NAMESPACE") ?? mesh.rootNamespace
        // Only an API server's pods say whether they are ready, and are told when captured.
        settings.mesh.assumesReady = !settings.manifests.isEmpty
        settings.mesh.awaitsCapture = settings.manifests.isEmpty
        settings.authorityFolder = given.text(authorityFolder, "CA_DIR") ?? ""
        settings.authoritySecret = given.text(authoritySecret, "CA_SECRET") ?? ""
        settings.revocationsPath = given.text(revocationsPath, "CRL_FILE") ?? ""
        if let seconds = try given.number(authorityPollSeconds, "CA_POLL_SECONDS"), seconds > 0 {
            settings.authorityPollSeconds = seconds
        }
        if let seconds = try given.number(certificateSeconds, "CERTIFICATE_SECONDS") {
            guard (60...(90 * 86_400)).contains(seconds) else {
                throw ValidationError("certificate-seconds must be 60 to \(90 * 86_400)")
            }
            settings.certificateSeconds = seconds
        }
        if let seconds = try given.number(certificateSecondsMin, "CERTIFICATE_SECONDS_MIN") {
            guard (1...86_400).contains(seconds) else {
                throw ValidationError("certificate-seconds-min must be 1 to 86400")
            }
            settings.certificateSecondsMin = seconds
        }
        if let list = given.list(audiences, "AUDIENCES") { settings.audiences = list }
        if let list = given.list(nodeAccounts, "NODE_ACCOUNTS") {
            settings.nodeAccounts = Set(list)
        }
        settings.serverNames = given.list(serverNames, "SERVER_NAMES") ?? []
        settings.instance = environment["POD_NAME"] ?? settings.instance
        return settings
    }
}

/// One setting from its option or else from the environment.
private struct Given {
    let environment: [String: String]

    func text(_ option: String?, _ name: String) -> String? {
        option ?? environment["AMBIT_" + name].flatMap { $0.isEmpty ? nil : $0 }
    }

    func list(_ option: [String], _ name: String) -> [String]? {
        if !option.isEmpty { return option }
        return text(nil, name)?.split(separator: ",").map(String.init)
    }

    func number<Number: FixedWidthInteger>(_ option: Number?, _ name: String) throws -> Number? {
        if let option { return option }
        guard let text = text(nil, name) else { return nil }
        guard let number = Number(text) else {
            throw ValidationError("AMBIT_\(name) must be a number, found \(text)")
        }
        return number
    }

    func address(_ option: String?, _ name: String) throws -> SocketAddress? {
        guard let text = text(option, name) else { return nil }
        guard let address = SocketAddress(text) else {
            throw ValidationError("\(name) must be ADDRESS:PORT, found \(text)")
        }
        return address
    }
}
