internal import AmbientProtocol
internal import Crypto
internal import FoundationEssentials
internal import Mesh
internal import SwiftProtobuf

/// What a resource is, as the store keeps apart and serves in this order.
enum ResourceType: Int, CaseIterable, Sendable {
    // What is revoked and policies go out first: a workload must not be served before what guards
    // it.
    case revocation
    case authorization
    case address

    /// The types that a sync waits for; the others a foreign control plane or node may not know.
    static let ofMesh: [Self] = [.authorization, .address]

    init?(typeURL: String) {
        guard let found = Self.allCases.first(where: { $0.typeURL == typeURL }) else { return nil }
        self = found
    }

    var typeURL: String {
        switch self {
        case .revocation: TypeURL.revocation
        case .authorization: TypeURL.authorization
        case .address: TypeURL.address
        }
    }
}

/// One resource, encoded once for all clients; immutable.
final class EncodedResource: Sendable {
    let name: String
    /// A hash of the content: the same from every replica, at every start.
    let version: String
    /// The fields `version`, `resource` and `name` of the message `Resource`.
    let body: [UInt8]
    /// Other names clients ask for it by: `network/ip`.
    let aliases: [String]
    /// Keys of the services it is an endpoint of.
    let services: [String]
    /// For a policy: the namespace whose nodes need it; nil when all do.
    let scope: String?

    private init(
        type: ResourceType,
        name: String,
        message: some Message,
        aliases: [String] = [],
        services: [String] = [],
        scope: String? = nil
    ) {
        // Encoding to memory fails only for required fields, which proto3 has none of.
        let content = EncodedMessage.bytes(of: message)
        self.name = name
        self.version = Self.version(of: content)
        self.aliases = aliases
        self.services = services
        self.scope = scope
        var any = EncodedMessage()
        any.text(1, type.typeURL)
        any.bytes(2, content)
        var body = EncodedMessage()
        body.text(1, version)
        body.bytes(2, any.encoded)
        body.text(3, name)
        self.body = body.encoded
    }

    convenience init(_ workload: Workload) {
        var address = Istio_Workload_Address()
        address.workload = workload.wire
        self.init(
            type: .address,
            name: workload.uid,
            message: address,
            aliases: workload.addresses.map { "\(workload.network)/\($0)" },
            services: workload.services.keys.sorted()
        )
    }

    convenience init(_ service: Service) {
        var address = Istio_Workload_Address()
        address.service = service.wire
        self.init(
            type: .address,
            name: service.key,
            message: address,
            aliases: service.addresses.filter(\.prefix.isHost)
                .map { "\($0.network)/\($0.prefix.address)" }
        )
    }

    convenience init(_ policy: Policy, rootNamespace: String) {
        let isForAll = policy.scope == .global || policy.namespace == rootNamespace
        self.init(
            type: .authorization,
            name: policy.key,
            message: policy.wire,
            scope: isForAll ? nil : policy.namespace
        )
    }

    /// The name of the one resource of revocation lists.
    static let revocationName = "lists"

    convenience init(revocationLists text: String) {
        self.init(
            type: .revocation,
            name: Self.revocationName,
            message: Google_Protobuf_BytesValue(Data(text.utf8))
        )
    }

    /// 88 bits of SHA-256 in 15 characters, which Swift keeps without an allocation.
    private static func version(of content: [UInt8]) -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
        )
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in SHA256.hash(data: content).prefix(11) {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 0x3F)])
            }
            bits &= 0xFF
        }
        text.append(alphabet[Int(bits << UInt32(6 - count) & 0x3F)])
        return String(decoding: text, as: UTF8.self)
    }
}
