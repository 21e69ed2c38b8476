internal import Glibc
internal import Reactor

// ambit-relay splice|copy PORT=ADDRESS:PORT...
// ambit-relay hold ADDRESS:PORT COUNT
do {
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.first == "hold" {
        try HeldConnections.run(try HeldConnections.Plan(arguments: arguments.dropFirst()))
    } else {
        try RelayWorker.runAll(try RelayPlan(arguments: arguments))
    }
} catch let error as RelayPlan.Invalid {
    complain("ambit-relay: \(error.reason)")
    exit(64)
} catch {
    complain("ambit-relay: \(error)")
    exit(1)
}
