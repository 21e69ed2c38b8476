/// Who takes part.
package enum ContenderName: String, CaseIterable, Codable, Sendable {
    case none
    case splice
    case copy
    case ambit
    case ambitB = "ambit-b"
    case envoyL4 = "envoy-l4"
    case envoyL7 = "envoy-l7"
    case envoyHBONE = "envoy-hbone"

    /// What a column is headed with.
    package var title: String {
        switch self {
        case .none: "no mesh"
        case .splice: "splice relays"
        case .copy: "read/write relays"
        case .ambit: "Ambit"
        case .ambitB: "Ambit B"
        case .envoyL4: "Envoy L4"
        case .envoyL7: "Envoy L7"
        case .envoyHBONE: "Envoy HBONE"
        }
    }

    /// Whether it authenticates and encrypts: what is compared, beside the floor it stands on.
    package var isMesh: Bool {
        switch self {
        case .none, .splice, .copy: false
        case .ambit, .ambitB, .envoyL4, .envoyL7, .envoyHBONE: true
        }
    }

    /// Whether bytes go through processes that are measured.
    package var hasProxies: Bool { self != .none }
}
