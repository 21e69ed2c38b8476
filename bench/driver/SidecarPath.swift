internal import Bench
internal import Foundation

/// An Envoy in each pod, which the pods' traffic is redirected to as Istio's init container does.
final class SidecarPath: Contender {
    let name: ContenderName
    let client: Place
    let server: Place
    private let programs: [Program]

    var processes: [Int32] { programs.map(\.pid) }
    var isHTTPOnly: Bool { name == .envoyL7 }

    /// The user Istio runs its proxy as, by which the rules know it.
    static let user = 1337

    init(
        _ name: ContenderName,
        _ client: Place,
        _ server: Place,
        _ certificates: Certificates,
        _ files: ProgramFiles
    ) throws {
        self.name = name
        self.client = client
        self.server = server
        let form = try EnvoyConfiguration(name, certificates, server: server.address)
        programs = [
            try Self.start(server, form.server, files), try Self.start(client, form.client, files),
        ]
    }

    func stop() { programs.forEach { $0.stop() } }

    /// Sets a pod's rules and starts its Envoy.
    static func start(
        _ place: Place,
        _ configuration: [String: Any],
        _ files: ProgramFiles
    ) throws -> Program {
        let rules = files.folder.appending(path: "redirect.nft")
        try Data(redirectRules.utf8).write(to: rules)
        try Program.run(place.command(["nft", "-f", rules.path]), name: "nft", in: files.folder)
        let file = files.folder.appending(path: "\(place.name).json")
        try JSONSerialization.data(withJSONObject: configuration, options: .prettyPrinted)
            .write(to: file)
        return try Program(
            place.command([
                "setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", files.envoy,
                "-c", file.path, "--concurrency", "2", "--disable-hot-restart", "-l", "error",
            ]),
            name: "envoy-\(place.name)",
            in: files.folder
        )
    }

    /// What `istio-iptables` sets in REDIRECT mode, in the same order.
    private static let redirectRules = """
        table ip nat {
          chain ISTIO_REDIRECT { meta l4proto tcp redirect to :15001; }
          chain ISTIO_IN_REDIRECT { meta l4proto tcp redirect to :15006; }
          chain ISTIO_INBOUND {
            tcp dport 15008 return
            tcp dport { 15090, 15021, 15020 } return
            meta l4proto tcp jump ISTIO_IN_REDIRECT
          }
          chain ISTIO_OUTPUT {
            oifname "lo" ip saddr 127.0.0.6 return
            oifname "lo" ip daddr != 127.0.0.1 tcp dport != 15008 meta skuid \(user) \\
              jump ISTIO_IN_REDIRECT
            oifname "lo" meta skuid != \(user) return
            meta skuid \(user) return
            oifname "lo" ip daddr != 127.0.0.1 meta skgid \(user) jump ISTIO_IN_REDIRECT
            oifname "lo" meta skgid != \(user) return
            meta skgid \(user) return
            ip daddr 127.0.0.1 return
            jump ISTIO_REDIRECT
          }
          chain PREROUTING {
            type nat hook prerouting priority dstnat;
            meta l4proto tcp jump ISTIO_INBOUND
          }
          chain OUTPUT {
            type nat hook output priority -100;
            meta l4proto tcp jump ISTIO_OUTPUT
          }
        }

        """
}
