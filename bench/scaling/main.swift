internal import ArgumentParser

func start<Command: AsyncParsableCommand>(_ command: sending Command) async throws {
    var command = command
    try await command.run()
}

func startParsed() async throws {
    var command = try ScaleCommand.parseAsRoot()
    if let command = command as? any AsyncParsableCommand {
        try await start(command)
    } else {
        try command.run()
    }
}

do {
    try await startParsed()
} catch {
    ScaleCommand.exit(withError: error)
}
