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
