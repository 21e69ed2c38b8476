internal import Bench
internal import Foundation

/// A way from the client's pod to the server's.
protocol Contender: AnyObject {
    var name: ContenderName { get }
    var client: Place { get }
    var server: Place { get }
    /// The proxies on the way, both ends.
    var processes: [Int32] { get }
    /// Whether it carries HTTP only.
    var isHTTPOnly: Bool { get }
    /// Where the client connects to reach a port of the server.
    func target(_ port: UInt16) -> String
    func stop()
}

extension Contender {
    var isHTTPOnly: Bool { false }
    func target(_ port: UInt16) -> String { server.address + ":\(port)" }
    func stop() {}
}

/// Ports of every server pod.
enum ServerPort {
    static let http: UInt16 = 8080
    static let iperf: UInt16 = 5201
    static let all = [http, iperf]
}

/// Nothing on the way but the network.
final class DirectPath: Contender {
    let name = ContenderName.none
    let client: Place
    let server: Place
    let processes: [Int32] = []

    init(_ client: Place, _ server: Place) {
        self.client = client
        self.server = server
    }
}

/// Ambit: the pods are enrolled, and the two nodes' proxies carry them.
final class MeshPath: Contender {
    let name: ContenderName
    let client: Place
    let server: Place
    let processes: [Int32]

    init(_ name: ContenderName, _ client: Place, _ server: Place, _ processes: [Int32]) {
        self.name = name
        self.client = client
        self.server = server
        self.processes = processes
    }
}

/// Plain relays in both pods, to which the client connects by itself; or one, in the client's.
final class RelayPath: Contender {
    let name: ContenderName
    let client: Place
    let server: Place
    private let programs: [Program]

    var processes: [Int32] { programs.map(\.pid) }

    init(
        _ name: ContenderName,
        _ client: Place,
        _ server: Place,
        isPair: Bool,
        _ files: ProgramFiles
    ) throws {
        self.name = name
        self.client = client
        self.server = server
        func relay(_ place: Place, _ routes: [String]) throws -> Program {
            try Program(
                place.command([files.relay, name.rawValue] + routes),
                name: "relay-\(place.name)",
                in: files.folder
            )
        }
        var programs: [Program] = []
        if isPair {
            let near = ServerPort.all.map { "\(Self.relayed($0))=127.0.0.1:\($0)" }
            programs.append(try relay(server, near))
        }
        let onward = ServerPort.all.map { port in
            "\(Self.relayed(port))=\(server.address):\(isPair ? Self.relayed(port) : port)"
        }
        programs.append(try relay(client, onward))
        self.programs = programs
    }

    func target(_ port: UInt16) -> String { client.address + ":\(Self.relayed(port))" }

    func stop() { programs.forEach { $0.stop() } }

    private static func relayed(_ port: UInt16) -> UInt16 { port + 10_000 }
}
