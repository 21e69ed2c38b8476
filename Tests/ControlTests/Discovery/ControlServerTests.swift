import Discovery
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A control server` {
    @Test func `has let go of its event loops before they end`() async {
        await #expect(processExitsWith: .success) {
            // Who uses a loop that has ended crashes, rather than being told so.
            unsafe setenv("SWIFTNIO_STRICT", "1", 1)
            for _ in 0..<3 {
                try await serveOnce()
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}

private func serveOnce() async throws {
    let plane = try TestControlPlane()
    let port = try await plane.run { $0 }
    #expect(port != 0)
    await #expect(throws: (any Error).self) { try await plane.server.port }
}
