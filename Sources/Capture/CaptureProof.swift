/// That a plan's rules were found in force, and the ruleset they were found in.
package struct CaptureProof: Sendable, Equatable {
    let plan: CapturePlan
    /// The kernel's number of the ruleset, which every transaction changes.
    let generation: UInt32
}
