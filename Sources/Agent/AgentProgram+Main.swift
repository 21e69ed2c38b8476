internal import Node
internal import Reactor

extension AgentProgram {
    /// What the program does instead of running, by a flag.
    private static let errands: [String: @Sendable (NodeConfiguration) -> Int32] = [
        "--remove-cni": PodAgent.removePlugin,
        "--ready": ReadinessQuestion.ask,
    ]

    /// The program `ambit-node` from its command line to its exit status.
    package static func main(_ arguments: [String]) -> Int32 {
        let flag = arguments.dropFirst().first { errands[$0] != nil }
        guard let flag, let errand = errands[flag] else {
            return NodeProgram.main(arguments, makeParts: makeParts)
        }
        var rest = arguments.dropFirst().filter { $0 != flag }
        // The name does not matter here, and whoever asks may not know it.
        if !rest.contains("--node-name") { rest += ["--node-name", "this"] }
        do throws(ConfigurationFailure) {
            let invocation = try NodeConfiguration.parse(
                arguments: rest,
                environment: Process.environment,
                readFile: { _ in .failure(ConfigurationFileFailure(reason: "is not read here")) }
            )
            guard case .run(let configuration) = invocation else { return 0 }
            return errand(configuration)
        } catch {
            for problem in error.problems { complain("ambit-node: \(problem)") }
            return ConfigurationFailure.exitStatus
        }
    }
}
