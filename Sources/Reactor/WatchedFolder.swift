internal import CLinux
internal import Glibc

/// A folder whose files are told on a loop as they are replaced, finished or removed.
///
/// Folders inside it are not looked into.
package final class WatchedFolder: ReadinessHandler {
    /// What happened to the folder.
    package enum Change: Sendable, Hashable {
        /// A file is whole under this name: closed after writing, moved or linked here.
        case written(String)
        /// Something has this name now: a link, which is whole, or a file that is only begun.
        case created(String)
        /// No file has this name any more.
        case removed(String)
        /// More happened than could be told: look at everything.
        case overflow
    }

    private let inotify: Descriptor
    private let changed: ([Change]) -> Void

    /// Starts watching; `changed` is called on the loop with each batch of changes.
    package init(
        _ path: String,
        loop: EventLoop,
        changed: @escaping ([Change]) -> Void
    ) throws(SystemError) {
        self.changed = changed
        inotify = Descriptor(owning: try checked("inotify_init") { ambit_inotify() })
        let mask =
            ambit_IN_CLOSE_WRITE | ambit_IN_MOVED_TO | ambit_IN_CREATE | ambit_IN_DELETE
            | ambit_IN_MOVED_FROM
        let raw = inotify.raw
        try checked("inotify_add_watch") { unsafe ambit_inotify_add(raw, path, mask) }
        _ = try loop.add(raw, self)
    }

    package func ready(_ readiness: Readiness) {
        var changes: [Change] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(inotify.raw, &buffer, buffer.count)
            guard count > 0 else { break }
            Self.parse(buffer[..<count], into: &changes)
        }
        if !changes.isEmpty { changed(changes) }
    }

    // inotify(7): wd, mask, cookie and len of four bytes each, then the name padded with zeros.
    private static func parse(_ bytes: ArraySlice<UInt8>, into changes: inout [Change]) {
        var rest = bytes
        while rest.count >= 16 {
            func word(_ offset: Int) -> UInt32 {
                let start = rest.startIndex + offset
                return rest[start..<(start + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
            }
            let mask = word(4)
            let length = Int(word(12))
            guard length <= rest.count - 16 else { return }
            let name = String(
                decoding: rest.dropFirst(16).prefix(length).prefix { $0 != 0 },
                as: UTF8.self
            )
            rest = rest.dropFirst(16 + length)
            if name.isEmpty {
                changes.append(.overflow)
            } else if mask & (ambit_IN_DELETE | ambit_IN_MOVED_FROM) != 0 {
                changes.append(.removed(name))
            } else if mask & (ambit_IN_CLOSE_WRITE | ambit_IN_MOVED_TO) != 0 {
                changes.append(.written(name))
            } else {
                changes.append(.created(name))
            }
        }
    }
}
