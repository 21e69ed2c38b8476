internal import Bench
internal import Foundation

/// What a result depends on besides the programs measured.
struct Surroundings {
    let files: ProgramFiles

    /// The machine this runs on.
    func machine() -> ResultFile.Machine {
        let model = ProcessFiles.text("/proc/cpuinfo")?.split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":").last
        let release = ProcessFiles.text("/proc/sys/kernel/osrelease") ?? "unknown"
        return ResultFile.Machine(
            cores: ProcessInfo.processInfo.activeProcessorCount,
            model: model.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown",
            memoryGigabytes: (Double(ProcessInfo.processInfo.physicalMemory) / 1e9).rounded(),
            kernel: release.trimmingCharacters(in: .whitespacesAndNewlines)
        )
    }

    /// The versions of all that takes part, each as the program tells it.
    func versions() -> [String: String] {
        let commands: [(String, [String])] = [
            ("Envoy", [files.envoy, "--version"]), ("iperf3", ["iperf3", "--version"]),
            ("wrk", ["sh", "-c", "wrk -v || true"]), ("h2load", ["h2load", "--version"]),
            ("nginx", ["sh", "-c", "nginx -v 2>&1"]), ("curl", ["curl", "--version"]),
            ("Swift", ["swift", "--version"]),
            ("Ambit", ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"]),
            ("OpenSSL of the image", imagePackage("libssl3t64")),
        ]
        var found: [String: String] = [:]
        for (name, command) in commands {
            guard let said = try? Program.run(command, name: "version", in: files.folder) else {
                continue
            }
            let text = String(decoding: said, as: UTF8.self)
            found[name] = Self.version(in: text)
        }
        return found
    }

    private func imagePackage(_ name: String) -> [String] {
        [
            "dpkg-query", "--admindir=\(files.imageRoot)/var/lib/dpkg", "-W", "-f", "${Version}",
            name,
        ]
    }

    // The first word with a digit and a dot, or the last word of the first line.
    private static func version(in text: String) -> String? {
        let words = text.split { $0 == " " || $0 == "\n" || $0 == "/" || $0 == "," }
        let number = words.first { $0.contains(".") && $0.contains(where: \.isNumber) }
        return (number ?? words.last).map(String.init)
    }
}
