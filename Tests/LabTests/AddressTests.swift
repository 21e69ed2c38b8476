import Foundation
import Testing

/// The names and addresses an application may dial.
@Suite struct `An application reaches a service` {
    private func greeting(_ lab: TestLab, _ host: String, _ port: Int) throws -> String {
        let done = try lab.python(
            "mesh/client",
            "print(connect('\(host)', \(port)).recv(100).decode().strip())"
        )
        return done.output + done.error
    }

    @Test(arguments: ["far", "far.mesh", "far.mesh.svc.cluster.local"])
    func `by each form of its name, through its virtual IP`(name: String) throws {
        let lab = try SharedLab.lab()
        #expect(try greeting(lab, name, 80) == "220 hello\n")
        try lab.eventually("the log names the service") {
            try !lab.access("node-1", "far.mesh.svc.cluster.local", "outbound").isEmpty
        }
    }

    @Test func `by a named target port`() throws {
        let lab = try SharedLab.lab()
        let done = try lab.python("mesh/client", "print(read(connect('far', 81)).decode())")
        let own = try lab.address("mesh/client")
        #expect(done.output.contains(own), "\(done.error)")
    }

    @Test func `that is headless, by the addresses of its pods`() throws {
        let lab = try SharedLab.lab()
        #expect(try greeting(lab, "headless", 7001) == "220 hello\n")
    }

    @Test func `that it is itself, by virtual IP and by its own address`() throws {
        let lab = try SharedLab.lab()
        let server = try lab.run("mesh/client", ["python3", "-u", "-c", Programs.server])
        try lab.eventually("the client serves too") { server.outputSoFar.contains("serving") }
        #expect(try greeting(lab, "client.mesh", 80) == "220 hello\n")
        #expect(try greeting(lab, lab.address("mesh/client"), 7001) == "220 hello\n")
        #expect(try greeting(lab, "127.0.0.1", 7001) == "220 hello\n")
        server.stop()
    }

    @Test func `never through a port the service does not have`() throws {
        let lab = try SharedLab.lab()
        let done = try lab.python(
            "mesh/client",
            """
            try:
                print(connect('far', 82).recv(10))
            except OSError as error:
                print(type(error).__name__)
            """
        )
        #expect(done.output == "ConnectionResetError\n", "\(done.error)")
    }

    @Test func `by DNS of every kind`() throws {
        let lab = try SharedLab.lab()
        func dig(_ arguments: String) throws -> String {
            try lab.shell("mesh/client", "dig +time=3 +tries=2 \(arguments)").output
        }
        let virtual = try dig("+short far.mesh.svc.cluster.local")
        #expect(virtual.hasPrefix("10."))
        #expect(try dig("+tcp +short far.mesh.svc.cluster.local") == virtual)
        #expect(
            try dig("+short headless.mesh.svc.cluster.local").contains(lab.address("mesh/far"))
        )
        #expect(try dig("AAAA far.mesh.svc.cluster.local").contains("status: NOERROR"))
        #expect(try dig("nothing.mesh.svc.cluster.local").contains("status: NXDOMAIN"))
        #expect(
            try dig("+short SRV _greet._tcp.far.mesh.svc.cluster.local").contains(" 80 far.mesh")
        )
    }
}
