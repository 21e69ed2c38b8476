internal import Reactor
internal import TLS

/// The scratch memory of one worker: nothing in it outlives one call from the loop.
///
/// One large buffer per worker and purpose instead of one per connection: reads of 256 KiB were
/// measured fastest, and an idle connection then holds none (MEASURED.md).
@safe
package final class WorkerBuffers {
    /// Bytes read or written at once.
    package static let scratchBytes = 256 * 1024

    let received: UnsafeMutableRawBufferPointer
    let opened: UnsafeMutableRawBufferPointer
    let framed: UnsafeMutableRawBufferPointer
    /// Ciphertext of the session that is writing now; sent or set aside before the call ends.
    let sealed = OutputBuffer()
    /// Pieces of `opened` on their way to one socket.
    let gathered = IOVectorList(capacity: 64)
    /// Frame slots in `framed` to read one socket into.
    let slots = IOVectorList(capacity: TunnelConnection.slotsMax)

    /// Reads ciphertext from a socket into `received`.
    func read(_ socket: Int32) -> Transfer {
        unsafe Socket.read(socket, received)
    }

    /// Gives back what grew in a burst.
    package func trim() {
        sealed.release()
    }

    /// The framing scratch as HTTP writes into it.
    var framedElements: UnsafeMutableBufferPointer<UInt8> {
        unsafe framed.bindMemory(to: UInt8.self)
    }

    /// Allocates the buffers of one worker.
    package init() {
        unsafe received = WorkerBuffers.allocate()
        unsafe opened = WorkerBuffers.allocate()
        unsafe framed = WorkerBuffers.allocate()
    }

    deinit {
        unsafe received.deallocate()
        unsafe opened.deallocate()
        unsafe framed.deallocate()
    }

    private static func allocate() -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer.allocate(byteCount: scratchBytes, alignment: 4096)
    }
}
