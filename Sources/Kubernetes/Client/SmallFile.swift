internal import Reactor

/// Files that hold a token, a certificate or a configuration.
enum SmallFile {
    /// More than any kubeconfig with its certificates.
    static let bytesMax = 4 << 20

    /// Reads a whole file; fails with its path and the reason.
    static func read(_ path: String) throws(AccessError) -> [UInt8] {
        do {
            return try WatchedFile.contents(path, bytesMax: bytesMax)
        } catch {
            throw AccessError("cannot read \(path): \(error)")
        }
    }
}
