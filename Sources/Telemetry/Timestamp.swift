/// A point in Unix time, written as RFC 3339 in UTC with microseconds.
struct Timestamp {
    let nanoseconds: UInt64

    /// Writes it as 27 bytes, such as `2026-08-21T09:05:00.000123Z`.
    func append(to bytes: inout [UInt8]) {
        let seconds = nanoseconds / 1_000_000_000
        let (year, month, day) = Self.date(days: seconds / 86_400)
        let time = seconds % 86_400
        Self.append(year, digits: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(month, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(day, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        Self.append(time / 3600, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.append(time / 60 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.append(time % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        Self.append(nanoseconds / 1000 % 1_000_000, digits: 6, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    private static func append(_ number: UInt64, digits: Int, to bytes: inout [UInt8]) {
        var divisor: UInt64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    // Counts in years that begin in March, so that the leap day is the last of a year; 400 years
    // have 146097 days. 719468 days lie between 0000-03-01 and 1970-01-01.
    private static func date(days: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let leapDays = dayOfEra / 1460 + dayOfEra / 146_096
        let yearOfEra = (dayOfEra + dayOfEra / 36_524 - leapDays) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }
}
