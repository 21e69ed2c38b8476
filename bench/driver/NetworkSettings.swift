internal import Foundation

/// Kernel settings that every network namespace of the benchmark has alike.
enum NetworkSettings {
    /// Sets them in a namespace and reads back that they hold.
    static func apply(_ network: String, congestion: String, _ folder: URL) throws {
        // Many connections a second from one address need many ports.
        let script = """
            cd /proc/sys/net/ipv4
            echo \(congestion) > tcp_congestion_control || {
                echo 'this machine does not let its namespaces have \(congestion)' >&2
                exit 1
            }
            echo 1024 65535 > ip_local_port_range
            cat tcp_congestion_control
            """
        let said = try Program.run(
            ["nsenter", "--net=\(network)", "sh", "-c", script],
            name: "settings",
            in: folder
        )
        let found = String(decoding: said, as: UTF8.self).split(separator: "\n").first ?? ""
        guard found == congestion else {
            throw BenchFailure("congestion control is \(found), not \(congestion), in \(network)")
        }
    }
}
