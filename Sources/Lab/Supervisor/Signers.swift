internal import Foundation
internal import Identity
internal import Mesh
internal import Reactor
internal import Synchronization
internal import TLS

/// The lab's certificate authority, with a socket for each node.
///
/// A node gets certificates for the identities of its own pods only, as a cluster's authority
/// would see to.
final class Signers {
    /// The identities each node hosts now, read by the signer's threads.
    private final class Hosted: Sendable {
        private let identities = Mutex<[String: Set<SPIFFEID>]>([:])

        func replace(_ new: [String: Set<SPIFFEID>]) {
            identities.withLock { $0 = new }
        }

        func isHosted(_ identity: SPIFFEID, by node: String) -> Bool {
            identities.withLock { $0[node]?.contains(identity) == true }
        }
    }

    private let signer: Signer
    private let hosted = Hosted()
    private var servers: [String: SignerServer] = [:]

    /// Makes an authority with the root of a PEM file, or with a new one that lives in memory only.
    init(trustDomain: String, authority file: String?) throws(LabError) {
        do throws(TLSError) {
            if let file {
                guard let bytes = FileManager.default.contents(atPath: file) else {
                    throw .unreadable("\(file) cannot be read")
                }
                let pem = String(decoding: bytes, as: UTF8.self)
                signer = Signer(authority: try Authority(pem: pem, trustDomain: trustDomain))
            } else {
                signer = try Signer(trustDomain: trustDomain)
            }
        } catch {
            throw LabError(.failed, "cannot make a certificate authority: \(error)")
        }
        try revoke([])
    }

    private var revoked: [Authority.Revoked] = []

    /// Revokes certificates besides those that are revoked; without any it writes an empty file.
    func revoke(_ serials: [String]) throws(LabError) {
        let now = WallClock.nanoseconds() / 1_000_000_000
        let all = revoked + serials.map { Authority.Revoked(serial: $0, revokedAt: now) }
        do {
            let text =
                all.isEmpty
                ? ""
                : try signer.revocationLists(all, lifetimeSeconds: LabAuthority.listSeconds)
            try Calls.replaceFile(LabPaths.revocationFile, with: Array(text.utf8))
        } catch {
            throw LabError(.failed, "cannot revoke: \(error)")
        }
        revoked = all
    }

    /// Opens a node's socket.
    func serve(node name: String) throws(SystemError) {
        let hosted = hosted
        servers[name] = try SignerServer(
            path: LabPaths.signerSocket(ofNode: name),
            source: signer,
            hosts: { hosted.isHosted($0, by: name) }
        )
    }

    /// Closes the socket of a node that is gone.
    func stop(node name: String) {
        servers.removeValue(forKey: name)?.stop()
        Calls.removeFile(LabPaths.signerSocket(ofNode: name))
    }

    /// Says which identities each node hosts from now on.
    func host(_ identities: [String: Set<SPIFFEID>]) {
        hosted.replace(identities)
    }

    /// Replaces the root; both are trusted for the overlap before and after the new one signs.
    func rotateRoot(overlapSeconds: Int64) throws(LabError) {
        do {
            try signer.rotateRoot(overlapSeconds: overlapSeconds)
        } catch {
            throw LabError(.failed, "cannot replace the root: \(error)")
        }
    }
}
