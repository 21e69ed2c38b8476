internal import Foundation
internal import Glibc
internal import Reactor

/// Starts labs, and ends them.
package enum LabLauncher {
    /// How long the supervisor may take to answer after its start, in milliseconds.
    private static let startTime: Int32 = 30_000

    /// Throws unless this process may make namespaces, or when the name cannot be a lab's.
    package static func check(name: String) throws(LabError) {
        guard LabName.allows(name) else {
            throw LabError(.usage, "a lab's name must be \(LabName.rule), found \(name)")
        }
        guard geteuid() == 0 else {
            throw LabError(
                .notPermitted,
                "a lab is made of network namespaces, which takes root: run it with sudo"
            )
        }
    }

    /// The `ambit-node` beside this program.
    package static func nodeBinary() throws(LabError) -> String {
        try binary("ambit-node", option: "--node-binary")
    }

    /// The `ambit-controller` beside this program.
    package static func controllerBinary() throws(LabError) -> String {
        try binary("ambit-controller", option: "--controller-binary")
    }

    private static func binary(_ name: String, option: String) throws(LabError) -> String {
        let own = URL(fileURLWithPath: ownPath)
        let path = own.deletingLastPathComponent().appendingPathComponent(name).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw LabError(
                .failed,
                "there is no \(name) beside \(own.path) (name another with \(option))"
            )
        }
        return path
    }

    /// This program's file.
    package static var ownPath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments.first ?? "ambit"
    }

    /// Starts a supervisor without any object; the lab ends with the returned connection.
    package static func start(_ options: SupervisorOptions) throws(LabError) -> ControlClient {
        try check(name: options.name)
        let said = try spawn(options)
        guard said == SupervisorStart.upMessage else {
            if said.contains("is up already") { throw LabError(.exists, said) }
            throw LabError(.failed, said.isEmpty ? "the lab's supervisor did not start" : said)
        }
        let client = try ControlClient(lab: options.name)
        try client.call(.attach)
        return client
    }

    // Runs `ambit lab supervise` and returns what it says.
    private static func spawn(_ options: SupervisorOptions) throws(LabError) -> String {
        do throws(SystemError) {
            var ends: [Int32] = [-1, -1]
            try checked("pipe") { unsafe pipe(&ends) }
            let output = Descriptor(owning: ends[0])
            let input = Descriptor(owning: ends[1])
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            var command = Command(
                arguments: [ownPath, "lab", "supervise", "--name", options.name],
                environment: ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
            )
            if let binary = options.nodeBinary {
                command.arguments += ["--node-binary", binary]
            }
            if let binary = options.controllerBinary {
                command.arguments += ["--controller-binary", binary]
                command.arguments += ["--controllers", String(options.controllers)]
            }
            for flag in options.nodeFlags { command.arguments += ["--node-flag", flag] }
            if let authority = options.authority {
                command.arguments += ["--authority", authority]
            }
            command.output = input.raw
            command.error = STDERR_FILENO
            let process = try command.spawn()
            _ = consume input
            return try listen(to: process, on: output)
        } catch {
            throw LabError("cannot start the lab's supervisor", error)
        }
    }

    private static func listen(
        to process: Int32,
        on output: borrowing Descriptor
    ) throws(SystemError) -> String {
        var said: [UInt8] = []
        while waitToRead([output.raw], milliseconds: startTime),
            let part = try Calls.read(output.raw, room: 4096), !part.isEmpty
        {
            said += part
        }
        // The first process ends as soon as the lab's init is on its way.
        waitForChild(process)
        return String(decoding: said, as: UTF8.self)
    }

    /// Ends a lab and waits until nothing of it is left.
    package static func end(_ name: String) throws(LabError) {
        let client = try ControlClient(lab: name)
        try end(client)
    }

    /// Ends the lab of a connection and waits until nothing of it is left.
    package static func end(_ client: ControlClient) throws(LabError) {
        let supervisor: ProcessHandle
        do throws(SystemError) {
            supervisor = try ProcessHandle(client.supervisor)
        } catch {
            throw LabError("cannot find the lab's supervisor", error)
        }
        do throws(LabError) {
            try client.call(.down)
        } catch {
            // It may have ended before its answer was on the way.
        }
        guard supervisor.waitForEnd(milliseconds: startTime) else {
            throw LabError(.failed, "the lab's supervisor does not end")
        }
    }
}

/// The rule for names of labs.
enum LabName {
    static let rule = "at most 40 lower-case letters, digits and '-'"

    static func allows(_ name: String) -> Bool {
        (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D
            }
    }
}
