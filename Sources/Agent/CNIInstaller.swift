internal import CNI
internal import Reactor

/// Puts the CNI plugin on the host and into the configuration of its network, and takes it out.
///
/// Every file is replaced in one step, and only when it must change. Not safe to use from two
/// threads at once.
package struct CNIInstaller: Sendable {
    /// Where everything is.
    package struct Paths: Sendable, Equatable {
        /// The plugin in the image.
        package var plugin: String
        package var binFolder: String
        package var configurationFolder: String
        /// What the plugin must know; defaults are not written down.
        package var socket: String
        package var enrolment: String

        package init(
            plugin: String,
            binFolder: String,
            configurationFolder: String,
            socket: String,
            enrolment: String
        ) {
            self.plugin = plugin
            self.binFolder = binFolder
            self.configurationFolder = configurationFolder
            self.socket = socket
            self.enrolment = enrolment
        }
    }

    /// Something that is not as it should be.
    package struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
        package let path: String
        package let reason: String

        /// Path and reason.
        package var description: String { "\(path): \(reason)" }
    }

    /// What a call has done.
    package struct Report: Sendable, Equatable {
        /// Files that were written or renamed.
        package var changed: [String] = []
        package var problems: [Problem] = []
        /// The configuration that has the plugin; empty for none.
        package var configuration: String = ""
    }

    /// The largest plugin that is copied, in bytes.
    private static let pluginBytesMax = 256 << 20

    package let paths: Paths

    package init(_ paths: Paths) {
        self.paths = paths
    }

    private var installedPlugin: String {
        "\(paths.binFolder)/\(ConfigurationList.pluginType)"
    }

    // MARK: in

    /// Brings both to what they should be; the plugin first, so that nothing calls a missing one.
    package func install() -> Report {
        var report = Report()
        do throws(Problem) {
            try copyPlugin(&report)
        } catch {
            report.problems.append(error)
            // The configuration must not call what is not there.
            guard Folder.exists(installedPlugin) else { return report }
        }
        insert(&report)
        return report
    }

    private func copyPlugin(_ report: inout Report) throws(Problem) {
        let wanted = try read(paths.plugin, bytesMax: CNIInstaller.pluginBytesMax)
        let present = try? read(installedPlugin, bytesMax: CNIInstaller.pluginBytesMax)
        guard present != wanted || Folder.mode(of: installedPlugin) != 0o755 else { return }
        try write(installedPlugin, wanted, mode: 0o755)
        report.changed.append(installedPlugin)
    }

    /// Puts the plugin into the first file that a runtime would take.
    private func insert(_ report: inout Report) {
        let names: [String]
        do throws(Problem) {
            names = try listing()
        } catch {
            report.problems.append(error)
            return
        }
        for name in ConfigurationList.candidates(names) {
            do throws(Problem) {
                guard try insert(into: name, &report) else { continue }
                report.configuration = name
                return
            } catch {
                // A runtime passes over what it does not understand, and so do we.
                report.problems.append(error)
            }
        }
        if report.problems.isEmpty {
            report.problems.append(
                Problem(path: paths.configurationFolder, reason: "no configuration there yet")
            )
        }
    }

    /// False for a file that is gone.
    private func insert(into name: String, _ report: inout Report) throws(Problem) -> Bool {
        let path = "\(paths.configurationFolder)/\(name)"
        guard Folder.exists(path) else { return false }
        let before = try list(path)
        var after = before
        after.insert(socketPath: paths.socket, enrolmentPath: paths.enrolment)
        if before.wasList {
            guard after != before else { return true }
            try write(path, after.text, mode: Folder.mode(of: path) ?? 0o644)
            report.changed.append(path)
            return true
        }
        // The list comes first and the file leaves then: a runtime that looks in between finds
        // the file, which still sorts before the list.
        let listPath = "\(paths.configurationFolder)/\(ConfigurationList.listName(for: name))"
        try write(listPath, after.text, mode: Folder.mode(of: path) ?? 0o644)
        let saved = "\(paths.configurationFolder)/\(ConfigurationList.savedName(for: name))"
        try move(path, to: saved)
        report.changed += [listPath, saved]
        return true
    }

    // MARK: out

    /// Takes the plugin out of every file, brings converted ones back, and removes the plugin.
    package func remove() -> Report {
        var report = Report()
        do throws(Problem) {
            let names = try listing()
            for name in ConfigurationList.candidates(names) {
                do throws(Problem) {
                    try remove(from: name, names, &report)
                } catch {
                    report.problems.append(error)
                }
            }
        } catch {
            report.problems.append(error)
        }
        // Nothing calls it any more; where something still does, it must stay.
        guard report.problems.isEmpty else { return report }
        if Folder.exists(installedPlugin) {
            do throws(SystemError) {
                try Folder.remove(installedPlugin)
                report.changed.append(installedPlugin)
            } catch {
                report.problems.append(Problem(path: installedPlugin, reason: "\(error)"))
            }
        }
        return report
    }

    private func remove(
        from name: String,
        _ names: [String],
        _ report: inout Report
    ) throws(Problem) {
        let path = "\(paths.configurationFolder)/\(name)"
        // What we cannot read we have not written.
        guard var list = try? list(path), list.hasPlugin else { return }
        let saved = names.first { candidate in
            ConfigurationList.originalName(ofSaved: candidate).map {
                ConfigurationList.listName(for: $0) == name
            } ?? false
        }
        if let saved, let original = ConfigurationList.originalName(ofSaved: saved) {
            let folder = paths.configurationFolder
            // Another one may have been put in its place since: that is newer.
            if !Folder.exists("\(folder)/\(original)") {
                try move("\(folder)/\(saved)", to: "\(folder)/\(original)")
            } else {
                try unlink("\(folder)/\(saved)")
            }
            try unlink(path)
            report.changed += ["\(folder)/\(original)", path]
            return
        }
        if list.isOnlyPlugin {
            try unlink(path)
        } else {
            list.remove()
            try write(path, list.text, mode: Folder.mode(of: path) ?? 0o644)
        }
        report.changed.append(path)
    }

    // MARK: files

    private func listing() throws(Problem) -> [String] {
        do throws(SystemError) {
            return try Folder.names(paths.configurationFolder, entriesMax: 4096)
        } catch {
            throw Problem(path: paths.configurationFolder, reason: "\(error)")
        }
    }

    private func list(_ path: String) throws(Problem) -> ConfigurationList {
        let bytes = try read(path, bytesMax: ConfigurationList.bytesMax)
        do throws(ConfigurationList.Refusal) {
            return try ConfigurationList(bytes)
        } catch {
            throw Problem(path: path, reason: error.reason)
        }
    }

    private func read(_ path: String, bytesMax: Int) throws(Problem) -> [UInt8] {
        do throws(SystemError) {
            return try WatchedFile.contents(path, bytesMax: bytesMax)
        } catch {
            throw Problem(path: path, reason: "\(error)")
        }
    }

    private func write(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(Problem) {
        do throws(SystemError) {
            try Folder.replace(path, with: bytes, mode: mode)
        } catch {
            throw Problem(path: path, reason: "\(error)")
        }
    }

    private func move(_ path: String, to other: String) throws(Problem) {
        do throws(SystemError) {
            try Folder.move(path, to: other)
        } catch {
            throw Problem(path: path, reason: "\(error)")
        }
    }

    private func unlink(_ path: String) throws(Problem) {
        do throws(SystemError) {
            try Folder.remove(path)
        } catch {
            throw Problem(path: path, reason: "\(error)")
        }
    }
}
