internal import CNetfilter
internal import Reactor

/// That a plan's rules were found in force in a namespace, and in which ruleset.
///
/// It holds a socket that asks the namespace whether the ruleset is still the same, which costs two
/// system calls where a listing costs thousands. One thread at a time.
package final class CaptureProof {
    let plan: CapturePlan
    private let socket: Descriptor
    /// The kernel's number of the ruleset, which every transaction changes, whoever makes it.
    private let generation: UInt32

    /// Notes the ruleset that is in force now in the calling thread's namespace.
    init(_ plan: CapturePlan) throws(CaptureError) {
        self.plan = plan
        do throws(SystemError) {
            socket = Descriptor(
                owning: try checked("open nftables socket") { ambit_nft_socket() }
            )
            generation = try Self.generation(socket.raw)
        } catch {
            throw Self.failure(error)
        }
    }

    /// Whether nobody changed any rule of the namespace since.
    package var isCurrent: Bool {
        get throws(CaptureError) {
            do throws(SystemError) {
                return try Self.generation(socket.raw) == generation
            } catch {
                throw Self.failure(error)
            }
        }
    }

    private static func generation(_ socket: Int32) throws(SystemError) -> UInt32 {
        var number: UInt32 = 0
        try checked("nftables generation") { unsafe ambit_nft_generation(socket, &number) }
        return number
    }

    private static func failure(_ error: SystemError) -> CaptureError {
        .system("ask for the generation of the rules", error)
    }
}
