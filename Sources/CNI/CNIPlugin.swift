internal import JSON

/// The plugin: from what the runtime gives to what it gets back.
///
/// It changes nothing itself. For a pod that is enrolled it asks the node proxy to capture the
/// pod and lets it start only then; a pod that is not is never held up (DESIGN.md §3.8).
package struct CNIPlugin {
    /// How long an enrolled pod waits for its capture.
    package static let captureMilliseconds = 30_000
    /// How long a pod waits that the record calls not enrolled, in case it is by now.
    package static let glanceMilliseconds = 2000
    /// How long a pod that leaves waits for the proxy to take note.
    package static let removalMilliseconds = 1000

    /// What the plugin leaves to its surroundings.
    package struct World {
        /// Reads a file whole, at most so many bytes; nil with a reason when it cannot.
        package var read: (_ path: String, _ bytesMax: Int) -> Result<[UInt8], Handover.Refusal>
        /// Asks the node proxy: request, socket, namespace path or empty, milliseconds.
        package var ask:
            (Handover.Request, String, String, Int) -> Result<Handover.Answer, Handover.Refusal>

        package init(
            read: @escaping (String, Int) -> Result<[UInt8], Handover.Refusal>,
            ask:
                @escaping (
                    Handover.Request, String, String, Int
                ) -> Result<Handover.Answer, Handover.Refusal>
        ) {
            self.read = read
            self.ask = ask
        }
    }

    /// What the runtime gets: standard output and the exit status.
    package struct Outcome: Sendable, Equatable {
        package let output: [UInt8]
        package let status: Int32
    }

    private let world: World

    package init(_ world: World) {
        self.world = world
    }

    /// Does what the runtime asks.
    package func run(environment: [String: String], input: [UInt8]) -> Outcome {
        do throws(CNIError) {
            let invocation = try CNIInvocation(environment: environment)
            if invocation.command == .version { return answer(CNIPlugin.versions(input)) }
            let configuration: CNIConfiguration
            do throws(CNIError) {
                configuration = try CNIConfiguration(input)
            } catch {
                // What is to go may go, however broken its configuration has become.
                if invocation.command == .delete { return Outcome(output: [], status: 0) }
                throw error
            }
            guard let result = try perform(invocation, configuration) else {
                return Outcome(output: [], status: 0)
            }
            return answer(result)
        } catch {
            let version = CNIPlugin.spoken(input).rawValue
            let output = error.json(version: version).compact() + [0x0A]
            return Outcome(output: output, status: 1)
        }
    }

    private func answer(_ result: JSON) -> Outcome {
        Outcome(output: result.compact() + [0x0A], status: 0)
    }

    /// The version the runtime speaks; the newest where it does not say, or none that is known.
    private static func spoken(_ input: [UInt8]) -> CNIVersion {
        let asked = (try? JSON.parse(input, depthMax: 32, bytesMax: CNIConfiguration.bytesMax))?[
            "cniVersion"
        ]?.stringValue
        return asked.flatMap(CNIVersion.init) ?? .newest
    }

    private static func versions(_ input: [UInt8]) -> JSON {
        .object([
            ("cniVersion", .string(spoken(input).rawValue)),
            (
                "supportedVersions",
                .array(CNIVersion.allCases.map { .string($0.rawValue) })
            ),
        ])
    }

    /// The result to print; nil when the command has none.
    private func perform(
        _ invocation: CNIInvocation,
        _ configuration: CNIConfiguration
    ) throws(CNIError) -> JSON? {
        switch invocation.command {
        case .add:
            let result = try previousResult(configuration)
            try capture(invocation, configuration, .add)
            return result
        case .check:
            guard configuration.version >= .v0_4_0 else {
                throw CNIError(.incompatibleVersion, "CHECK came with CNI 0.4.0")
            }
            _ = try previousResult(configuration)
            try capture(invocation, configuration, .check)
            return nil
        case .delete:
            release(invocation, configuration)
            return nil
        case .collectGarbage, .status:
            // Nothing is kept for a container. Without the node proxy other pods still start, so
            // the plugin never reports that the network is not ready.
            guard configuration.version >= .v1_1 else {
                throw CNIError(
                    .incompatibleVersion,
                    "\(invocation.command.rawValue) came with CNI 1.1.0"
                )
            }
            return nil
        case .version:
            return CNIPlugin.versions([])
        }
    }

    private func previousResult(_ configuration: CNIConfiguration) throws(CNIError) -> JSON {
        guard let result = configuration.previousResult else {
            throw CNIError(
                .invalidConfiguration,
                "ambit-cni must be chained after the plugin that makes the interface",
                details: "the configuration has no prevResult"
            )
        }
        return result
    }

    // MARK: the pod

    private func capture(
        _ invocation: CNIInvocation,
        _ configuration: CNIConfiguration,
        _ command: Handover.Request.Command
    ) throws(CNIError) {
        guard let pod = invocation.pod else { return }
        let recorded = record(of: pod, configuration)
        switch recorded {
        case .known(.excluded): return
        case .known, .missing: break
        }
        let mayPass = recorded == .known(.notEnrolled)
        let answer = world.ask(
            request(command, pod, invocation),
            configuration.socketPath,
            invocation.networkNamespace,
            mayPass ? CNIPlugin.glanceMilliseconds : CNIPlugin.captureMilliseconds
        )
        switch answer {
        case .success(.done), .success(.notEnrolled): return
        case .success(.failed(let reason)):
            throw CNIError(
                command == .check ? .notCaptured : .tryAgainLater,
                "pod \(pod.namespace)/\(pod.name) is enrolled in the mesh but not captured",
                details: reason
            )
        case .success(.unknown(let reason)):
            if !mayPass { throw CNIPlugin.waiting(pod, reason, recorded) }
        case .failure(let refusal):
            if !mayPass { throw CNIPlugin.waiting(pod, refusal.reason, recorded) }
        }
    }

    private static func waiting(
        _ pod: CNIInvocation.Pod,
        _ reason: String,
        _ recorded: Recorded
    ) -> CNIError {
        CNIError(
            .tryAgainLater,
            "pod \(pod.namespace)/\(pod.name) waits for ambit-node of this node",
            details: recorded.details.isEmpty ? reason : "\(reason); \(recorded.details)"
        )
    }

    private func release(_ invocation: CNIInvocation, _ configuration: CNIConfiguration) {
        guard let pod = invocation.pod else { return }
        // Whoever is not there to hear it finds the pod gone.
        _ = world.ask(
            request(.remove, pod, invocation),
            configuration.socketPath,
            "",
            CNIPlugin.removalMilliseconds
        )
    }

    private func request(
        _ command: Handover.Request.Command,
        _ pod: CNIInvocation.Pod,
        _ invocation: CNIInvocation
    ) -> Handover.Request {
        Handover.Request(
            command,
            pod: pod,
            containerID: invocation.containerID,
            networkNamespace: invocation.networkNamespace
        )
    }

    private enum Recorded: Equatable {
        case known(EnrolmentRecord.Answer)
        /// There is no record to trust: everyone but the system waits.
        case missing(String)

        var details: String {
            if case .missing(let reason) = self { reason } else { "" }
        }
    }

    private func record(
        of pod: CNIInvocation.Pod,
        _ configuration: CNIConfiguration
    ) -> Recorded {
        if EnrolmentRecord.systemNamespaces.contains(pod.namespace) { return .known(.excluded) }
        switch world.read(configuration.enrolmentPath, EnrolmentRecord.bytesMax) {
        case .failure(let refusal):
            return .missing("no record of who is enrolled: \(refusal)")
        case .success(let bytes):
            do throws(CNIError) {
                let record = try EnrolmentRecord(bytes)
                return .known(record.answer(namespace: pod.namespace, name: pod.name))
            } catch {
                return .missing(error.description)
            }
        }
    }
}
