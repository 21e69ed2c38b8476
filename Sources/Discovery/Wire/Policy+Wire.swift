package import AmbientProtocol
internal import FoundationEssentials
package import Mesh
internal import SwiftProtobuf

extension Policy {
    /// Decodes a policy whole or refuses it whole: a part left out could change what it means.
    package init(
        _ wire: Istio_Security_Authorization,
        resource: String
    ) throws(ResourceRejection) {
        let fields = WireFields(resource: resource)
        let scope: Scope
        switch wire.scope {
        case .global: scope = .global
        case .namespace: scope = .namespace
        case .workloadSelector: scope = .workloadSelector
        case .UNRECOGNIZED(let number): throw fields.unknown("scope", number)
        }
        let action: Action
        switch wire.action {
        case .allow: action = .allow
        case .deny: action = .deny
        case .UNRECOGNIZED(let number): throw fields.unknown("action", number)
        }
        guard wire.extensions.isEmpty else {
            throw fields.failure("extensions", "are not supported in policies")
        }
        try fields.refuseUnknown(wire, "")
        self.init(
            name: try fields.requiredText(wire.name, "name"),
            namespace: try fields.segment(wire.namespace, "namespace"),
            scope: scope,
            action: action
        )
        dryRun = wire.dryRun
        for (index, group) in wire.groups.enumerated() {
            rules.append(try Rule(group, fields, "groups[\(index)]"))
        }
    }

    /// The policy as it goes on the wire.
    package var wire: Istio_Security_Authorization {
        var wire = Istio_Security_Authorization()
        wire.name = name
        wire.namespace = namespace
        wire.scope =
            switch scope {
            case .global: .global
            case .namespace: .namespace
            case .workloadSelector: .workloadSelector
            }
        wire.action = action == .allow ? .allow : .deny
        wire.groups = rules.map { rule in
            var group = Istio_Security_Group()
            group.rules = rule.clauses.map { clause in
                var rules = Istio_Security_Rules()
                rules.matches = clause.matches.map(\.wire)
                return rules
            }
            return group
        }
        wire.dryRun = dryRun
        return wire
    }
}

extension Policy.Rule {
    fileprivate init(
        _ wire: Istio_Security_Group,
        _ fields: WireFields,
        _ place: String
    ) throws(ResourceRejection) {
        try fields.refuseUnknown(wire, place)
        var clauses: [Policy.Clause] = []
        for (index, rules) in wire.rules.enumerated() {
            try fields.refuseUnknown(rules, "\(place).rules[\(index)]")
            var matches: [Policy.Match] = []
            for (number, match) in rules.matches.enumerated() {
                let field = "\(place).rules[\(index)].matches[\(number)]"
                matches.append(try Policy.Match(match, fields, field))
            }
            clauses.append(Policy.Clause(matches: matches))
        }
        self.init(clauses: clauses)
    }
}

extension Policy.Match {
    fileprivate init(
        _ wire: Istio_Security_Match,
        _ fields: WireFields,
        _ place: String
    ) throws(ResourceRejection) {
        guard wire.extensions.isEmpty else {
            throw fields.failure(place + ".extensions", "are not supported in policies")
        }
        try fields.refuseUnknown(wire, place)
        self.init()
        namespaces = try fields.texts(wire.namespaces, place + ".namespaces")
        notNamespaces = try fields.texts(wire.notNamespaces, place + ".not_namespaces")
        principals = try fields.texts(wire.principals, place + ".principals")
        notPrincipals = try fields.texts(wire.notPrincipals, place + ".not_principals")
        sourceIPs = try fields.blocks(wire.sourceIps, place + ".source_ips")
        notSourceIPs = try fields.blocks(wire.notSourceIps, place + ".not_source_ips")
        destinationIPs = try fields.blocks(wire.destinationIps, place + ".destination_ips")
        notDestinationIPs = try fields.blocks(
            wire.notDestinationIps,
            place + ".not_destination_ips"
        )
        destinationPorts = try fields.portNumbers(
            wire.destinationPorts,
            place + ".destination_ports"
        )
        notDestinationPorts = try fields.portNumbers(
            wire.notDestinationPorts,
            place + ".not_destination_ports"
        )
        serviceAccounts = try fields.accounts(wire.serviceAccounts, place + ".service_accounts")
        notServiceAccounts = try fields.accounts(
            wire.notServiceAccounts,
            place + ".not_service_accounts"
        )
    }

    fileprivate var wire: Istio_Security_Match {
        var wire = Istio_Security_Match()
        wire.namespaces = namespaces.map(\.wire)
        wire.notNamespaces = notNamespaces.map(\.wire)
        wire.principals = principals.map(\.wire)
        wire.notPrincipals = notPrincipals.map(\.wire)
        wire.sourceIps = sourceIPs.map(\.wire)
        wire.notSourceIps = notSourceIPs.map(\.wire)
        wire.destinationIps = destinationIPs.map(\.wire)
        wire.notDestinationIps = notDestinationIPs.map(\.wire)
        wire.destinationPorts = destinationPorts.map(UInt32.init)
        wire.notDestinationPorts = notDestinationPorts.map(UInt32.init)
        wire.serviceAccounts = serviceAccounts.map(\.wire)
        wire.notServiceAccounts = notServiceAccounts.map(\.wire)
        return wire
    }
}

extension Policy.StringMatch {
    fileprivate var wire: Istio_Security_StringMatch {
        var wire = Istio_Security_StringMatch()
        switch self {
        case .exact(let text): wire.exact = text
        case .prefix(let text): wire.prefix = text
        case .suffix(let text): wire.suffix = text
        case .presence: wire.presence = Istio_Security_Presence()
        }
        return wire
    }
}

extension Policy.ServiceAccountMatch {
    fileprivate var wire: Istio_Security_ServiceAccountMatch {
        var wire = Istio_Security_ServiceAccountMatch()
        wire.namespace = namespace
        wire.serviceAccount = serviceAccount
        return wire
    }
}

extension IPPrefix {
    fileprivate var wire: Istio_Security_Address {
        var wire = Istio_Security_Address()
        wire.address = Data(address.bytes)
        wire.length = UInt32(length)
        return wire
    }
}

extension WireFields {
    /// A field not known here may be one more condition of the policy.
    fileprivate func refuseUnknown(
        _ wire: some Message,
        _ field: String
    ) throws(ResourceRejection) {
        guard wire.unknownFields.data.isEmpty else {
            throw failure(field, "has a field that is not known here")
        }
    }

    fileprivate func texts(
        _ wire: [Istio_Security_StringMatch],
        _ field: String
    ) throws(ResourceRejection) -> [Policy.StringMatch] {
        var matches: [Policy.StringMatch] = []
        matches.reserveCapacity(wire.count)
        for (index, one) in wire.enumerated() {
            let place = "\(field)[\(index)]"
            switch one.matchType {
            // Empty text is no test at all; presence says "anything" in so many words.
            case .exact(let text): matches.append(.exact(try requiredText(text, place)))
            case .prefix(let text): matches.append(.prefix(try requiredText(text, place)))
            case .suffix(let text): matches.append(.suffix(try requiredText(text, place)))
            case .presence: matches.append(.presence)
            case nil: throw failure(place, "has no test, or one that is not known here")
            }
        }
        return matches
    }

    fileprivate func blocks(
        _ wire: [Istio_Security_Address],
        _ field: String
    ) throws(ResourceRejection) -> [IPPrefix] {
        var blocks: [IPPrefix] = []
        blocks.reserveCapacity(wire.count)
        for (index, one) in wire.enumerated() {
            let place = "\(field)[\(index)]"
            let address = try address(one.address, place)
            blocks.append(
                try prefix(address, bytes: one.address.count, length: one.length, place)
            )
        }
        return blocks
    }

    fileprivate func portNumbers(
        _ wire: [UInt32],
        _ field: String
    ) throws(ResourceRejection) -> [UInt16] {
        var ports: [UInt16] = []
        ports.reserveCapacity(wire.count)
        for (index, one) in wire.enumerated() {
            ports.append(try port(one, "\(field)[\(index)]"))
        }
        return ports
    }

    fileprivate func accounts(
        _ wire: [Istio_Security_ServiceAccountMatch],
        _ field: String
    ) throws(ResourceRejection) -> [Policy.ServiceAccountMatch] {
        var accounts: [Policy.ServiceAccountMatch] = []
        accounts.reserveCapacity(wire.count)
        for (index, one) in wire.enumerated() {
            accounts.append(
                Policy.ServiceAccountMatch(
                    namespace: try segment(one.namespace, "\(field)[\(index)].namespace"),
                    serviceAccount: try segment(
                        one.serviceAccount,
                        "\(field)[\(index)].serviceAccount"
                    )
                )
            )
        }
        return accounts
    }
}
