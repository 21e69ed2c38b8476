internal import CLinux
internal import Glibc

/// A file whose replacement or rewriting is told on a loop.
///
/// Watches the folder, so that a file put in place by rename, a Kubernetes symlink swap, or a file
/// that appears later are all seen. Several changes of one batch are told once.
package final class WatchedFile: ReadinessHandler {
    private let inotify: Descriptor
    private let changed: () -> Void

    /// Starts watching; `changed` is called on the loop after each batch of changes in the folder.
    package init(
        _ path: String,
        loop: EventLoop,
        changed: @escaping () -> Void
    ) throws(SystemError) {
        self.changed = changed
        inotify = Descriptor(owning: try checked("inotify_init") { ambit_inotify() })
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let mask = ambit_IN_CLOSE_WRITE | ambit_IN_MOVED_TO | ambit_IN_CREATE
        let raw = inotify.raw
        try checked("inotify_add_watch") {
            unsafe ambit_inotify_add(raw, folder.isEmpty ? "/" : folder, mask)
        }
        _ = try loop.add(raw, self)
    }

    package func ready(_ readiness: Readiness) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var hasAny = false
        while unsafe read(inotify.raw, &buffer, buffer.count) > 0 { hasAny = true }
        if hasAny { changed() }
    }

    /// Reads a whole file of at most `bytesMax` bytes; fails with `.fileTooLong` when it has more.
    package static func contents(
        _ path: String,
        bytesMax: Int
    ) throws(SystemError) -> [UInt8] {
        let file = Descriptor(
            owning: try checked("open") { unsafe ambit_open(path, O_RDONLY, 0) }
        )
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let raw = file.raw
            let count = try checked("read") { unsafe read(raw, &chunk, chunk.count) }
            if count == 0 { return bytes }
            guard bytes.count + count <= bytesMax else {
                throw .fileTooLong
            }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
