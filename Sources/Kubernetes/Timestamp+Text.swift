extension Timestamp {
    /// Such as `2026-11-21T10:00:00Z`; nanoseconds since 1970.
    package static func text(nanoseconds: Int64) -> String {
        let (date, time) = parts(nanoseconds)
        return "\(date)T\(time)Z"
    }

    /// Kubernetes' MicroTime, such as `2026-11-21T10:00:00.000000Z`; nanoseconds since 1970.
    package static func microText(nanoseconds: Int64) -> String {
        let (date, time) = parts(nanoseconds)
        let fraction = nanoseconds - floor(nanoseconds, 1_000_000_000) * 1_000_000_000
        return "\(date)T\(time).\(padded(fraction / 1_000, 6))Z"
    }

    private static func parts(_ nanoseconds: Int64) -> (date: String, time: String) {
        let seconds = floor(nanoseconds, 1_000_000_000)
        let day = floor(seconds, 86_400)
        let second = seconds - day * 86_400
        let (year, month, dayOfMonth) = civil(day)
        return (
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))",
            "\(padded(second / 3_600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        )
    }

    // The Gregorian date of a day since 1970-01-01, counting years from March.
    private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * part + 2) / 5 + 1)
    }

    private static func floor(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : (value + 1) / divisor - 1
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
