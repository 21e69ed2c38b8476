internal import Reactor

/// Something that happened to an object, for people to read (events.k8s.io/v1 Event).
package struct ClusterEvent: Sendable, Hashable {
    /// What the API server takes at most.
    package enum Limit {
        package static let noteBytesMax = 1_024
        package static let wordBytesMax = 128
    }

    /// The object it is about.
    package var regarding: ObjectReference
    /// Empty where it is not known.
    package var regardingUID: String = ""
    package var isWarning: Bool
    /// One word in CamelCase, such as `CaptureFailed`.
    package var reason: String
    /// What was tried, one word in CamelCase.
    package var action: String
    /// A sentence; cut at 1,024 bytes.
    package var note: String
    /// Such as `ambit.dev/controller`.
    package var controller: String
    /// Which of several replicas or nodes.
    package var instance: String

    package init(
        regarding: ObjectReference,
        isWarning: Bool,
        reason: String,
        action: String,
        note: String,
        controller: String,
        instance: String
    ) {
        self.regarding = regarding
        self.isWarning = isWarning
        self.reason = reason
        self.action = action
        self.note = note
        self.controller = controller
        self.instance = instance
    }

    /// The object to create, of this moment and with a name of its own.
    package var value: Value {
        let now = WallClock.nanoseconds()
        let place = regarding.namespace.isEmpty ? "default" : regarding.namespace
        let suffix = String(UInt64.random(in: 0 ... .max), radix: 16)
        var object: Value = [
            "apiVersion": .string(regarding.resource.apiVersion),
            "kind": .string(regarding.resource.kind),
            "name": .string(regarding.name),
        ]
        if !regarding.namespace.isEmpty { object["namespace"] = .string(regarding.namespace) }
        if !regardingUID.isEmpty { object["uid"] = .string(regardingUID) }
        return [
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": [
                "name": .string("\(regarding.name.prefix(200)).\(suffix)"),
                "namespace": .string(place),
            ],
            "eventTime": .string(Timestamp.microText(nanoseconds: now)),
            "type": isWarning ? "Warning" : "Normal",
            "reason": .string(Self.cut(reason, Limit.wordBytesMax)),
            "action": .string(Self.cut(action, Limit.wordBytesMax)),
            "note": .string(Self.cut(note, Limit.noteBytesMax)),
            "regarding": object,
            "reportingController": .string(controller),
            "reportingInstance": .string(Self.cut(instance, Limit.wordBytesMax)),
        ]
    }

    private static func cut(_ text: String, _ bytesMax: Int) -> String {
        guard text.utf8.count > bytesMax else { return text }
        var result = ""
        var bytes = 0
        for character in text {
            bytes += character.utf8.count
            if bytes > bytesMax { break }
            result.append(character)
        }
        return result
    }
}
