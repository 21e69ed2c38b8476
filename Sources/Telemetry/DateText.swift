/// A time in Unix seconds as RFC 3339 writes it in UTC; times before 1970 are shown as 1970.
package func dateText(unixSeconds: Int64) -> String {
    let seconds = UInt64(clamping: max(0, unixSeconds))
    var bytes: [UInt8] = []
    // The year 2554 is the last that fits; certificates may claim more.
    Timestamp(nanoseconds: min(seconds, UInt64.max / 1_000_000_000) * 1_000_000_000)
        .append(to: &bytes)
    // Without the fraction, which is always zero here.
    return String(decoding: bytes.prefix(19), as: UTF8.self) + "Z"
}
