internal import CLinux
internal import Glibc

/// Pieces of memory for one vectored read or write; the memory is the caller's and must stay.
///
/// Holds at most `capacity` pieces, allocated once. Belongs to one thread.
@safe
package final class IOVectorList {
    private let parts: UnsafeMutablePointer<iovec>
    private let capacity: Int
    private var count = 0
    /// The sum of the pieces' lengths.
    package private(set) var byteCount = 0

    /// Makes an empty list with room for `capacity` pieces.
    package init(capacity: Int) {
        self.capacity = capacity
        unsafe parts = UnsafeMutablePointer<iovec>.allocate(capacity: capacity)
        unsafe parts.initialize(repeating: iovec(), count: capacity)
    }

    deinit {
        unsafe parts.deallocate()
    }

    /// Whether another piece does not fit.
    package var isFull: Bool { count == capacity }

    /// Whether there is no piece.
    package var isEmpty: Bool { count == 0 }

    /// Adds memory to write from.
    package func append(_ piece: UnsafeRawBufferPointer) {
        unsafe append(UnsafeMutableRawBufferPointer(mutating: piece))
    }

    /// Adds memory to read into or write from.
    package func append(_ piece: UnsafeMutableRawBufferPointer) {
        precondition(count < capacity, "more than \(capacity) pieces")
        unsafe parts[count] = iovec(iov_base: piece.baseAddress, iov_len: piece.count)
        count += 1
        byteCount += piece.count
    }

    /// Forgets all pieces.
    package func removeAll() {
        count = 0
        byteCount = 0
    }

    /// Writes once from the pieces.
    package func write(to socket: Int32) -> Transfer {
        unsafe Socket.write(socket, parts, count: count)
    }

    /// Reads once into the pieces.
    package func read(from socket: Int32) -> Transfer {
        unsafe Socket.read(socket, parts, count: count)
    }

    /// Calls `body` with what is left of each piece after the first `skipped` bytes.
    package func forEach(after skipped: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        var skip = skipped
        for index in 0..<count {
            let length = unsafe parts[index].iov_len
            let start = min(skip, length)
            skip -= start
            guard start < length else { continue }
            let piece = unsafe UnsafeRawBufferPointer(start: parts[index].iov_base, count: length)
            unsafe body(UnsafeRawBufferPointer(rebasing: piece[start...]))
        }
    }
}
