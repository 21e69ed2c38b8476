internal import Reactor
internal import TLS

/// The scratch memory of one worker: nothing in it outlives one call from the loop.
///
/// One large buffer per worker and purpose instead of one per connection: an idle connection then
/// holds none, and reads of 512 KiB were measured fastest (bench/README.md).
@safe
package final class WorkerBuffers {
    /// Ciphertext read at once; as much is sealed and sent at once (`recordsMax`).
    package static let scratchBytes = 512 * 1024

    /// Records sent at once.
    static let recordsMax = 32

    /// Ciphertext as it comes in; decrypted where it lies.
    let received: UnsafeMutableRawBufferPointer
    /// Plaintext that cannot lie there.
    let opened: UnsafeMutableRawBufferPointer
    /// Frames on their way out.
    let batch = RecordBatch(recordsMax: WorkerBuffers.recordsMax)
    /// What sessions put out themselves: handshakes, alerts, key updates.
    let sealed = OutputBuffer()
    /// Pieces of plaintext on their way to one socket.
    let gathered = IOVectorList(capacity: 64)

    /// Reads ciphertext from a socket into `received`.
    func read(_ socket: Int32) -> Transfer {
        unsafe Socket.read(socket, received)
    }

    /// Gives back what grew in a burst.
    package func trim() {
        sealed.release()
    }

    /// Allocates the buffers of one worker.
    package init() {
        unsafe received = WorkerBuffers.allocate()
        unsafe opened = WorkerBuffers.allocate()
    }

    deinit {
        unsafe received.deallocate()
        unsafe opened.deallocate()
    }

    private static func allocate() -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer.allocate(byteCount: scratchBytes, alignment: 4096)
    }
}
