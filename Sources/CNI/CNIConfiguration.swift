package import JSON

/// The network configuration a runtime gives the plugin on standard input.
///
/// Ours are `socket` and `enrolment`, two paths; everything else is the runtime's.
package struct CNIConfiguration: Sendable, Equatable {
    /// The largest configuration that is read, `prevResult` included, in bytes.
    package static let bytesMax = 1 << 20
    /// Where the node proxy takes pods.
    package static let defaultSocket = "/var/run/ambit/cni.sock"
    /// Where the node proxy writes who is enrolled.
    package static let defaultEnrolment = "/var/lib/ambit/enrolment.json"

    package let version: CNIVersion
    /// The result of the plugin before this one, as it came; nil when there is none.
    package let previousResult: JSON?
    package let socketPath: String
    package let enrolmentPath: String

    /// Reads the text.
    package init(_ bytes: [UInt8]) throws(CNIError) {
        let root: JSON
        do throws(JSON.Failure) {
            root = try JSON.parse(bytes, depthMax: 32, bytesMax: CNIConfiguration.bytesMax)
        } catch {
            throw CNIError(
                .undecodable,
                "the network configuration is not JSON",
                details: error.description
            )
        }
        guard root.objectValue != nil else {
            throw CNIError(
                .undecodable,
                "the network configuration must be an object",
                details: "it is \(root.kind)"
            )
        }
        version = try CNIConfiguration.version(root)
        switch root["prevResult"] {
        case nil, .null: previousResult = nil
        case .object(let members): previousResult = .object(members)
        case .some(let other):
            throw CNIError(
                .invalidConfiguration,
                "prevResult must be an object",
                details: "it is \(other.kind)"
            )
        }
        socketPath = try CNIConfiguration.path(root, "socket") ?? CNIConfiguration.defaultSocket
        enrolmentPath =
            try CNIConfiguration.path(root, "enrolment") ?? CNIConfiguration.defaultEnrolment
    }

    private static func version(_ root: JSON) throws(CNIError) -> CNIVersion {
        // Without a version the specification means 0.1.0, which has no chains.
        let text = root["cniVersion"]?.stringValue ?? "0.1.0"
        guard let version = CNIVersion(rawValue: text) else {
            throw CNIError(
                .incompatibleVersion,
                "the plugin does not speak this version of CNI",
                details: "versions are "
                    + CNIVersion.allCases.map(\.rawValue).joined(separator: ", ")
            )
        }
        return version
    }

    private static func path(_ root: JSON, _ name: String) throws(CNIError) -> String? {
        guard let value = root[name] else { return nil }
        guard let text = value.stringValue, text.hasPrefix("/"), !text.utf8.contains(0) else {
            throw CNIError(.invalidConfiguration, "\(name) must be an absolute path")
        }
        return text
    }
}
