internal import Foundation
internal import Reactor
internal import Synchronization

/// What programs wrote to a folder's objects, as JSON lines for people and tests.
final class WriteLog: Sendable {
    /// A file that has grown to this is moved to `NAME.1` and begun anew.
    static let bytesMax = 16 << 20

    private let path: String
    private let file = Mutex<(handle: FileHandle, bytes: Int)?>(nil)

    /// Writes to the end of a file that only its owner may read; nowhere when `path` is empty.
    init(path: String) { self.path = path }

    /// Adds a line; one that cannot be written is lost.
    func add(_ operation: String, _ key: FolderKey, _ object: Value) {
        guard !path.isEmpty else { return }
        var shown = object
        // Keys and tokens are nobody's to read.
        for field in ["data", "stringData"] where key.kind == "Secret" && shown[field] != .null {
            shown[field] = "not shown"
        }
        let line: Value = [
            "time": .string(Timestamp.text(nanoseconds: WallClock.nanoseconds())),
            "operation": .string(operation), "kind": .string(key.kind),
            "namespace": .string(key.namespace), "name": .string(key.name), "object": shown,
        ]
        let bytes = line.jsonBytes() + [0x0A]
        file.withLock { file in
            if let open = file, open.bytes > Self.bytesMax {
                try? open.handle.close()
                file = nil
                _ = try? FileManager.default.removeItem(atPath: path + ".1")
                _ = try? FileManager.default.moveItem(atPath: path, toPath: path + ".1")
            }
            if file == nil { file = open() }
            try? file?.handle.write(contentsOf: bytes)
            file?.bytes += bytes.count
        }
    }

    private func open() -> (handle: FileHandle, bytes: Int)? {
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(
                atPath: path,
                contents: nil,
                attributes: [.posixPermissions: 0o600]
            )
        }
        guard let handle = FileHandle(forWritingAtPath: path) else { return nil }
        let bytes = (try? handle.seekToEnd()) ?? 0
        return (handle, Int(clamping: bytes))
    }
}
