internal import Foundation

/// The programs the benchmark runs, and the folder for what it writes on the way.
struct ProgramFiles {
    /// Goes with the benchmark.
    let folder: URL
    let ambit: String
    let ambitNode: String
    let relay: String
    let envoy: String
    /// The release image's root, in which `ambit-node` runs.
    let imageRoot: String
    /// Where the Swift runtime lies that a program not linked statically needs; else empty.
    let runtime: String
    /// The `/proc` that shows all of the machine.
    let hostProcesses: String

    init(ambitNode: String?) throws {
        let environment = ProcessInfo.processInfo.environment
        func named(_ variable: String) throws -> String {
            guard let path = environment[variable] else {
                throw BenchFailure("\(variable) is not set: start this with bench/run")
            }
            return path
        }
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let programs = own.deletingLastPathComponent()
        ambit = programs.appending(path: "ambit").path
        relay = programs.appending(path: "ambit-relay").path
        self.ambitNode = ambitNode ?? programs.appending(path: "ambit-node").path
        envoy = try named("AMBIT_ENVOY")
        imageRoot = try named("AMBIT_IMAGE_ROOT")
        runtime = environment["AMBIT_RUNTIME"] ?? ""
        hostProcesses = try named("AMBIT_HOST_PROC")
        folder = URL(fileURLWithPath: try named("AMBIT_BENCH_FOLDER"))
        for program in [ambit, relay, self.ambitNode, envoy]
        where !FileManager.default.isExecutableFile(atPath: program) {
            throw BenchFailure("there is no program \(program)")
        }
    }

    /// A script that runs a node program in the release image's root, under the id it is started
    /// with.
    ///
    /// What it mounts is seen by that process only. `/dev` has the lab's state, `/proc` the pods'
    /// namespaces. With a folder, the node reads the mesh from the file `mesh.json` in it instead
    /// of the lab's.
    func nodeScript(
        _ name: String,
        running program: String,
        meshFolder: URL? = nil
    ) throws -> String {
        let library =
            runtime.isEmpty
            ? ""
            : """
            mkdir -p \(imageRoot)\(runtime)
            mount --bind \(runtime) \(imageRoot)\(runtime)

            """
        let mesh = meshFolder.map { "mount --bind \($0.path) \(imageRoot)/mnt" } ?? ""
        let flag = meshFolder == nil ? "" : " --mesh-state=/mnt/mesh.json"
        let mounts = """
            set -e
            \(library)
            \(mesh)
            for part in proc dev sys; do mount --rbind /$part \(imageRoot)/$part; done
            mount --bind \(program) \(imageRoot)/usr/bin/ambit-node
            exec chroot \(imageRoot) /usr/bin/ambit-node "$@"\(flag)
            """
        let file = folder.appending(path: "\(name).mounts")
        try Data(mounts.utf8).write(to: file)
        let script = folder.appending(path: name)
        let text = "#!/bin/sh\nexec unshare --mount sh \(file.path) \"$@\"\n"
        try Data(text.utf8).write(to: script)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755],
            ofItemAtPath: script.path
        )
        return script.path
    }
}
