internal import Reactor

/// Reads into the worker's buffer and writes from it; what does not fit at once is kept.
@safe final class CopyFlow: Flow {
    /// Room for one read, where more measures no better (a worker has one such buffer).
    static let readBytes = 256 << 10
    /// Reads before other connections get their turn.
    private static let readsMax = 16

    private let scratch: UnsafeMutableRawBufferPointer
    private var kept: [UInt8] = []
    private var keptStart = 0
    private var sawEnd = false

    init(scratch: UnsafeMutableRawBufferPointer) {
        unsafe self.scratch = scratch
    }

    func carry(from source: End, to target: End) -> FlowProgress {
        for _ in 0..<Self.readsMax {
            if !kept.isEmpty {
                guard target.isWritable else { return .blocked }
                switch Socket.write(target.raw, kept, from: keptStart) {
                case .bytes(let count):
                    keptStart += count
                    if keptStart == kept.count {
                        kept.removeAll()
                        keptStart = 0
                    }
                case .wouldBlock: target.isWritable = false
                case .endOfFile, .failed: return .failed
                }
                continue
            }
            if sawEnd { return .ended }
            guard source.isReadable else { return .blocked }
            switch unsafe Socket.read(source.raw, scratch) {
            case .bytes(let count):
                // Everything was taken: the next edge comes with the next byte.
                if count < Self.readBytes, !source.isFinishing { source.isReadable = false }
                guard write(count, to: target) else { return .failed }
            case .wouldBlock: source.isReadable = false
            case .endOfFile: sawEnd = true
            case .failed: return .failed
            }
        }
        return .yielded
    }

    private func write(_ count: Int, to target: End) -> Bool {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: scratch[..<count])
        switch unsafe Socket.write(target.raw, bytes) {
        case .bytes(count): return true
        case .bytes(let written):
            kept = unsafe Array(bytes[written...])
            return true
        case .wouldBlock:
            target.isWritable = false
            kept = unsafe Array(bytes)
            return true
        case .endOfFile, .failed: return false
        }
    }
}
