/// An error code of RFC 9113 §7; peers may send values without a name.
package struct HTTP2ErrorCode: Hashable, Sendable, CustomStringConvertible {
    /// The value on the wire.
    package let rawValue: UInt32

    /// Takes any value from the wire.
    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Nothing went wrong.
    package static let noError = Self(rawValue: 0x0)
    /// A rule without a code of its own was broken.
    package static let protocolError = Self(rawValue: 0x1)
    /// The sender's own fault.
    package static let internalError = Self(rawValue: 0x2)
    /// A window was exceeded or overflowed.
    package static let flowControlError = Self(rawValue: 0x3)
    /// SETTINGS were not acknowledged in time.
    package static let settingsTimeout = Self(rawValue: 0x4)
    /// A frame came for a half that had ended.
    package static let streamClosed = Self(rawValue: 0x5)
    /// A frame had a wrong size.
    package static let frameSizeError = Self(rawValue: 0x6)
    /// The stream was not acted on and may be tried again.
    package static let refusedStream = Self(rawValue: 0x7)
    /// The stream is no longer wanted.
    package static let cancel = Self(rawValue: 0x8)
    /// A header block could not be decoded.
    package static let compressionError = Self(rawValue: 0x9)
    /// The connection behind a CONNECT broke.
    package static let connectError = Self(rawValue: 0xA)
    /// The peer asks for more than it may.
    package static let enhanceYourCalm = Self(rawValue: 0xB)
    /// TLS does not meet RFC 9113 §9.2.
    package static let inadequateSecurity = Self(rawValue: 0xC)
    /// The request must be made over HTTP/1.1.
    package static let http11Required = Self(rawValue: 0xD)

    private static let names = [
        "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
        "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
        "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
    ]

    /// The RFC's name, or the number.
    package var description: String {
        let index = Int(rawValue)
        return Self.names.indices.contains(index) ? Self.names[index] : "error \(rawValue)"
    }
}

/// Why a connection had to end: the code its GOAWAY carries and the rule that was broken.
package struct HTTP2Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The code of the GOAWAY.
    package let code: HTTP2ErrorCode
    /// What the peer did, in words, without any bytes of the peer.
    package let reason: String

    /// Makes a failure from a code and a reason.
    package init(_ code: HTTP2ErrorCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The code and the reason.
    package var description: String { "\(code): \(reason)" }
}

/// Why the machine did not take a message of ours.
package enum HTTP2SendError: Error, Hashable, Sendable {
    /// The connection takes no new streams: failed, going away, or out of stream identifiers.
    case connectionClosing
    /// The peer's limit of concurrent streams is reached.
    case tooManyStreams
    /// The stream is gone or its sending half has ended.
    case streamClosed
    /// A field that must not go on the wire, or a list that breaks RFC 9113 §8.
    case malformedFields
    /// The list is larger than the peer said it accepts.
    case fieldsTooLarge
}
