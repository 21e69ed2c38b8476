internal import JSON
internal import Reactor

/// The program `ambit-cni`: environment and standard input in, standard output and status out.
package enum CNIProgram {
    /// Runs once; returns the exit status.
    package static func main() -> Int32 {
        let plugin = CNIPlugin(CNIPlugin.World(read: read, ask: HandoverClient.ask))
        var input: [UInt8] = []
        do throws(SystemError) {
            input = try hear(bytesMax: CNIConfiguration.bytesMax)
        } catch {
            let failure = CNIError(
                .ioFailure,
                "cannot read the network configuration",
                details: error.description
            )
            let text = failure.json(version: CNIVersion.newest.rawValue).compact()
            say(String(decoding: text + [0x0A], as: UTF8.self))
            return 1
        }
        let outcome = plugin.run(environment: Process.environment, input: input)
        say(String(decoding: outcome.output, as: UTF8.self))
        return outcome.status
    }

    private static func read(
        _ path: String,
        _ bytesMax: Int
    ) -> Result<[UInt8], Handover.Refusal> {
        do throws(SystemError) {
            return .success(try WatchedFile.contents(path, bytesMax: bytesMax))
        } catch {
            return .failure(Handover.Refusal(reason: "\(path): \(error)"))
        }
    }
}
