internal import JSON

/// Who is enrolled, as the node proxy leaves it on the host for times when it is not there.
///
/// The plugin reads it to decide whether a pod must wait for the proxy. It is replaced as a whole.
package struct EnrolmentRecord: Sendable, Equatable {
    /// The form of the file.
    static let formVersion: Int64 = 1
    /// The largest file that is read, in bytes: 63 for each of 100,000 names and to spare.
    package static let bytesMax = 16 << 20
    /// Namespaces whose pods never wait, whatever the file says: without them nothing comes back.
    package static let systemNamespaces: Set<String> = ["kube-system", "ambit-system"]

    /// Namespaces that enrol their pods.
    package var namespaces: Set<String> = []
    /// `NAMESPACE/NAME` of pods that enrol themselves.
    package var enrolledPods: Set<String> = []
    /// `NAMESPACE/NAME` of pods that opted out of their namespace's enrolment.
    package var optedOutPods: Set<String> = []
    /// Namespaces whose pods never wait, beside `systemNamespaces`.
    package var excludedNamespaces: Set<String> = []

    /// Nobody is enrolled.
    package init() {}

    /// What the record says of a pod.
    package enum Answer: Sendable, Equatable {
        case enrolled, notEnrolled
        /// The pod must not wait for anything.
        case excluded
    }

    /// Looks a pod up.
    package func answer(namespace: String, name: String) -> Answer {
        if EnrolmentRecord.systemNamespaces.contains(namespace)
            || excludedNamespaces.contains(namespace)
        {
            return .excluded
        }
        let key = "\(namespace)/\(name)"
        if enrolledPods.contains(key) { return .enrolled }
        if optedOutPods.contains(key) { return .notEnrolled }
        return namespaces.contains(namespace) ? .enrolled : .notEnrolled
    }

    /// The file's text; equal records give equal text.
    package var text: [UInt8] {
        func list(_ names: Set<String>) -> JSON { .array(names.sorted().map { .string($0) }) }
        return JSON.object([
            ("version", .integer(EnrolmentRecord.formVersion)),
            ("namespaces", list(namespaces)),
            ("pods", list(enrolledPods)),
            ("optedOut", list(optedOutPods)),
            ("excluded", list(excludedNamespaces)),
        ]).pretty()
    }

    /// Reads the file's text; a part that is missing or odd refuses the whole.
    package init(_ bytes: [UInt8]) throws(CNIError) {
        let root: JSON
        do throws(JSON.Failure) {
            root = try JSON.parse(bytes, depthMax: 4, bytesMax: EnrolmentRecord.bytesMax)
        } catch {
            throw CNIError(
                .undecodable,
                "the record of who is enrolled is not JSON",
                details: error.description
            )
        }
        guard root["version"]?.integerValue == EnrolmentRecord.formVersion else {
            throw CNIError(
                .undecodable,
                "the record of who is enrolled has a form this plugin does not know",
                details: "version must be \(EnrolmentRecord.formVersion)"
            )
        }
        namespaces = try EnrolmentRecord.names(root, "namespaces")
        enrolledPods = try EnrolmentRecord.names(root, "pods")
        optedOutPods = try EnrolmentRecord.names(root, "optedOut")
        excludedNamespaces = try EnrolmentRecord.names(root, "excluded")
    }

    private static func names(_ root: JSON, _ member: String) throws(CNIError) -> Set<String> {
        let refused = CNIError(
            .undecodable,
            "the record of who is enrolled is damaged",
            details: "\(member) must be a list of strings"
        )
        guard let list = root[member]?.arrayValue else { throw refused }
        var names: Set<String> = []
        for element in list {
            guard let name = element.stringValue else { throw refused }
            names.insert(name)
        }
        return names
    }
}
