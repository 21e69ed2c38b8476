internal import Node
internal import Reactor

extension AgentProgram {
    /// The flag that takes the CNI plugin off the host and does nothing else.
    private static let removalFlag = "--remove-cni"

    /// The program `ambit-node` from its command line to its exit status.
    package static func main(_ arguments: [String]) -> Int32 {
        guard arguments.contains(removalFlag) else {
            return NodeProgram.main(arguments, makeParts: makeParts)
        }
        var rest = arguments.dropFirst().filter { $0 != removalFlag }
        // The name does not matter here, and whoever cleans up may not know it.
        if !rest.contains("--node-name") { rest += ["--node-name", "this"] }
        do throws(ConfigurationFailure) {
            let invocation = try NodeConfiguration.parse(
                arguments: rest,
                environment: Process.environment,
                readFile: { _ in .failure(ConfigurationFileFailure(reason: "is not read here")) }
            )
            guard case .run(let configuration) = invocation else { return 0 }
            return PodAgent.removePlugin(configuration)
        } catch {
            for problem in error.problems { complain("ambit-node: \(problem)") }
            return ConfigurationFailure.exitStatus
        }
    }
}
