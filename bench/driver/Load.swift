internal import Bench
internal import Foundation

/// What a load did: how much work, of which kind, and the figures its generator gave.
struct LoadResult {
    enum Work {
        case gigabytes(Double)
        case requests(Double)
        case connections(Double)
        /// Of several kinds at once, of which none has a price.
        case mixed
    }

    var work: Work
    var figures: [Figure: Double]
}

/// The load generators, run in a client's pod.
struct Load {
    let folder: URL
    let seconds: Int

    /// Puts one kind of load on a contender, to its end.
    func run(_ metric: Metric, on contender: any Contender) throws -> LoadResult {
        switch metric {
        case .throughput1, .sameNode: try throughput(contender, connections: 1)
        case .throughput8: try throughput(contender, connections: 8)
        case .requests1: try requests(contender, connections: 1)
        case .requests16: try requests(contender, connections: 16)
        case .requests64: try requests(contender, connections: 64)
        case .rate2000: try rate(contender)
        case .besideBulk: try besideBulk(contender)
        case .connections: try connections(contender)
        case .memory, .node50, .burst, .mesh10, .mesh1000, .mesh100000, .policies1000, .idle250:
            throw BenchFailure("\(metric.rawValue) is no load")
        }
    }

    /// Makes a contender ready to be measured: its tunnels are up and its code is in memory.
    func warmUp(_ contender: any Contender) throws {
        let url = url(contender)
        _ = try run(["wrk", "-t", "1", "-c", "16", "-d", "1", url], on: contender)
        if !contender.isHTTPOnly {
            _ = try iperf(contender, ["-n", "512M", "-P", "1"])
        }
    }

    /// Whether a request goes through.
    func answers(_ contender: any Contender) -> Bool {
        let curl = ["curl", "-sf", "-m", "2", "-o", "/dev/null", url(contender)]
        return (try? run(curl, on: contender)) != nil
    }

    func url(_ contender: any Contender, _ path: String = "/") -> String {
        "http://" + contender.target(ServerPort.http) + path
    }

    private func run(_ arguments: [String], on contender: any Contender) throws -> Data {
        let limited = ["timeout", "-k", "1", "\(seconds + 20)"] + arguments
        return try Program.run(
            contender.client.command(limited),
            name: "\(arguments[0])-\(contender.name.rawValue)",
            in: folder
        )
    }

    private func throughput(_ contender: any Contender, connections: Int) throws -> LoadResult {
        if contender.isHTTPOnly { return try download(contender, connections: connections) }
        let report = try iperf(contender, ["-t", "\(seconds)", "-P", "\(connections)"])
        return LoadResult(
            work: .gigabytes(report.bytes / 1e9),
            figures: [.gigabitsPerSecond: report.bitsPerSecond / 1e9]
        )
    }

    private func iperf(_ contender: any Contender, _ extent: [String]) throws -> IperfReport {
        let parts = contender.target(ServerPort.iperf).split(separator: ":").map(String.init)
        let arguments = ["iperf3", "-J", "-c", parts[0], "-p", parts[1]] + extent
        var report: IperfReport?
        var last = ""
        // The server takes one test at a time, and says so while it ends the one before.
        try Waiting.until("iperf3 to \(contender.name.rawValue): \(last)", within: 10) {
            do {
                report = try IperfReport(try run(arguments, on: contender))
            } catch {
                last = "\(error)"
                guard last.contains("busy") || last.contains("refused") else { throw error }
            }
            return report != nil
        }
        guard let report else { throw BenchFailure("iperf3 gave no report") }
        return report
    }

    // What carries HTTP only is given files to carry, one after the other on each connection.
    private func download(_ contender: any Contender, connections: Int) throws -> LoadResult {
        let text = try run(
            [
                // The time is up, which ends it with 124, and each file is told when it is there.
                "sh", "-c", "timeout \(seconds) stdbuf -oL \"$@\" || [ $? = 124 ]", "download",
                "curl", "-s", "-Z", "--parallel-immediate", "--parallel-max", "\(connections)",
                "-o", "/dev/null", "-w", "%{size_download} %{http_code}\\n",
                url(contender, "/large?[1-1000000]"),
            ],
            on: contender
        )
        let bytes = String(decoding: text, as: UTF8.self).split(separator: "\n").reduce(0.0) {
            let words = $1.split(separator: " ")
            return words.last == "200" ? $0 + (Double(words[0]) ?? 0) : $0
        }
        guard bytes > 0 else { throw BenchFailure("curl fetched nothing") }
        return LoadResult(
            work: .gigabytes(bytes / 1e9),
            figures: [.gigabitsPerSecond: bytes * 8 / Double(seconds) / 1e9]
        )
    }

    private func wrk(
        _ contender: any Contender,
        connections: Int,
        _ more: [String] = []
    ) throws -> WrkReport {
        let arguments =
            ["wrk", "--latency", "-t", "\(min(connections, 2))", "-c", "\(connections)"]
            + ["-d", "\(seconds)"] + more + [url(contender)]
        let text = String(decoding: try run(arguments, on: contender), as: UTF8.self)
        return try WrkReport(text)
    }

    private func requests(_ contender: any Contender, connections: Int) throws -> LoadResult {
        let report = try wrk(contender, connections: connections)
        return LoadResult(
            work: .requests(report.requests),
            figures: [
                .requestsPerSecond: report.requestsPerSecond,
                .p50Microseconds: report.p50Microseconds,
                .p99Microseconds: report.p99Microseconds, .errors: report.errors,
            ]
        )
    }

    private func connections(_ contender: any Contender) throws -> LoadResult {
        let report = try wrk(contender, connections: 16, ["-H", "Connection: close"])
        return LoadResult(
            work: .connections(report.requests),
            figures: [
                .connectionsPerSecond: report.requestsPerSecond,
                .p50Microseconds: report.p50Microseconds,
                .p99Microseconds: report.p99Microseconds, .errors: report.errors,
            ]
        )
    }

    func rate(_ contender: any Contender) throws -> LoadResult {
        let log = folder.appending(path: "h2load.log")
        try? FileManager.default.removeItem(at: log)
        let connections = 16
        let perConnection = 2000 / connections
        _ = try run(
            [
                "h2load", "--h1", "-t", "1", "-c", "\(connections)", "--rps", "\(perConnection)",
                "-D", "\(seconds)", "--log-file", log.path, url(contender),
            ],
            on: contender
        )
        let text = try String(contentsOf: log, encoding: .utf8)
        let requests = RequestLog(text)
        guard let p50 = Medians.percentile(0.5, of: requests.microseconds),
            let p99 = Medians.percentile(0.99, of: requests.microseconds)
        else { throw BenchFailure("h2load logged no request") }
        let count = Double(requests.microseconds.count)
        return LoadResult(
            work: .requests(count),
            figures: [
                .requestsPerSecond: count / Double(seconds), .p50Microseconds: p50,
                .p99Microseconds: p99, .errors: Double(requests.errors),
            ]
        )
    }
}
