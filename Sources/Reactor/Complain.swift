internal import Glibc

/// Writes a line to standard error, for what must be said when there is no log (yet).
package func complain(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = unsafe write(2, bytes, bytes.count)
}

/// Writes text to standard output.
package func say(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe write(1, bytes, bytes.count)
}

/// Reads standard input to its end, at most `bytesMax` bytes; more is EFBIG.
package func hear(bytesMax: Int) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while true {
        let count = try checked("read standard input") { unsafe read(0, &chunk, chunk.count) }
        if count == 0 { return bytes }
        guard bytes.count + count <= bytesMax else {
            throw SystemError(call: "read standard input", code: EFBIG)
        }
        bytes.append(contentsOf: chunk[..<count])
    }
}
