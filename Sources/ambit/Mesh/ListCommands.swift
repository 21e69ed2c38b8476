internal import ArgumentParser
internal import Foundation
internal import Kubernetes
internal import Terminal

/// `ambit workloads`.
struct WorkloadsCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "workloads",
        abstract: "List the workloads that the mesh knows."
    )

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var space: NamespaceChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        let view = try await nodes.any().mesh()
        format.show(.workloads(view, namespace: space.namespace))
    }
}

/// `ambit services`.
struct ServicesCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "services",
        abstract: "List the services that the mesh knows and their endpoints."
    )

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var space: NamespaceChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        let view = try await nodes.any().mesh()
        format.show(.services(view, namespace: space.namespace))
    }
}

/// `ambit policies`.
struct PoliciesCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "policies",
        abstract: "List the policies that nodes enforce.",
        discussion: """
            These are the policies as nodes hold them. What became of an object is in its status: \
            kubectl get aap,apa -A
            """
    )

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var space: NamespaceChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        let view = try await nodes.any().mesh()
        format.show(.policies(view, namespace: space.namespace))
    }
}

/// `ambit certs`.
struct CertsCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "List the certificates that nodes hold for their pods.",
        discussion: "Ends with 2 when an identity has no valid certificate."
    )

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        var dumps: [NodeDump] = []
        for source in try await nodes.all() { dumps.append(try await source.dump()) }
        let now = Int64(Date().timeIntervalSince1970)
        format.show(.certificates(dumps, now: now))
        let missing = dumps.flatMap(\.certificates).filter { $0.state != "Available" }
        if !missing.isEmpty { throw ExitCode(ReachError.Kind.findings.rawValue) }
    }
}

/// `ambit connections`.
struct ConnectionsCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "connections",
        abstract: "List the open connections of the pods in the mesh."
    )

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var space: NamespaceChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        var dumps: [NodeDump] = []
        for source in try await nodes.all() { dumps.append(try await source.dump()) }
        format.show(.connections(dumps, namespace: space.namespace))
    }
}

/// `ambit status`.
struct StatusCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how every node stands.",
        discussion: "Ends with 2 when a node is not ready; ambit check says more."
    )

    @OptionGroup var nodes: NodeChoice
    @OptionGroup var format: FormatChoice

    func run() async throws {
        var stands: [(dump: NodeDump, pending: String)] = []
        for source in try await nodes.all() {
            stands.append((try await source.dump(), try await source.pending()))
        }
        format.show(.status(stands))
        if stands.contains(where: { !$0.pending.isEmpty }) {
            throw ExitCode(ReachError.Kind.findings.rawValue)
        }
    }
}
