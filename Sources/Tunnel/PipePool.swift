internal import Reactor

/// A kernel pipe that carries bytes between two sockets.
package final class SplicePipe {
    private let pipe: Pipe
    init(pipe: consuming Pipe) { self.pipe = pipe }

    /// The end bytes come out of.
    package var read: Int32 { pipe.read.raw }
    /// The end bytes go into.
    package var write: Int32 { pipe.write.raw }
}

/// The empty pipes of one worker, kept for the next borrower up to a bound.
package final class PipePool {
    /// The capacity asked of the kernel for each pipe: the most any user may ask for.
    package static let pipeBytes = 1 << 20
    private static let keptMax = 64

    private var kept: [SplicePipe] = []

    /// Makes an empty pool.
    package init() {}

    /// A pipe without bytes in it, nil when descriptors have run out.
    package func borrow() -> SplicePipe? {
        if let pipe = kept.popLast() { return pipe }
        guard let made = try? Socket.makePipe() else { return nil }
        Socket.setPipeCapacity(made.write.raw, bytes: Int32(PipePool.pipeBytes))
        return SplicePipe(pipe: made)
    }

    /// Takes back a pipe that is empty.
    package func giveBack(_ pipe: SplicePipe) {
        guard kept.count < PipePool.keptMax else { return }
        kept.append(pipe)
    }
}
