internal import COpenSSL

/// Where sessions put ciphertext: a growable run of bytes, one for a worker.
///
/// Belongs to one thread. Many records, also of several calls, gather here and go out in one send.
@safe
package final class OutputBuffer {
    let output: UnsafeMutablePointer<ambit_output>

    /// A batch of 256 KiB with its record overhead fits many times.
    package static let roomMaxDefault = 8 << 20

    /// Makes an empty buffer that grows up to `roomMax` bytes.
    package init(roomMax: Int = OutputBuffer.roomMaxDefault) {
        unsafe self.output = UnsafeMutablePointer<ambit_output>.allocate(capacity: 1)
        unsafe output.initialize(
            to: ambit_output(bytes: nil, used: 0, room: 0, room_max: max(roomMax, 0))
        )
    }

    deinit {
        unsafe ambit_output_free(output)
        unsafe output.deallocate()
    }

    /// Bytes waiting to be sent.
    package var count: Int { unsafe output.pointee.used }
    /// Whether nothing waits.
    package var isEmpty: Bool { unsafe output.pointee.used == 0 }
    /// Bytes of memory held.
    package var room: Int { unsafe output.pointee.room }

    /// What waits to be sent; valid until the buffer is touched again.
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: output.pointee.bytes, count: output.pointee.used)
    }

    /// Drops what was sent; what is left moves to the front.
    package func removeFirst(_ sent: Int) {
        precondition(sent >= 0 && sent <= count, "removing \(sent) of \(count) bytes")
        let left = count - sent
        if left > 0, sent > 0, let start = unsafe output.pointee.bytes {
            unsafe UnsafeMutableRawPointer(start).copyMemory(
                from: UnsafeRawPointer(start + sent),
                byteCount: left
            )
        }
        unsafe output.pointee.used = left
    }

    /// Drops everything and keeps the memory.
    package func removeAll() {
        unsafe output.pointee.used = 0
    }

    /// Drops everything and gives the memory back.
    package func release() {
        unsafe ambit_output_free(output)
    }
}
