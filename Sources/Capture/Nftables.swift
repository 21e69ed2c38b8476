internal import CNetfilter
internal import Glibc
internal import Synchronization

/// libnftables, one transaction at a time, in the calling thread's network namespace.
enum Nftables {
    /// The library keeps tables of names in globals it fills without a lock.
    private static let library = Mutex<Void>(())

    /// Runs commands as one transaction: all of them are in force at once, or none.
    static func run(_ commands: String) throws(CaptureError) {
        _ = try perform(commands, listing: false)
    }

    /// Runs a listing command and returns what it prints.
    static func list(_ command: String) throws(CaptureError) -> String {
        try perform(command, listing: true)
    }

    private static func perform(_ text: String, listing: Bool) throws(CaptureError) -> String {
        let outcome: Result<String, CaptureError> = library.withLock { _ in
            var printed: UnsafeMutablePointer<CChar>?
            var message: UnsafeMutablePointer<CChar>?
            let result =
                listing
                ? unsafe ambit_nft_run(text, &printed, &message)
                : unsafe ambit_nft_run(text, nil, &message)
            defer {
                unsafe free(printed)
                unsafe free(message)
            }
            guard result == 0 else {
                let words = unsafe message.map { unsafe String(cString: $0) } ?? ""
                return .failure(.nftables(words.isEmpty ? "no reason given" : words))
            }
            return .success(unsafe printed.map { unsafe String(cString: $0) } ?? "")
        }
        return try outcome.get()
    }
}
