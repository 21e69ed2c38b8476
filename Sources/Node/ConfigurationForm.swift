internal import Mesh
internal import Telemetry

/// How values of one type are read and written in a configuration.
struct ConfigurationForm<Value: Sendable>: Sendable {
    /// What became of a text.
    enum Reading: Sendable {
        case value(Value)
        case refused(String)
    }

    /// What stands for the value in the help.
    let name: String
    let read: @Sendable (String) -> Reading
    /// Writes a value so that it reads back as the same.
    let show: @Sendable (Value) -> String
}

extension ConfigurationForm where Value == String {
    /// A name, at most 253 bytes as DNS has it.
    static let text = ConfigurationForm(
        name: "TEXT",
        read: { bounded($0, bytesMax: 253) },
        show: { $0 }
    )

    /// A path of the file system.
    static let path = ConfigurationForm(
        name: "PATH",
        read: { bounded($0, bytesMax: 4095) },
        show: { $0 }
    )

    /// A SPIFFE trust domain.
    static let trustDomain = ConfigurationForm(
        name: "DOMAIN",
        read: { text in
            SPIFFEID.isTrustDomain(text)
                ? .value(text)
                : .refused("`\(text)` is not a SPIFFE trust domain: a-z, 0-9, `.`, `-` and `_`")
        },
        show: { $0 }
    )

    private static func bounded(_ text: String, bytesMax: Int) -> Reading {
        guard text.utf8.count <= bytesMax else {
            return .refused("is longer than \(bytesMax) bytes")
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            return .refused("holds a control character")
        }
        return .value(text)
    }
}

extension ConfigurationForm where Value == Bool {
    /// `true` or `false`.
    static let boolean = ConfigurationForm(
        name: "true|false",
        read: { text in
            switch text {
            case "true": .value(true)
            case "false": .value(false)
            default: .refused("`\(text)` is neither `true` nor `false`")
            }
        },
        show: { $0 ? "true" : "false" }
    )
}

extension ConfigurationForm where Value == Int {
    /// A whole number in a range.
    static func count(_ range: ClosedRange<Int>) -> ConfigurationForm {
        ConfigurationForm(
            name: "NUMBER",
            read: { text in
                guard let number = Int(text), text.first != "+" else {
                    return .refused("`\(text)` is not a whole number")
                }
                guard range.contains(number) else {
                    return .refused(
                        "\(number) is not between \(range.lowerBound) and \(range.upperBound)"
                    )
                }
                return .value(number)
            },
            show: { "\($0)" }
        )
    }
}

extension ConfigurationForm where Value == UInt64 {
    static var weekMilliseconds: UInt64 { 7 * 86_400_000 }
    static var yearMilliseconds: UInt64 { 366 * 86_400_000 }

    private static var units: [(name: String, milliseconds: UInt64)] {
        [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
    }

    /// A time such as `250ms`, `10s`, `1h30m`, in a range of milliseconds.
    static func duration(_ range: ClosedRange<UInt64>) -> ConfigurationForm {
        ConfigurationForm(
            name: "TIME",
            read: { text in
                guard let milliseconds = milliseconds(text) else {
                    return .refused("`\(text)` is not a time such as 250ms, 10s, 5m or 1h30m")
                }
                guard range.contains(milliseconds) else {
                    let lower = durationText(range.lowerBound)
                    let upper = durationText(range.upperBound)
                    return .refused("\(text) is not between \(lower) and \(upper)")
                }
                return .value(milliseconds)
            },
            show: durationText
        )
    }

    // Numbers with units, the units falling; a unit is needed by everything but 0.
    private static func milliseconds(_ text: String) -> UInt64? {
        if text == "0" { return 0 }
        var rest = text[...]
        var total: UInt64 = 0
        var unitsLeft = units[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { ("a"..."z").contains($0) }
            rest = rest.dropFirst(unit.count)
            guard let number = UInt64(digits),
                let index = unitsLeft.firstIndex(where: { $0.name == unit })
            else { return nil }
            let product = number.multipliedReportingOverflow(by: unitsLeft[index].milliseconds)
            let sum = total.addingReportingOverflow(product.partialValue)
            guard !product.overflow, !sum.overflow else { return nil }
            total = sum.partialValue
            unitsLeft = unitsLeft[(index + 1)...]
        }
        return total
    }

    private static func durationText(_ milliseconds: UInt64) -> String {
        var rest = milliseconds
        var text = ""
        for unit in units where rest >= unit.milliseconds {
            text += "\(rest / unit.milliseconds)\(unit.name)"
            rest %= unit.milliseconds
        }
        return text.isEmpty ? "0" : text
    }
}

extension ConfigurationForm where Value == SocketAddress {
    /// An address and a port.
    static let address = ConfigurationForm(
        name: "ADDRESS:PORT",
        read: { text in
            guard let address = SocketAddress(text) else {
                return .refused("`\(text)` is not an address with a port, as in [::]:15020")
            }
            return .value(address)
        },
        show: { "\($0)" }
    )

    /// An address of the loopback interface and a port.
    static let loopbackAddress = ConfigurationForm(
        name: "ADDRESS:PORT",
        read: { text in
            switch address.read(text) {
            case .value(let address) where !address.ip.isLoopback:
                .refused("\(address.ip) is not a loopback address, and this is for the node only")
            case .value(let address): .value(address)
            case .refused(let reason): .refused(reason)
            }
        },
        show: { "\($0)" }
    )
}

extension ConfigurationForm where Value == LogLevels {
    /// Levels of the log's scopes.
    static let levels = ConfigurationForm(
        name: "LEVELS",
        read: { text in
            do throws(LogLevels.Failure) {
                return .value(try LogLevels(text))
            } catch {
                return .refused(error.description)
            }
        },
        show: { $0.description }
    )
}

extension ConfigurationForm
where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a few words.
    static func choice() -> ConfigurationForm {
        let words = Value.allCases.map(\.rawValue)
        return ConfigurationForm(
            name: words.joined(separator: "|"),
            read: { text in
                guard let value = Value(rawValue: text) else {
                    let known = words.map { "`\($0)`" }.joined(separator: ", ")
                    return .refused("`\(text)` is not one of \(known)")
                }
                return .value(value)
            },
            show: { $0.rawValue }
        )
    }
}
