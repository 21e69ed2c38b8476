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

    @Test func `that is ended before it listens leaves nobody waiting for its port`() async throws {
        for _ in 0..<20 {
            let plane = try TestControlPlane()
            let serving = Task { try await plane.server.run() }
            let port = Task { try await plane.server.port }
            serving.cancel()
            // Either answer will do.
            _ = await port.result
            _ = await serving.result
        }
    }
}

private func serveOnce() async throws {
    let plane = try TestControlPlane()
    let port = try await plane.run { $0 }
    #expect(port != 0)
    await #expect(throws: (any Error).self) { try await plane.server.port }
}
