internal import Mesh

/// Bounds the TLS handshakes that run on a pod's port 15008, fairly between sources.
///
/// A handshake that is honest takes milliseconds; one that stalls holds its place for seconds.
/// When all places are taken, whoever holds the most gives up its oldest for a newcomer of a
/// source that holds fewer: one that stalls them all cannot keep others out.
struct HandshakeGate {
    private let placesMax: Int
    private var count = 0
    private var bySource: [IPAddress: [InboundTunnel]] = [:]

    /// What a newcomer gets.
    enum Admission {
        case admitted
        /// Admitted in place of this one, which must be ended.
        case admittedFor(InboundTunnel)
        case refused
    }

    init(placesMax: Int) {
        self.placesMax = placesMax
    }

    mutating func enter(_ tunnel: InboundTunnel, from source: IPAddress) -> Admission {
        guard count >= placesMax else {
            add(tunnel, source)
            return .admitted
        }
        // Only when full, and at most `placesMax` sources: bounded.
        guard let heaviest = bySource.max(by: { $0.value.count < $1.value.count }),
            heaviest.value.count > (bySource[source]?.count ?? 0) + 1,
            let oldest = heaviest.value.first
        else { return .refused }
        leave(oldest, from: heaviest.key)
        add(tunnel, source)
        return .admittedFor(oldest)
    }

    /// The handshake ended, one way or the other; one that has left already is ignored.
    mutating func leave(_ tunnel: InboundTunnel, from source: IPAddress) {
        guard var places = bySource[source],
            let index = places.firstIndex(where: { $0 === tunnel })
        else { return }
        places.remove(at: index)
        bySource[source] = places.isEmpty ? nil : places
        count -= 1
    }

    private mutating func add(_ tunnel: InboundTunnel, _ source: IPAddress) {
        bySource[source, default: []].append(tunnel)
        count += 1
    }
}
