/// `unsafe` and C stay where they are reviewed as such (STYLE 21).
enum UnsafeRule {
    /// Beginnings of paths that may say `unsafe` or import C.
    static let allowed = [
        "Sources/Reactor/", "Sources/Netlink/", "Sources/TLS/", "Sources/Capture/",
        "Sources/HTTP/HPACK",
        // The relay's byte loop: buffers go between socket, TLS and HTTP without a copy.
        "Sources/Tunnel/",
        // The lab's system calls: processes, terminals, sockets of its own.
        "Sources/Lab/Client/", "Sources/Lab/Network/", "Sources/Lab/Supervisor/",
        "Sources/Lab/System/",
        // A relay's buffer, for the benchmark's floor.
        "bench/relay/",
        // The log's thread and the kernel's numbers about this process.
        "Sources/Telemetry/LogWriter.swift", "Sources/Telemetry/ProcessStatistics.swift",
    ]

    private static let words = ["unsafe", "@unsafe", "Unmanaged", "OpaquePointer"]

    static func findings(in file: SourceFile) -> [Finding] {
        guard file.isSwift, file.module != nil, !allowed.contains(where: file.path.hasPrefix) else {
            return []
        }
        return file.code.enumerated().flatMap { index, line in
            let tokens = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "@" }
            return tokens.compactMap { token -> Finding? in
                guard words.contains(String(token)) || token.hasPrefix("Unsafe") else { return nil }
                return file.finding(
                    index + 1,
                    "`\(token)` outside the fence (Tests/TidyTests/Rules/UnsafeRule.swift)"
                )
            }
        }
    }
}
