internal import Glibc

extension Socket {
    /// Reads once into an array from `start` to its end; the array keeps its length.
    package static func read(
        _ socket: Int32,
        into bytes: inout [UInt8],
        from start: Int = 0
    ) -> Transfer {
        precondition(start < bytes.count, "no room to read: \(start) of \(bytes.count)")
        return unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(socket, UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
        }
    }

    /// Writes once what an array holds from `start` on; never raises SIGPIPE.
    package static func write(_ socket: Int32, _ bytes: [UInt8], from start: Int = 0) -> Transfer {
        precondition(start <= bytes.count, "nothing to write: \(start) of \(bytes.count)")
        return unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(socket, UnsafeRawBufferPointer(rebasing: buffer[start...]))
        }
    }
}
