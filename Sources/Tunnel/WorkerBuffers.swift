/// The scratch memory of one worker: nothing in it outlives one call from the loop.
///
/// One large buffer per worker and purpose instead of one per connection: reads of 256 KiB were
/// measured fastest, and an idle connection then holds none (MEASURED.md).
package final class WorkerBuffers {
    /// Bytes read or written at once.
    package static let scratchBytes = 256 * 1024

    let received: UnsafeMutableRawBufferPointer
    let opened: UnsafeMutableRawBufferPointer
    let framed: UnsafeMutableRawBufferPointer

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
        unsafe UnsafeMutableRawBufferPointer.allocate(byteCount: scratchBytes, alignment: 4096)
    }
}
