/// One event of a watch (meta/v1 WatchEvent).
package enum WatchEvent: Sendable, Equatable {
    /// Added or modified.
    case set(Value)
    case deleted(Value)
    /// Nothing happened up to this resourceVersion.
    case bookmark(String)
    /// The watch is over; `code` as of HTTP.
    case failed(code: Int64, reason: String, message: String)
    /// One that is not known to this version.
    case unknown

    /// Reads one line, the object without what is to be left out; fails when it is no event.
    package init(line: [UInt8], omitting omission: Omission = .nothing) throws(AccessError) {
        let value: Value
        do {
            value = try Value(json: line, omitting: ["object": omission])
        } catch {
            throw AccessError("an event is no JSON: \(error)")
        }
        let object = value["object"]
        guard let type = value["type"].stringValue, case .map = object else {
            throw AccessError("an event has no type or no object")
        }
        switch type {
        case "ADDED", "MODIFIED": self = .set(object)
        case "DELETED": self = .deleted(object)
        case "BOOKMARK":
            self = .bookmark(object["metadata"]["resourceVersion"].stringValue ?? "")
        case "ERROR":
            self = .failed(
                code: object["code"].integerValue ?? 0,
                reason: object["reason"].stringValue ?? "",
                message: FieldError.printable(object["message"].stringValue ?? "")
            )
        default: self = .unknown
        }
    }
}
