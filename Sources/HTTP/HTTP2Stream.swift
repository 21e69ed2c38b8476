/// One open or half-closed stream; a stream closed on both sides is forgotten.
struct HTTP2Stream {
    /// The identifier; zero marks an empty place of the table.
    var id: UInt32 = 0
    /// How much the peer lets us send; negative after it lowered its initial window.
    var sendWindow: Int32 = 0
    /// How much the peer may still send.
    var receiveWindow: Int32 = 0
    /// Released by the consumer and not yet returned to the peer.
    var owed: Int32 = 0
    /// Handed out as events and not yet released.
    var unreleased: Int32 = 0
    /// What the peer's content-length leaves to come; negative when there is none.
    var contentLeft: Int64 = -1
    var flags = Flags()

    struct Flags: OptionSet {
        let rawValue: UInt8

        /// We sent END_STREAM.
        static let localEnded = Flags(rawValue: 1 << 0)
        /// The peer sent END_STREAM.
        static let remoteEnded = Flags(rawValue: 1 << 1)
        /// A CONNECT tunnel: no trailers, content-length without meaning.
        static let isTunnel = Flags(rawValue: 1 << 2)
        /// The request was HEAD: the response has no payload.
        static let isHead = Flags(rawValue: 1 << 3)
        /// The peer's request or final response has come.
        static let remoteHeaders = Flags(rawValue: 1 << 4)
        /// Our request or final response went out.
        static let localHeaders = Flags(rawValue: 1 << 5)
    }

    var isClosed: Bool { flags.isSuperset(of: [.localEnded, .remoteEnded]) }
}

/// The open streams of a connection: open addressing, linear probing, at most half full.
struct StreamTable {
    private var places: [HTTP2Stream] = []
    private(set) var count = 0
    /// Where the last lookup ended: frames come in runs of one stream.
    private var recent = 0

    subscript(place: Int) -> HTTP2Stream {
        get { places[place] }
        _modify { yield &places[place] }
    }

    /// The places that may hold a stream; those with id zero are empty.
    var allPlaces: Range<Int> { places.indices }

    /// Where the stream is, or nil.
    ///
    /// Valid until the next insertion or removal.
    mutating func place(of id: UInt32) -> Int? {
        if recent < places.count, places[recent].id == id, id != 0 { return recent }
        guard let place = find(id) else { return nil }
        recent = place
        return place
    }

    /// Where the stream is, or nil, without remembering it.
    func find(_ id: UInt32) -> Int? {
        guard count > 0, id != 0 else { return nil }
        let mask = places.count - 1
        var place = home(of: id, mask)
        while places[place].id != 0 {
            if places[place].id == id { return place }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Adds a stream whose identifier is not in the table.
    mutating func insert(_ stream: HTTP2Stream) {
        if (count + 1) * 2 > places.count {
            resize(to: max(8, places.count * 2))
        }
        count += 1
        put(stream)
    }

    /// Removes the stream at a place; shifts its followers back so that no probe breaks.
    mutating func remove(at removed: Int) {
        count -= 1
        if count == 0, places.count > 8 {
            // An idle connection keeps nothing.
            places = []
            return
        }
        let mask = places.count - 1
        var hole = removed
        var place = (hole + 1) & mask
        while places[place].id != 0 {
            let distance = (place - home(of: places[place].id, mask)) & mask
            if distance >= (place - hole) & mask {
                places[hole] = places[place]
                hole = place
            }
            place = (place + 1) & mask
        }
        places[hole] = HTTP2Stream()
    }

    private func home(of id: UInt32, _ mask: Int) -> Int {
        // Identifiers of one side are all odd or all even.
        Int(id >> 1) & mask
    }

    private mutating func put(_ stream: HTTP2Stream) {
        let mask = places.count - 1
        var place = home(of: stream.id, mask)
        while places[place].id != 0 {
            place = (place + 1) & mask
        }
        places[place] = stream
    }

    private mutating func resize(to capacity: Int) {
        let old = places
        places = Array(repeating: HTTP2Stream(), count: capacity)
        for stream in old where stream.id != 0 {
            put(stream)
        }
    }
}

/// The streams closed last, with the side that closed them: late frames of them are judged by it.
struct ClosedStreams {
    enum Cause: UInt8 {
        /// We reset or refused it: frames the peer sent before it knew are ignored.
        case resetByUs
        /// The peer reset it: it knows that nothing may follow.
        case resetByPeer
        /// Both halves ended.
        case ended
    }

    /// More than two generations of concurrent streams.
    static let rememberedMax = 512

    private var ring: [(id: UInt32, cause: Cause)] = []
    private var oldest = 0

    /// Whether closed streams have been forgotten already.
    var hasForgotten: Bool { ring.count == Self.rememberedMax }

    mutating func remember(_ id: UInt32, _ cause: Cause) {
        if ring.count < Self.rememberedMax {
            ring.append((id, cause))
        } else {
            ring[oldest] = (id, cause)
            oldest = (oldest + 1) % Self.rememberedMax
        }
    }

    /// How the stream was closed; nil when it never opened or was forgotten.
    func cause(of id: UInt32) -> Cause? {
        ring.first { $0.id == id }?.cause
    }
}
