internal import Bench
internal import Foundation

/// Everything that is set up before the first measurement: labs, servers, contenders.
final class Stage {
    private let testbeds: [Testbed]
    private let servers: [Server]
    /// Across two nodes, in the order of contenders.
    let contenders: [any Contender]
    /// On one node.
    let sameNode: [any Contender]
    /// The congestion control that every network namespace was found to have.
    let congestion: String

    /// Who is measured on one node.
    private static let sameNodeNames: [ContenderName] = [.none, .splice, .ambit, .ambitB]

    init(_ plan: Plan, _ files: ProgramFiles) throws {
        congestion = plan.congestion
        var builder = Builder(plan, files)
        try builder.build()
        testbeds = builder.testbeds
        servers = builder.servers
        contenders = builder.contenders
        sameNode = builder.sameNode
        let load = Load(folder: files.folder, seconds: 1)
        for contender in contenders + sameNode {
            try Waiting.until("an answer through \(contender.name.title)") {
                load.answers(contender)
            }
        }
    }

    /// Ends everything.
    func end() {
        (contenders + sameNode).forEach { $0.stop() }
        servers.forEach { $0.stop() }
        testbeds.forEach { $0.down() }
    }

    private struct Builder {
        let plan: Plan
        let files: ProgramFiles
        var testbeds: [Testbed] = []
        var servers: [Server] = []
        var contenders: [any Contender] = []
        var sameNode: [any Contender] = []

        init(_ plan: Plan, _ files: ProgramFiles) {
            self.plan = plan
            self.files = files
        }

        mutating func build() throws {
            let here = plan.contenders.filter { $0 != .ambitB }
            try build("bench", here, files.ambitNode)
            if let other = plan.otherNode, plan.contenders.contains(.ambitB) {
                try build("bench-b", [.ambitB], other)
            }
        }

        private mutating func build(
            _ lab: String,
            _ names: [ContenderName],
            _ nodeBinary: String
        ) throws {
            let script = try files.nodeScript("\(lab)-node", running: nodeBinary)
            let near =
                plan.metrics.contains(.sameNode)
                ? names.filter(Stage.sameNodeNames.contains) : []
            let manifest = Manifest.pairs(names, near: near)
            let testbed = try Testbed(lab, manifest: manifest, nodeBinary: script, files)
            testbeds.append(testbed)
            let places = try testbed.places()
            let nodes = try testbed.nodeProcesses()
            try testbed.applySettings(congestion: plan.congestion)
            let certificates = try Certificates(in: files)
            func place(_ name: String) throws -> Place {
                guard let place = places[name] else { throw BenchFailure("no pod \(name)") }
                return place
            }
            for name in names {
                let client = try place("\(name.rawValue)-client")
                let server = try place("\(name.rawValue)-server")
                servers.append(try Server(at: server, in: files.folder))
                let made: any Contender
                switch name {
                case .none: made = DirectPath(client, server)
                case .splice, .copy:
                    made = try RelayPath(name, client, server, isPair: true, files)
                case .ambit, .ambitB: made = MeshPath(name, client, server, Array(nodes.values))
                case .envoyL4, .envoyL7, .envoyHBONE:
                    made = try SidecarPath(name, client, server, certificates, files)
                }
                contenders.append(made)
            }
            for name in near {
                let client = try place("\(name.rawValue)-near-client")
                let server = try place("\(name.rawValue)-near-server")
                servers.append(try Server(at: server, in: files.folder))
                let made: any Contender
                switch name {
                case .splice: made = try RelayPath(name, client, server, isPair: false, files)
                case .ambit, .ambitB:
                    let own = nodes.filter { $0.key == Manifest.clientNode }
                    made = MeshPath(name, client, server, Array(own.values))
                default: made = DirectPath(client, server)
                }
                sameNode.append(made)
            }
        }
    }
}
