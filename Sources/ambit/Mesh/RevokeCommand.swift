internal import ArgumentParser
internal import Glibc
internal import Kubernetes
internal import Lab
internal import Terminal

/// `ambit revoke`.
struct RevokeInClusterCommand: MeshCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke certificates, and reset the connections that stand on them.",
        discussion: """
            For the mesh's own authority: one that you brought revokes by its own list, \
            ca-crl.pem. A certificate is named by its serial number, as ambit certs shows it, or \
            by a pod, NAMESPACE/NAME, whose node then asks for another one with a new key. The \
            pods of one service account on one node share a certificate. With --lab, the lab's own \
            authority revokes.
            """
    )

    @Argument(help: "Serial numbers in hexadecimal, or pods as NAMESPACE/NAME.")
    var certificates: [String]

    @OptionGroup var nodes: NodeChoice

    func validate() throws {
        for name in certificates where !name.contains("/") {
            guard Self.serial(name) != nil else {
                throw ValidationError("\(name) is neither a serial number nor NAMESPACE/NAME")
            }
        }
    }

    func run() async throws {
        let serials = try await serials()
        // Nodes drop what is revoked within seconds: they are asked before.
        let unknown = await unknown()
        if let lab = nodes.lab {
            try LabLauncher.check(name: lab)
            try ControlClient(lab: lab).call(.revoke(serials: serials))
            write("Revoked: ambit certs --lab \(lab) shows it.\n", to: STDOUT_FILENO)
        } else {
            try await annotate(serials)
            write(
                "Revoked: the controller tells all nodes within seconds; ambit certs shows it.\n",
                to: STDOUT_FILENO
            )
        }
        for serial in unknown {
            tell("ambit: warning: no node that answers has a certificate \(serial) now")
        }
    }

    private func annotate(_ serials: [String]) async throws {
        var annotations: Value = [:]
        for serial in serials {
            annotations["ambit.dev/revoke-\(serial.lowercased())"] = "cli"
        }
        _ = try await nodes.cluster.connect().patch(
            ObjectReference(.secrets, namespace: Installation.namespace, name: "ambit-ca"),
            subresource: "",
            with: ["metadata": ["annotations": annotations]]
        )
    }

    /// The serial numbers given that no node shows; a node that does not answer keeps nobody from
    /// revoking.
    private func unknown() async -> [String] {
        var missing = certificates.compactMap(Self.serial)
        guard !missing.isEmpty, let sources = try? await nodes.all() else { return missing }
        for source in sources where !missing.isEmpty {
            guard let dump = try? await source.dump() else { continue }
            let shown = Set(dump.certificates.map { Self.comparable($0.serial) })
            missing.removeAll { shown.contains(Self.comparable($0)) }
        }
        return missing
    }

    /// Leading zeros and case say nothing.
    private static func comparable(_ serial: String) -> String {
        String(serial.uppercased().drop { $0 == "0" })
    }

    private func serials() async throws -> [String] {
        let pods = certificates.filter { $0.contains("/") }
        var found = certificates.compactMap(Self.serial)
        guard !pods.isEmpty else { return found }
        var dumps: [NodeDump] = []
        for source in try await nodes.all() { dumps.append(try await source.dump()) }
        for pod in pods {
            let parts = pod.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw ReachError(.usage, "\(pod) is no NAMESPACE/NAME") }
            let serial = dumps.lazy.compactMap {
                $0.serial(namespace: String(parts[0]), pod: String(parts[1]))
            }.first
            guard let serial else {
                throw ReachError(.failed, "no node has a certificate for the pod \(pod)")
            }
            found.append(serial)
        }
        return found
    }

    /// The digits alone; nil for what is no serial number.
    private static func serial(_ text: String) -> String? {
        let digits = text.filter { $0 != ":" }
        guard (1...40).contains(digits.count), digits.allSatisfy(\.isHexDigit) else { return nil }
        return digits
    }
}
