internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Kubernetes
internal import Lab
internal import Terminal

/// A command about a mesh that runs, in a cluster or in a lab.
protocol MeshCommand: ParsableCommand {
    func run() async throws
}

extension MeshCommand {
    // The synchronous form that ArgumentParser knows; the program calls the other one.
    func run() throws {
        throw ReachError(.failed, "\(Self._commandName) is asynchronous")
    }
}

/// Runs a command's body; a failure is told in one line and becomes the exit status.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as ReachError {
        tellFailure(error.reason)
        throw ExitCode(error.kind.rawValue)
    } catch let error as LabError {
        report(error)
        throw ExitCode(error.kind.rawValue)
    } catch let error as ClusterError {
        let failure = ReachError(error)
        tellFailure(failure.reason)
        throw ExitCode(failure.kind.rawValue)
    } catch let error as AccessError {
        tellFailure(error.reason)
        throw ExitCode(ReachError.Kind.unavailable.rawValue)
    }
}

private func tellFailure(_ reason: String) {
    for line in reason.split(separator: "\n") { tell("ambit: \(Terminal.printable(String(line)))") }
}

/// How an answer is written.
struct FormatChoice: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "table, json or yaml.")
    var output = Listing.Format.table

    /// Colours only for a person who looks at a terminal and did not say NO_COLOR.
    var style: Style {
        Style(
            isTerminal: output == .table && isatty(STDOUT_FILENO) == 1,
            environment: ProcessInfo.processInfo.environment
        )
    }

    func show(_ listing: Listing) {
        write(listing.text(output, style), to: STDOUT_FILENO)
    }

    /// Writes a value for programs, or its text for people.
    func show(_ value: Value, text: (Style) -> String) {
        guard output == .table else {
            return show(Listing(table: Table([]), value: value))
        }
        write(text(style), to: STDOUT_FILENO)
    }
}

extension Listing.Format: ExpressibleByArgument {}

/// Whose objects.
struct NamespaceChoice: ParsableArguments {
    @Option(name: [.customShort("n"), .long], help: "Only this namespace.")
    var namespace: String?
}

/// Which cluster, as kubectl takes it.
struct ClusterChoice: ParsableArguments {
    @Option(help: "The kubeconfig file; without it, as kubectl finds it.")
    var kubeconfig: String?

    @Option(help: "The context of the kubeconfig.")
    var context: String?

    /// Connects when first asked something.
    func connect() throws -> APIServer {
        var environment = ProcessInfo.processInfo.environment
        if let kubeconfig { environment["KUBECONFIG"] = kubeconfig }
        let isInPod = environment["KUBERNETES_SERVICE_HOST"] != nil
        if isInPod, environment["KUBECONFIG"] == nil, context == nil {
            return APIServer(try ClusterAccess.inCluster(environment: environment))
        }
        let config: KubeConfig
        do throws(AccessError) {
            config = try KubeConfig.load(environment: environment)
        } catch {
            throw ReachError(.unreadable, error.reason)
        }
        do throws(AccessError) {
            return APIServer(try config.access(context: context))
        } catch {
            throw ReachError(.data, error.reason)
        }
    }

    /// The same for kubectl.
    var options: [String] {
        (kubeconfig.map { ["--kubeconfig", $0] } ?? [])
            + (context.map { ["--context", $0] } ?? [])
    }
}

extension ReachError {
    /// A failed request to a cluster.
    init(_ error: ClusterError) {
        let kind: Kind =
            switch error.code {
            case .unavailable: .unavailable
            case .forbidden, .unauthorized: .forbidden
            default: .failed
            }
        self.init(kind, error.reason)
    }
}
