internal import JSON

/// A file in `/etc/cni/net.d`, and the plugin's place in it; pure.
///
/// Everything else in the file keeps its value and its order.
package struct ConfigurationList: Sendable, Equatable {
    /// The type of our plugin, which is the name of its file.
    package static let pluginType = "ambit-cni"
    /// The largest file that is read, in bytes.
    package static let bytesMax = 1 << 20

    /// Why a file is left alone.
    package struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        package let reason: String

        /// The reason.
        package var description: String { reason }
    }

    /// The files a runtime looks at, in the order in which it prefers them.
    package static func candidates(_ names: [String]) -> [String] {
        names.filter { name in
            // A dot file with one of the endings is read by runtimes as any other.
            [".conf", ".conflist", ".json"].contains { name.hasSuffix($0) && name != $0 }
        }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The name of the list that takes the place of a file with a single plugin.
    ///
    /// It must sort where the file did; the file itself is renamed out of the way.
    package static func listName(for name: String) -> String {
        for ending in [".conf", ".json"] where name.hasSuffix(ending) {
            return name.dropLast(ending.count) + ".conflist"
        }
        return name
    }

    /// The name under which a converted file waits to come back.
    package static func savedName(for name: String) -> String { name + ".ambit-saved" }

    /// The file a saved one was; nil for any other name.
    package static func originalName(ofSaved name: String) -> String? {
        let ending = ".ambit-saved"
        guard name.hasSuffix(ending), name.utf8.count > ending.utf8.count else { return nil }
        return String(name.dropLast(ending.count))
    }

    /// The members of the file, in their order.
    private var members: [(String, JSON)]
    /// Whether it was a list from the beginning, not a single plugin.
    package let wasList: Bool

    /// Reads a file: a list, or a single plugin, which is made a list of one.
    package init(_ bytes: [UInt8]) throws(Refusal) {
        let root: JSON
        do throws(JSON.Failure) {
            root = try JSON.parse(bytes, depthMax: 32, bytesMax: ConfigurationList.bytesMax)
        } catch {
            throw Refusal(reason: "not JSON: \(error)")
        }
        guard let found = root.objectValue else {
            throw Refusal(reason: "must be an object, is \(root.kind)")
        }
        switch root["plugins"] {
        case .array(let plugins):
            guard !plugins.isEmpty, plugins.allSatisfy({ $0["type"]?.stringValue != nil }) else {
                throw Refusal(reason: "plugins must be a list of objects that have a type")
            }
            members = found
            wasList = true
        case nil:
            guard root["type"]?.stringValue != nil else {
                throw Refusal(reason: "has neither plugins nor a type")
            }
            members = ConfigurationList.list(of: found)
            wasList = false
        case .some(let other):
            throw Refusal(reason: "plugins must be a list, is \(other.kind)")
        }
        let version = root["cniVersion"]?.stringValue ?? ""
        guard CNIVersion(rawValue: version) != nil else {
            throw Refusal(reason: "has cniVersion \"\(version)\", which has no chained plugins")
        }
        guard let name = root["name"]?.stringValue, !name.isEmpty else {
            throw Refusal(reason: "name must be a string that is not empty")
        }
    }

    /// A list has the version and the name, its plugins have not.
    private static func list(of plugin: [(String, JSON)]) -> [(String, JSON)] {
        let shared = ["cniVersion", "name"]
        return plugin.filter { shared.contains($0.0) } + [
            ("plugins", .array([.object(plugin.filter { !shared.contains($0.0) })]))
        ]
    }

    private var plugins: [JSON] {
        get { JSON.object(members)["plugins"]?.arrayValue ?? [] }
        set {
            guard let place = members.firstIndex(where: { $0.0 == "plugins" }) else { return }
            members[place].1 = .array(newValue)
        }
    }

    private static func isOurs(_ plugin: JSON) -> Bool {
        plugin["type"]?.stringValue == pluginType
    }

    /// Whether the plugin is in the list.
    package var hasPlugin: Bool { plugins.contains(where: ConfigurationList.isOurs) }

    /// Whether nothing but the plugin is in the list, which then makes no network at all.
    package var isOnlyPlugin: Bool { plugins.allSatisfy(ConfigurationList.isOurs) }

    /// Puts the plugin at the end, unless it is there already, wherever that is.
    ///
    /// One that is there with other paths gets these. Empty paths mean the plugin's defaults.
    package mutating func insert(socketPath: String, enrolmentPath: String) {
        var entry: [(String, JSON)] = [("type", .string(ConfigurationList.pluginType))]
        if !socketPath.isEmpty, socketPath != CNIConfiguration.defaultSocket {
            entry.append(("socket", .string(socketPath)))
        }
        if !enrolmentPath.isEmpty, enrolmentPath != CNIConfiguration.defaultEnrolment {
            entry.append(("enrolment", .string(enrolmentPath)))
        }
        let first = plugins.firstIndex(where: ConfigurationList.isOurs)
        var others: [JSON] = []
        for (index, plugin) in plugins.enumerated() {
            if index == first {
                others.append(.object(entry))
            } else if !ConfigurationList.isOurs(plugin) {
                others.append(plugin)
            }
        }
        plugins = first == nil ? others + [.object(entry)] : others
    }

    /// Takes the plugin out.
    package mutating func remove() {
        plugins.removeAll(where: ConfigurationList.isOurs)
    }

    /// The text of the file.
    package var text: [UInt8] { JSON.object(members).pretty() }

    /// Equal in value and in the order of everything.
    package static func == (left: ConfigurationList, right: ConfigurationList) -> Bool {
        left.wasList == right.wasList && JSON.object(left.members) == JSON.object(right.members)
    }
}
