internal import CLinux

/// The time of day, which certificates and logs speak of; it may jump.
package enum WallClock {
    /// Nanoseconds since 1970.
    package static func nanoseconds() -> Int64 {
        Int64(clamping: ambit_realtime())
    }
}
