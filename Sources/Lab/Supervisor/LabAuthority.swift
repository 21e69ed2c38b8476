internal import Foundation
internal import Glibc
internal import Reactor
internal import TLS

/// The lab's certificate authority in files, where its controller finds it.
///
/// Rotation goes in steps as `Signer` has them; the controller sees each within a second.
final class LabAuthority {
    private static let rootSeconds: Int64 = 10 * 365 * 24 * 3600
    /// How long a revocation list is good: longer than a lab runs.
    static let listSeconds: Int64 = 365 * 24 * 3600
    private static let backdateSeconds: Int64 = 60

    private let loop: PollLoop
    private let trustDomain: String
    private var signing: Authority
    private var trusted: [Authority] = []
    private var isRotating = false
    private var revoked: [Authority.Revoked] = []

    /// Takes the root of a PEM file, or makes a new one, and writes it down.
    init(trustDomain: String, authority file: String?, loop: PollLoop) throws(LabError) {
        self.trustDomain = trustDomain
        self.loop = loop
        do throws(TLSError) {
            if let file {
                guard let bytes = FileManager.default.contents(atPath: file) else {
                    throw .unreadable("\(file) cannot be read")
                }
                let pem = String(decoding: bytes, as: UTF8.self)
                signing = try Authority(pem: pem, trustDomain: trustDomain)
            } else {
                signing = try Self.makeRoot(trustDomain)
            }
        } catch {
            throw LabError(.failed, "cannot make a certificate authority: \(error)")
        }
        trusted = [signing]
        try write()
    }

    /// Replaces the root: the new one is trusted now, signs after the overlap, and is alone after
    /// another.
    func rotateRoot(overlapSeconds: Int64) throws(LabError) {
        guard !isRotating else {
            throw LabError(.usage, "the root is being replaced already")
        }
        let (old, next): (Authority, Authority)
        do throws(TLSError) {
            (old, next) = (signing, try Self.makeRoot(trustDomain))
        } catch {
            throw LabError(.failed, "cannot replace the root: \(error)")
        }
        isRotating = true
        trusted = [old, next]
        try write()
        let step = UInt64(overlapSeconds) * 1000
        loop.after(milliseconds: step) { [weak self] in
            guard let self else { return }
            signing = next
            try? write()
            loop.after(milliseconds: step) { [weak self] in
                self?.trusted = [next]
                self?.isRotating = false
                try? self?.write()
            }
        }
    }

    /// Revokes certificates besides those that are revoked.
    func revoke(_ serials: [String]) throws(LabError) {
        let now = WallClock.nanoseconds() / 1_000_000_000
        revoked += serials.map { Authority.Revoked(serial: $0, revokedAt: now) }
        try write()
    }

    /// The lists of all that are trusted: whose a serial is, is not known.
    private func lists() throws(TLSError) -> String {
        let now = WallClock.nanoseconds()
        var texts: [String] = []
        for authority in trusted where !revoked.isEmpty {
            texts.append(
                try authority.revocationList(
                    revoked,
                    number: UInt64(clamping: now),
                    thisUpdate: now / 1_000_000_000,
                    nextUpdate: now / 1_000_000_000 + Self.listSeconds
                )
            )
        }
        return texts.joined()
    }

    private func write() throws(LabError) {
        let lists: String
        do throws(TLSError) {
            lists = try self.lists()
        } catch {
            throw LabError(.failed, "cannot revoke: \(error)")
        }
        let certificate = signing.certificate.pem
        let key = signing.secretPEM.dropFirst(certificate.count)
        do throws(SystemError) {
            let roots = trusted.map(\.certificate.pem).joined()
            // The roots first: whoever reads in between must trust what is signed.
            try Calls.replaceFile(LabPaths.authorityRoots, with: Array(roots.utf8))
            try Calls.replaceFile(LabPaths.authorityCertificate, with: Array(certificate.utf8))
            try Calls.replaceFile(LabPaths.authorityKey, with: Array(key.utf8))
            try Calls.replaceFile(LabPaths.authorityRevocations, with: Array(lists.utf8))
        } catch {
            throw LabError("cannot write the certificate authority", error)
        }
    }

    private static func makeRoot(_ trustDomain: String) throws(TLSError) -> Authority {
        let now = WallClock.nanoseconds() / 1_000_000_000
        return try Authority.root(
            trustDomain: trustDomain,
            notBefore: now - backdateSeconds,
            notAfter: now + rootSeconds
        )
    }
}
