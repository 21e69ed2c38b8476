internal import Bench
internal import Foundation

/// One pair of pods in meshes of different sizes: what a connection does not touch.
///
/// The nodes read a state that the benchmark writes, and the sizes take turns in one lab, so that
/// nothing else differs: the same pods, tunnels and processes.
struct MeshSizes {
    let plan: Plan
    let files: ProgramFiles

    private static let sizes: [Metric: (workloads: Int, policies: Int)] = [
        .mesh10: (10, 1), .mesh1000: (1000, 1), .mesh100000: (100_000, 1),
        .policies1000: (10, 1000),
    ]
    /// How long the largest state may take to be taken in.
    private static let adoptionSecondsMax = 300.0

    /// Builds the lab, measures all sizes in turn and ends it.
    func measure() throws -> [Sample] {
        let folder = files.folder.appending(path: "mesh")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let state = folder.appending(path: "mesh.json")
        try Data("{}".utf8).write(to: state)
        let script = try files.nodeScript(
            "mesh-node",
            running: files.ambitNode,
            meshFolder: folder
        )
        let testbed = try Testbed(
            "bench-mesh",
            manifest: Manifest.pairs([.ambit], near: []),
            nodeBinary: script,
            files
        )
        defer { testbed.down() }
        try testbed.applySettings(congestion: plan.congestion)
        let places = try testbed.places()
        guard let client = places["ambit-client"], let server = places["ambit-server"] else {
            throw BenchFailure("the lab has no pair of pods")
        }
        let programs = try Server(at: server, in: files.folder)
        defer { programs.stop() }
        let path = MeshPath(.ambit, client, server, Array(try testbed.nodeProcesses().values))
        return try measure(path, testbed, state)
    }

    private func measure(
        _ path: MeshPath,
        _ testbed: Testbed,
        _ state: URL
    ) throws -> [Sample] {
        let load = Load(folder: files.folder, seconds: plan.seconds)
        let meter = Meter(load: load, hostProcesses: files.hostProcesses)
        let metrics = plan.metrics.filter { $0.scene == .meshSizes }
        var samples: [Sample] = []
        for round in 1...plan.rounds {
            // There and back, so that what drifts is the same for all.
            for metric in metrics + metrics.reversed() {
                try adopt(metric, path, testbed, state)
                try load.warmUp(path)
                for kind in [Metric.requests16, .connections] {
                    var sample = try meter.measure(path, metric, round: round, load: kind)
                    if kind == .connections { sample.forgetLatency() }
                    samples.append(sample)
                    Rounds.tell(sample, of: plan)
                }
            }
        }
        return samples
    }

    /// Gives the nodes a state of the metric's size, and waits until they serve by it.
    private func adopt(
        _ metric: Metric,
        _ path: MeshPath,
        _ testbed: Testbed,
        _ file: URL
    ) throws {
        guard let size = Self.sizes[metric] else {
            throw BenchFailure("\(metric.rawValue) is no size of a mesh")
        }
        let mesh = try MeshCrowd(
            workloads: size.workloads,
            policies: size.policies,
            around: testbed.meshPods
        )
        let before = try path.processes.map(acceptedStates)
        try mesh.json().write(to: file, options: .atomic)
        // A state equal to the one held is not taken in again; the others are never equal.
        try Waiting.until("the nodes take \(metric.title)", within: Self.adoptionSecondsMax) {
            try zip(path.processes, before).allSatisfy { try acceptedStates($0) > $1 }
        }
        let load = Load(folder: files.folder, seconds: 1)
        try Waiting.until("an answer in \(metric.title)") { load.answers(path) }
        try Rest.wait(for: path.processes)
    }

    /// How many states a node has accepted, by its own count.
    private func acceptedStates(_ process: Int32) throws -> Double {
        let text = try Program.run(
            [
                "nsenter", "--net=/proc/\(process)/ns/net", "curl", "-sf", "-m", "10",
                "http://127.0.0.1:15020/metrics",
            ],
            name: "metrics",
            in: files.folder
        )
        let line = String(decoding: text, as: UTF8.self).split(separator: "\n").first {
            $0.hasPrefix("ambit_mesh_states_total{") && $0.contains("\"accepted\"")
        }
        return line?.split(separator: " ").last.flatMap { Double($0) } ?? 0
    }
}
