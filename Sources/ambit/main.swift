internal import ArgumentParser

// Commands of the lab make namespaces for their own thread, so they run on this one, before
// anything asynchronous does.
do {
    var command = try Ambit.parseAsRoot()
    if let command = command as? any MeshCommand {
        try await reporting { try await command.run() }
    } else {
        try command.run()
    }
} catch {
    Ambit.exit(withError: error)
}
