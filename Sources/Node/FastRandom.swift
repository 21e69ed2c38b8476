/// Random numbers in user space, seeded from the system's: for spreading, never for secrets.
///
/// SplitMix64 (Steele, Lea, Flood 2014): every 64-bit number comes once in its period.
struct FastRandom: RandomNumberGenerator {
    private var state: UInt64

    /// Takes its seed from the system.
    init() {
        var system = SystemRandomNumberGenerator()
        state = system.next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
