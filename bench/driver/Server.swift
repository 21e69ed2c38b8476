internal import Foundation

/// What a server pod serves: nginx with a small answer, and iperf3.
final class Server {
    private let programs: [Program]

    /// What a download is made of: small beside what a second carries, so that the file which the
    /// end of the measurement cuts off does not count for much.
    static let fileBytes = 16 << 20

    init(at place: Place, in folder: URL) throws {
        let large = folder.appending(path: "large")
        if !FileManager.default.fileExists(atPath: large.path) {
            try Data(count: Self.fileBytes).write(to: large)
        }
        let file = folder.appending(path: "nginx-\(place.name).conf")
        try Data(Self.nginx(place, folder).utf8).write(to: file)
        programs = [
            try Program(
                place.command(["nginx", "-c", file.path, "-e", "stderr"]),
                name: "nginx-\(place.name)",
                in: folder
            ),
            try Program(
                place.command(["iperf3", "-s", "-p", "\(ServerPort.iperf)"]),
                name: "iperf3-\(place.name)",
                in: folder
            ),
        ]
    }

    func stop() { programs.forEach { $0.stop() } }

    private static func nginx(_ place: Place, _ folder: URL) -> String {
        """
        daemon off;
        user root;
        worker_processes 2;
        worker_rlimit_nofile 65536;
        pid \(folder.path)/nginx-\(place.name).pid;
        error_log stderr crit;
        events { worker_connections 16384; }
        http {
            access_log off;
            keepalive_requests 1000000000;
            keepalive_timeout 1h;
            sendfile on;
            tcp_nodelay on;
            server {
                listen \(ServerPort.http) backlog=4096;
                location / {
                    default_type text/plain;
                    return 200 "A small answer, as a service gives it.\\n";
                }
                location /large { root \(folder.path); }
            }
        }

        """
    }
}
