internal import CLinux
internal import Glibc

/// Files of a folder, for threads outside the workers: names, and replacement in one step.
package enum Folder {
    /// The names in a folder without `.` and `..`, in no order; at most `entriesMax`, the rest is
    /// left out.
    package static func names(
        _ path: String,
        entriesMax: Int = 1 << 20
    ) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(path) else {
            throw SystemError(call: "opendir \(path)", code: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while names.count < entriesMax, let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Replaces a file in one step that outlives a crash: readers see the old or the new, whole.
    ///
    /// The new file is written beside the old one under a name that starts with a dot and ends in
    /// `.tmp`, forced to disk and renamed; `mode` are its permissions.
    package static func replace(
        _ path: String,
        with bytes: [UInt8],
        mode: UInt32
    ) throws(SystemError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        let fresh = "\(folder)/.\(name).\(getpid()).tmp"
        do throws(SystemError) {
            let file = Descriptor(
                owning: try checked("open") {
                    unsafe ambit_open(fresh, O_WRONLY | O_CREAT | O_TRUNC, mode)
                }
            )
            var sent = 0
            while sent < bytes.count {
                sent += try checked("write") {
                    unsafe bytes.withUnsafeBytes {
                        unsafe write(file.raw, $0.baseAddress?.advanced(by: sent), $0.count - sent)
                    }
                }
            }
            try checked("fchmod") { fchmod(file.raw, mode) }
            try checked("fsync") { fsync(file.raw) }
            try checked("rename") { unsafe rename(fresh, path) }
        } catch {
            unsafe unlink(fresh)
            throw error
        }
        sync(folder.isEmpty ? "/" : folder)
    }

    /// Moves a file within its file system, in place of what has the new name.
    package static func move(_ path: String, to other: String) throws(SystemError) {
        try checked("rename") { unsafe rename(path, other) }
    }

    /// Removes a file; nothing happens when it is gone.
    package static func remove(_ path: String) throws(SystemError) {
        do throws(SystemError) {
            try checked("unlink") { unsafe unlink(path) }
        } catch {
            guard error.code == ENOENT else { throw error }
        }
    }

    /// Whether a path names something.
    package static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0
    }

    /// Device and inode of a file.
    package struct Identity: Hashable, Sendable {
        package let device: UInt64
        package let inode: UInt64
    }

    /// What identifies the file a path names; nil when it cannot be asked.
    package static func identity(of path: String) -> Identity? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// The permissions of a file; nil when it cannot be asked.
    package static func mode(of path: String) -> UInt32? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return UInt32(status.st_mode) & 0o777
    }

    // A rename is on disk once its folder is; where that cannot be forced, it comes later.
    private static func sync(_ folder: String) {
        let raw = unsafe ambit_open(folder, O_RDONLY | O_DIRECTORY, 0)
        guard raw >= 0 else { return }
        let held = Descriptor(owning: raw)
        fsync(held.raw)
    }
}
