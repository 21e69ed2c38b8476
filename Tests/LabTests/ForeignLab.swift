import Foundation
import Synchronization

/// The shared lab with a root that the tests hold too, and pods for foreign peers.
///
/// Besides the pods of `SharedLab`: `guarded/far` on node-2, which is STRICT and lets only the
/// identity of `mesh/client` in; `plain/foreign` on node-1, outside the mesh but said to end HBONE
/// itself.
final class ForeignLab: Sendable {
    private static let started = Mutex<Result<ForeignLab, any Error>?>(nil)

    let lab: TestLab
    let certificates: Certificates

    private init() throws {
        certificates = try Certificates()
        lab = try TestLab(
            Self.manifest,
            flags: ["--authority", "\(certificates.folder)/root.pem"]
        )
    }

    /// The lab, started by the first test that asks and ended with the process.
    static func shared() throws -> ForeignLab {
        try started.withLock { held in
            if held == nil {
                held = Result { try ForeignLab() }
                atexit { ForeignLab.end() }
            }
            guard let held else { throw TestLab.Failure("no lab") }
            return try held.get()
        }
    }

    private static func end() {
        started.withLock { $0 = nil }
    }

    private static var manifest: String {
        """
        \(SharedLab.manifest)
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: guarded, labels: {ambit.dev/dataplane-mode: ambient}}
        \(SharedLab.pod("guarded", "far", "node-2", account: "far", runs: Programs.server))
        ---
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: default, namespace: guarded}
        spec: {mtls: {mode: STRICT}}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: only-client, namespace: guarded}
        spec:
          rules: [{from: [{source: {principals: ["cluster.local/ns/mesh/sa/client"]}}]}]
        \(SharedLab.pod(
            "plain",
            "foreign",
            "node-1",
            account: "foreign",
            labels: "networking.istio.io/tunnel: http",
            runs: Programs.server
        ))
        """
    }

    /// Runs a program behind `Programs.peer` in `plain/client` against port 15008 of a pod.
    func peer(_ pod: String, v6: Bool = false, _ program: String) throws -> TestLab.Outcome {
        let host = try lab.address(pod, v6: v6)
        return try lab.exec(
            "plain/client",
            ["python3", "-u", "-c", Programs.peer + program, certificates.folder, host]
        )
    }

    /// The words with which a node's access log explains its errors.
    func errors(_ node: String) throws -> [String] {
        try lab.access(node, "error=")
    }

    /// Waits for an error with the words, beyond those that were there before.
    func logged(_ node: String, beyond count: Int, _ words: String) throws {
        try lab.eventually("\(node) logged: \(words)") {
            try errors(node).dropFirst(count).contains { $0.contains(words) }
        }
    }
}
