internal import Reactor

/// Messages of the signer's protocol on a stream: each behind its length.
extension LocalStream {
    func sendMessage(_ bytes: [UInt8]) throws(SystemError) {
        let count = UInt32(clamping: bytes.count)
        let length = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
        try send(length + bytes)
    }

    /// Receives one message; nil when it says it is longer than `bytesMax`.
    func receiveMessage(bytesMax: Int) throws(SystemError) -> [UInt8]? {
        let length = try receive(count: 4).reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytesMax else { return nil }
        return try receive(count: length)
    }
}

/// How long one side of the signer's protocol waits for the other.
let signerTimeoutMilliseconds = 5000
