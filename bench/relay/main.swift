internal import Glibc
internal import Reactor

// ambit-relay splice|copy PORT=ADDRESS:PORT...
do {
    let plan = try RelayPlan(arguments: CommandLine.arguments.dropFirst())
    try RelayWorker.runAll(plan)
} catch let error as RelayPlan.Invalid {
    complain("ambit-relay: \(error.reason)")
    exit(64)
} catch {
    complain("ambit-relay: \(error)")
    exit(1)
}
