internal import Reactor
internal import TLS

/// Frames on their way out, laid down where the records around them will be sealed.
///
/// The memory is a row of records, each with room for its header, its content and its trailer:
/// sockets are read straight into it, it is sealed in place, and one send takes it all. Belongs to
/// one worker and is empty between calls from the loop.
@safe
final class RecordBatch {
    /// The header of a DATA frame.
    static let frameHeaderBytes = 9
    /// Payload of a DATA frame that fills one record.
    static let payloadMax = TLSSession.recordContentMax - frameHeaderBytes
    private static let around = TLSSession.recordHeaderBytes + TLSSession.recordTrailerBytes
    /// A full record.
    private static let recordBytes = TLSSession.recordContentMax + around
    /// Below this much room for payload, a stream begins a new record.
    private static let payloadMin = 1024

    /// Records in one batch.
    let recordsMax: Int
    private let memory: UnsafeMutableRawBufferPointer
    /// Content lengths of the records that are done, in order.
    private var done: [Int] = []
    /// Where the record being filled starts, and how much content it has.
    private var start = 0
    private var content = 0
    /// Where to read a socket into.
    private let slots: IOVectorList

    init(recordsMax: Int) {
        self.recordsMax = recordsMax
        unsafe memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: recordsMax * Self.recordBytes,
            alignment: 4096
        )
        done.reserveCapacity(recordsMax)
        slots = IOVectorList(capacity: recordsMax)
    }

    deinit {
        unsafe memory.deallocate()
    }

    /// Whether there is nothing to send.
    var isEmpty: Bool { done.isEmpty && content == 0 }

    /// Payload that still fits in at most so many DATA frames; `frames` is at least 1.
    func payloadRoom(frames: Int) -> Int {
        let first = firstPayloadRoom
        let later = recordsMax - 1 - done.count
        return first == 0
            ? min(frames, later) * Self.payloadMax
            : first + min(frames - 1, later) * Self.payloadMax
    }

    // Payload for a frame in the record being filled; 0 when the next record is to be begun.
    private var firstPayloadRoom: Int {
        let room = TLSSession.recordContentMax - content - Self.frameHeaderBytes
        return room >= Self.payloadMin ? room : 0
    }

    private func finishRecord() {
        done.append(content)
        start += content + Self.around
        content = 0
    }

    private var end: Int { start + TLSSession.recordHeaderBytes + content }

    /// Lends memory to put other frames into: room for at least one byte, or none when full.
    func append(_ fill: (inout MutableSpan<UInt8>) -> Int) {
        while content < TLSSession.recordContentMax || done.count + 1 < recordsMax {
            if content == TLSSession.recordContentMax { finishRecord() }
            let room = TLSSession.recordContentMax - content
            let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[end..<end + room])
            var target = unsafe bytes.bindMemory(to: UInt8.self).mutableSpan
            let filled = fill(&target)
            content += filled
            guard filled == room else { return }
        }
    }

    /// Reads a stream's socket into DATA frames; `header` writes the header of each.
    func read(
        _ stream: TunnelStream,
        bytesMax: Int,
        header: (inout MutableSpan<UInt8>, _ length: Int) -> Void
    ) -> TunnelStream.Filled {
        if firstPayloadRoom == 0 { finishRecord() }
        slots.removeAll()
        var at = end + Self.frameHeaderBytes
        var length = min(firstPayloadRoom, bytesMax)
        while length > 0 {
            let slot = unsafe memory[at..<at + length]
            unsafe slots.append(UnsafeMutableRawBufferPointer(rebasing: slot))
            at +=
                length + TLSSession.recordTrailerBytes + TLSSession.recordHeaderBytes
                + Self.frameHeaderBytes
            length = min(Self.payloadMax, bytesMax - slots.byteCount)
        }
        let filled = stream.fill(slots)
        guard case .bytes(let count, _) = filled else { return filled }
        frame(count, header)
        return filled
    }

    private func frame(_ count: Int, _ header: (inout MutableSpan<UInt8>, Int) -> Void) {
        var left = count
        while left > 0 {
            let length = min(left, firstPayloadRoom)
            writeHeader(length, header)
            content += length
            left -= length
            if left > 0 { finishRecord() }
        }
    }

    /// Adds a DATA frame without payload.
    func appendEmpty(header: (inout MutableSpan<UInt8>, _ length: Int) -> Void) {
        if firstPayloadRoom == 0 { finishRecord() }
        writeHeader(0, header)
    }

    private func writeHeader(_ length: Int, _ header: (inout MutableSpan<UInt8>, Int) -> Void) {
        let place = unsafe memory[end..<end + Self.frameHeaderBytes]
        let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: place)
        var target = unsafe bytes.bindMemory(to: UInt8.self).mutableSpan
        header(&target, length)
        content += Self.frameHeaderBytes
    }

    /// Seals everything in its place, or, where the session cannot, into `output`.
    ///
    /// Returns the failure, or nil; then `sealed` is what to send.
    func seal(with session: TLSSession, output: OutputBuffer) -> TLSError? {
        if content > 0 { finishRecord() }
        let inPlace = session.maySeal(records: done.count)
        sealedBytes = 0
        var at = 0
        for length in done {
            let whole = unsafe memory[at..<at + length + Self.around]
            at += length + Self.around
            let record = unsafe UnsafeMutableRawBufferPointer(rebasing: whole)
            let plain = unsafe record.dropFirst(TLSSession.recordHeaderBytes).prefix(length)
            let error =
                inPlace
                ? unsafe session.seal(record)
                : unsafe session.write(UnsafeRawBufferPointer(rebasing: plain), output: output)
            if let error { return error }
        }
        if inPlace { sealedBytes = at }
        return nil
    }

    private var sealedBytes = 0

    /// The records sealed in place.
    var sealed: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: memory[..<sealedBytes])
    }

    /// Forgets everything.
    func removeAll() {
        done.removeAll(keepingCapacity: true)
        start = 0
        content = 0
        sealedBytes = 0
    }
}
