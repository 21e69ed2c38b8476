internal import CLinux
internal import Glibc
internal import Reactor

/// A command to run, and where.
struct Command {
    /// The program, looked up in the environment's PATH unless it has a slash, and its arguments.
    var arguments: [String]
    /// `NAME=VALUE` entries.
    var environment: [String]
    var directory = "/"
    /// Borrowed for the call; -1 is /dev/null.
    var input: Int32 = -1
    var output: Int32 = -1
    var error: Int32 = -1
    /// Namespaces to join, borrowed for the call; -1 is the supervisor's.
    var network: Int32 = -1
    var mount: Int32 = -1
    var hostname: Int32 = -1

    /// Starts the process as leader of its own session and group; its id, to be reaped.
    func spawn() throws(SystemError) -> Int32 {
        guard let file = arguments.first else {
            throw SystemError(call: "exec", code: EINVAL)
        }
        var step: UnsafePointer<CChar>?
        var code: Int32 = 0
        let pid = unsafe withCStrings(arguments) { argv in
            unsafe withCStrings(environment) { envp in
                unsafe file.withCString { file in
                    unsafe directory.withCString { directory in
                        var command = unsafe ambit_command(
                            file: file,
                            argv: argv,
                            envp: envp,
                            directory: directory,
                            input: input,
                            output: output,
                            error: error,
                            network: network,
                            mount: mount,
                            hostname: hostname,
                            open_files: 0
                        )
                        let pid = unsafe ambit_spawn(&command, &step)
                        code = errno
                        return pid
                    }
                }
            }
        }
        guard pid >= 0 else {
            let name = unsafe step.map { unsafe String(cString: $0) } ?? "spawn"
            throw SystemError(call: name == "exec" ? "exec \(file)" : name, code: code)
        }
        return pid
    }
}

/// Calls `body` with a null-ended array of C strings that live as long as the call.
func withCStrings<T>(
    _ strings: [String],
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> T
) -> T {
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("an empty array") }
        return unsafe body(base)
    }
}
