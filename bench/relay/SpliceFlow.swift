internal import Reactor

/// Moves bytes through a pipe inside the kernel.
final class SpliceFlow: Flow {
    /// Turns before other connections get theirs.
    private static let turnsMax = 16

    private let pipes: PipeStock
    private var pipe: PipeStock.Item?
    private var held = 0
    private var sawEnd = false

    init(pipes: PipeStock) {
        self.pipes = pipes
    }

    func carry(from source: End, to target: End) -> FlowProgress {
        for _ in 0..<Self.turnsMax {
            if let pipe {
                guard target.isWritable else { return .blocked }
                switch Socket.splice(from: pipe.read, to: target.raw, count: held) {
                case .bytes(let count):
                    held -= count
                    if held == 0 {
                        pipes.giveBack(pipe)
                        self.pipe = nil
                    }
                case .wouldBlock: target.isWritable = false
                case .endOfFile, .failed: return .failed
                }
                continue
            }
            if sawEnd { return .ended }
            guard source.isReadable else { return .blocked }
            guard let pipe = pipes.borrow() else { return .failed }
            switch Socket.splice(from: source.raw, to: pipe.write, count: PipeStock.bytes) {
            case .bytes(let count):
                held = count
                self.pipe = pipe
                continue
            case .wouldBlock: source.isReadable = false
            case .endOfFile: sawEnd = true
            case .failed: return .failed
            }
            pipes.giveBack(pipe)
        }
        return .yielded
    }
}

/// The empty pipes of one worker, used again so that a connection costs none.
final class PipeStock {
    /// What a pipe is asked to hold.
    static let bytes = 1 << 20
    private static let keptMax = 256

    final class Item {
        private let pipe: Pipe
        var read: Int32 { pipe.read.raw }
        var write: Int32 { pipe.write.raw }
        fileprivate init(_ pipe: consuming Pipe) { self.pipe = pipe }
    }

    private var kept: [Item] = []

    func borrow() -> Item? {
        if let item = kept.popLast() { return item }
        guard let pipe = try? Socket.makePipe() else { return nil }
        Socket.setPipeCapacity(pipe.write.raw, bytes: Int32(Self.bytes))
        return Item(pipe)
    }

    func giveBack(_ item: Item) {
        if kept.count < Self.keptMax { kept.append(item) }
    }
}
