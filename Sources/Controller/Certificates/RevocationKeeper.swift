internal import Reactor
internal import Synchronization
package import TLS

/// The revocation lists in force, and what became of those that were not taken.
///
/// A list is in force once it was read, is signed by an authority of the mesh, and is not older
/// than the one before it. Any thread may call it.
package final class RevocationKeeper: Sendable {
    /// What is in force.
    package struct Held: Sendable {
        /// One for each authority that has any.
        package let lists: [RevocationList]
        /// What nodes are sent: the lists, and the certificates of the authorities below the root;
        /// nil for none.
        package let text: String?
    }

    private struct State {
        var held: Held?
        var source: String?
        var signers = ""
        var refused: [RevocationError.Kind: Int] = [:]
        var problem: RevocationError?
    }

    private let state = Mutex(State())

    /// Knows nothing yet.
    package init() {}

    /// What is in force; nil until lists, or that there are none, were taken once.
    package var current: Held? { state.withLock { $0.held } }

    /// Why the lists there are now are not in force; nil while they are.
    package var problem: RevocationError? { state.withLock { $0.problem } }

    /// How often lists were not taken, by what was wrong.
    package var refusals: [RevocationError.Kind: Int] { state.withLock { $0.refused } }

    /// Takes the lists as they are now, empty for none; true when something else is in force.
    ///
    /// What is refused is told once, not each time that it is still there.
    package func take(
        _ text: String,
        signedFor authority: MeshAuthority.Held
    ) throws(RevocationError) -> Bool {
        let signers = authority.roots.joined() + authority.material.chain
        let known = state.withLock { ($0.source, $0.signers, $0.held?.lists ?? []) }
        guard known.0 != text || known.1 != signers else { return false }
        do throws(RevocationError) {
            let held = try Self.read(text, authority, following: known.2)
            return state.withLock { state in
                let isNew = state.held == nil || state.held?.text != held.text
                (state.held, state.source, state.signers) = (held, text, signers)
                state.problem = nil
                return isNew
            }
        } catch {
            state.withLock { state in
                (state.source, state.signers, state.problem) = (text, signers, error)
                state.refused[error.kind, default: 0] += 1
            }
            throw error
        }
    }

    /// Notes that the lists cannot be had at all; what is in force stays.
    package func missed(_ error: RevocationError) {
        state.withLock { state in
            guard state.problem != error else { return }
            (state.problem, state.source) = (error, nil)
            state.refused[error.kind, default: 0] += 1
        }
    }

    private static func read(
        _ text: String,
        _ authority: MeshAuthority.Held,
        following before: [RevocationList]
    ) throws(RevocationError) -> Held {
        guard !text.allSatisfy(\.isWhitespace) else { return Held(lists: [], text: nil) }
        let roots: [Certificate]
        do throws(TLSError) {
            roots = try TrustBundle(pem: authority.roots).roots
        } catch {
            throw RevocationError(.malformed, "\(error)")
        }
        let own = authority.authority.certificates
        let reading = try RevocationList.read(
            text,
            roots: roots,
            authorities: own,
            nowSeconds: WallClock.seconds
        )
        if let issuer = reading.foreign.first {
            throw RevocationError(
                .foreign,
                "the list of \(issuer) is signed by no root of the mesh, nor by an authority below "
                    + "one; put the authority's certificate beside it"
            )
        }
        try Revocations.check(reading.lists, follow: before)
        // Nodes know the roots; those between stand in peers' chains only.
        let known = Set(roots.map(\.pem))
        let pushed = ([text] + own.map(\.pem).filter { !known.contains($0) && !text.contains($0) })
            .joined(separator: "\n")
        guard pushed.utf8.count <= RevocationList.textBytesMax else {
            let limit = RevocationList.textBytesMax
            throw RevocationError(.tooLarge, "the lists are longer than \(limit) bytes")
        }
        return Held(lists: reading.lists, text: pushed)
    }
}
