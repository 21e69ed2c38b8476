/// A stream of bytes cut into lines, as the events of a watch are.
package struct WatchLines: Sendable {
    /// Why the stream cannot be read on.
    package struct TooLong: Error, Sendable, Equatable {
        /// The bound that a line broke.
        package let bytesMax: Int
    }

    /// The longest line.
    package let bytesMax: Int
    private var begun: [UInt8] = []

    /// Starts with nothing read.
    package init(bytesMax: Int) { self.bytesMax = bytesMax }

    /// Takes what came next and gives the lines that are whole now, blank ones left out.
    package mutating func append(
        _ bytes: some Collection<UInt8>
    ) throws(TooLong) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let newline = rest.firstIndex(of: 0x0A) {
            let piece = rest[..<newline]
            guard begun.count + piece.count <= bytesMax else { throw TooLong(bytesMax: bytesMax) }
            begun.append(contentsOf: piece)
            if begun.contains(where: { !" \r\t".utf8.contains($0) }) { lines.append(begun) }
            begun.removeAll(keepingCapacity: begun.capacity < 1 << 16)
            rest = rest[rest.index(after: newline)...]
        }
        guard begun.count + rest.count <= bytesMax else { throw TooLong(bytesMax: bytesMax) }
        begun.append(contentsOf: rest)
        return lines
    }

    /// Whether the stream ended in the middle of a line.
    package var isInLine: Bool { !begun.isEmpty }
}
