/// The versions of the CNI specification that the plugin speaks, oldest first.
///
/// 1.0.0 and 1.1.0 are what it is written for; in the older ones a chained plugin does the same.
package enum CNIVersion: String, Sendable, CaseIterable, Comparable {
    case v0_3_0 = "0.3.0"
    case v0_3_1 = "0.3.1"
    case v0_4_0 = "0.4.0"
    case v1_0 = "1.0.0"
    case v1_1 = "1.1.0"

    /// The newest.
    package static let newest = CNIVersion.v1_1

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    /// Orders by age.
    package static func < (left: CNIVersion, right: CNIVersion) -> Bool { left.rank < right.rank }
}
