internal import Glibc
internal import Reactor

/// A log that processes append to; what is over its bound moves to one older file.
final class LogFile {
    /// A log's size in bytes at which it is turned over; two of them are kept.
    static let bytesMax = 64 << 20

    let path: String
    /// Where the older half is.
    var olderPath: String { path + ".1" }
    /// What processes write to, appending.
    let descriptor: Descriptor

    /// Opens the log, which goes on if it exists.
    init(_ path: String) throws(SystemError) {
        self.path = path
        descriptor = try Calls.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
    }

    /// Adds a line of the supervisor's own; a full disk loses it.
    func note(_ line: String) {
        _ = try? Calls.write(descriptor.raw, Array((line + "\n").utf8)[...])
    }

    /// Turns the log over when it is too long.
    ///
    /// Writers keep their descriptor, so it is copied and emptied; what is written in between is
    /// lost.
    func bound() {
        var status = stat()
        guard unsafe fstat(descriptor.raw, &status) == 0, status.st_size > Self.bytesMax else {
            return
        }
        if let source = try? Calls.open(path, O_RDONLY),
            let target = try? Calls.open(olderPath, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        {
            var rest = Int(status.st_size)
            while rest > 0 {
                let moved = sendfile(target.raw, source.raw, nil, rest)
                guard moved > 0 else { break }
                rest -= moved
            }
        }
        _ = ftruncate(descriptor.raw, 0)
    }

    /// Removes the files.
    func remove() {
        Calls.removeFile(path)
        Calls.removeFile(olderPath)
    }
}
