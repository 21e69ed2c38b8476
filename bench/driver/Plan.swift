internal import Bench

/// What a run measures, and how long.
struct Plan {
    var contenders: [ContenderName]
    var metrics: [Metric]
    var rounds: Int
    var seconds: Int
    var congestion: String
    /// The node program of Ambit B.
    var otherNode: String?
}
