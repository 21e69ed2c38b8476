/// A `DeltaDiscoveryResponse` as it is put together for one client.
struct EncodedResponse: Sendable {
    /// What `system_version_info` says when more of the same sync follows.
    static let partial = "partial"

    private var message = EncodedMessage()
    /// Resources and removals in it.
    private(set) var count = 0

    /// Bytes so far.
    var bytes: Int { message.encoded.count }

    mutating func add(_ resource: EncodedResource, withAliases: Bool) {
        count += 1
        guard withAliases, !resource.aliases.isEmpty else {
            message.bytes(2, resource.body)
            return
        }
        var aliases = EncodedMessage()
        for alias in resource.aliases { aliases.text(4, alias) }
        message.bytes(2, resource.body, aliases.encoded)
    }

    mutating func remove(_ name: String) {
        count += 1
        message.text(6, name)
    }

    /// Completes the message; fields may stand in any order.
    mutating func finish(type: ResourceType, nonce: String, isPartial: Bool) -> EncodedMessage {
        if isPartial { message.text(1, Self.partial) }
        message.text(4, type.typeURL)
        message.text(5, nonce)
        return message
    }
}
