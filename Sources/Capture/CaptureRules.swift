/// The nftables rules of a captured pod, as text for one transaction; pure.
///
/// All rules stand in the table `inet ambit`. Each carries a comment of the form
/// `ambit DIGEST NUMBER`, where the digest covers the whole text, so that a listing tells whether
/// the rules are there, complete, in order and of this plan, whatever way a version of the library
/// prints them.
struct CaptureRules {
    /// The table everything of ours is in.
    static let table = "inet ambit"

    /// The commands that replace whatever the table held.
    let transaction: String
    /// The comments of all rules, in the order of a listing.
    let comments: [String]

    /// Builds the rules of a plan; `memory` is kept in the first rule for `remove` to find.
    init(_ plan: CapturePlan, memory: String) {
        let chains = Self.chains(plan)
        let digest = Self.digest(chains, memory)
        var lines = ["add table \(Self.table)", "delete table \(Self.table)"]
        lines.append("table \(Self.table) {")
        var comments: [String] = []
        for chain in chains {
            lines.append("chain \(chain.name) {")
            if let hook = chain.hook { lines.append(hook) }
            for rule in chain.rules {
                var comment = "ambit \(digest) \(comments.count)"
                if comments.isEmpty { comment += " \(memory)" }
                comments.append(comment)
                lines.append("\(rule) comment \"\(comment)\"")
            }
            lines.append("}")
        }
        lines.append("}")
        self.transaction = lines.joined(separator: "\n") + "\n"
        self.comments = comments
    }

    /// The commands that take the table away; they hold when it is not there.
    static let removal = "add table \(table)\ndelete table \(table)\n"

    /// The comments of the rules in a listing, in its order; a rule without one counts as empty.
    static func comments(in listing: String) -> [String] {
        var rules: [Substring] = []
        for line in listing.split(separator: "\n") where line.hasPrefix("\t\t") {
            let text = line.dropFirst(2)
            if text.hasPrefix("type ") { continue }
            // A long set goes on in further lines, which are indented more.
            if text.first == "\t" || text.first == " " {
                rules[max(0, rules.count - 1)...] = [text]
            } else {
                rules.append(text)
            }
        }
        return rules.map { rule in
            guard let start = rule.firstRange(of: "comment \"") else { return "" }
            return String(rule.suffix(from: start.upperBound).prefix { $0 != "\"" })
        }
    }

    /// Whether a listing shows these rules and no others, hooked where they belong.
    func match(_ listing: String) -> Bool {
        let hooks = [
            "type route hook output priority", "type filter hook prerouting priority",
            "type filter hook postrouting priority",
        ]
        guard hooks.allSatisfy(listing.contains) else { return false }
        return Self.comments(in: listing) == comments
    }

    // MARK: - The rules

    private struct Chain {
        let name: String
        var hook: String?
        var rules: [String]
    }

    private static func chains(_ plan: CapturePlan) -> [Chain] {
        [
            Chain(
                name: "output",
                hook: "type route hook output priority mangle; policy accept;",
                rules: output(plan)
            ),
            Chain(
                name: "leaving",
                hook: "type filter hook postrouting priority mangle; policy accept;",
                // Should the policy rules or the table be gone, this is what still holds.
                rules: ["oif != \"lo\" \(isMarked(.captured, .delivery)) drop"]
            ),
            Chain(name: "captured", rules: captured(plan)),
            Chain(name: "loopback", rules: loopback),
            Chain(name: "arriving", rules: arriving(plan)),
            Chain(
                name: "prerouting",
                hook: "type filter hook prerouting priority mangle; policy accept;",
                rules: ["iif \"lo\" goto loopback", "iif != \"lo\" goto arriving"]
            ),
        ] + (plan.avoidsTracking ? untracked : [])
    }

    /// What is not tracked no NAT rule sees: a redirection would tear it from our listeners.
    private static var untracked: [Chain] {
        ["output", "prerouting"].map { hook in
            Chain(
                name: "untracked_\(hook)",
                hook: "type filter hook \(hook) priority raw; policy accept;",
                rules: ["meta l4proto tcp notrack", "udp dport 53 notrack", "udp sport 53 notrack"]
            )
        }
    }

    /// What the pod sends: marked, so that it is routed to `lo`, unless it is to be left alone.
    private static func output(_ plan: CapturePlan) -> [String] {
        var rules = [
            "\(isMarked(.captured, .proxy, .delivery, .released)) accept",
            "oif \"lo\" accept",
        ]
        if !plan.ipv6 {
            rules.append("meta nfproto ipv6 meta l4proto tcp reject with tcp reset")
            rules.append("meta nfproto ipv6 udp dport 53 reject")
        }
        if !plan.excludedOutboundPorts.isEmpty {
            rules.append("tcp dport \(ports(plan.excludedOutboundPorts)) accept")
        }
        if plan.bringsDNS { rules.append("udp dport 53 \(marking(.captured)) accept") }
        rules.append("meta l4proto tcp \(marking(.captured)) accept")
        return rules
    }

    /// What was marked in `output`, now arriving on `lo`: to our listeners, or refused at once.
    ///
    /// `tproxy` looks for the connection first and for a listener then; with neither it ends the
    /// rule. The mark has done its work and is cleared: a reset, the kernel's or that of `reject`,
    /// takes the mark of what it answers, and would itself be captured. (No ICMP error comes for
    /// an IPv4 datagram, the kernel will not send one from a foreign address: it is dropped.)
    private static func captured(_ plan: CapturePlan) -> [String] {
        var rules = [clearing]
        if plan.bringsDNS {
            rules.append("udp dport 53 tproxy to :\(CapturePort.dns) accept")
            rules.append("tcp dport 53 tproxy to :\(CapturePort.dns) accept")
        }
        rules.append("meta l4proto tcp tproxy to :\(CapturePort.outbound) accept")
        rules.append("meta l4proto tcp reject with tcp reset")
        rules.append("reject")
        return rules
    }

    /// What arrives on `lo`: deliveries and their answers, our own packets, the captured ones, and
    /// the pod talking to itself.
    ///
    /// Our own mark is cleared, so that no socket of the application inherits it, and so that the
    /// reset of a vanished client is captured and thus finds us.
    private static var loopback: [String] {
        [
            "\(isMarked(.delivery)) accept",
            "\(isMarked(.proxy)) \(clearing) accept",
            "\(isMarked(.captured)) goto captured",
            "tcp dport \(privatePorts) reject with tcp reset",
            "udp dport \(CapturePort.dns) reject",
        ]
    }

    /// What arrives from outside: tunnels to their listener, the rest to the plaintext listener,
    /// each refused at once when nobody listens.
    private static func arriving(_ plan: CapturePlan) -> [String] {
        var rules = [
            "tcp dport \(CapturePort.hbone) \(marking(.released)) accept",
            "tcp dport \(privatePorts) \(marking(.released)) reject with tcp reset",
            "udp dport \(CapturePort.dns) drop",
        ]
        if !plan.excludedInboundPorts.isEmpty {
            let ports = ports(plan.excludedInboundPorts)
            rules.append("tcp dport \(ports) \(marking(.released)) accept")
        }
        if !plan.excludedOutboundPorts.isEmpty {
            // Answers to connections that were left alone. A source port proves nothing: nobody
            // may open a connection this way, only continue one a socket of the pod has.
            let ports = ports(plan.excludedOutboundPorts)
            let continuing = "tcp flags & (syn | ack) != syn socket transparent 0"
            rules.append("tcp sport \(ports) \(continuing) accept")
        }
        // Not ours: what a pod that is a router forwards.
        let own = "fib daddr type local meta l4proto tcp"
        rules.append("\(own) tproxy to :\(CapturePort.inbound) accept")
        rules.append("\(own) \(marking(.released)) reject with tcp reset")
        return rules
    }

    // MARK: - Parts of rules

    private static let privatePorts =
        "{ \(CapturePort.outbound), \(CapturePort.inbound), \(CapturePort.dns) }"

    private static let clearing = "meta mark set meta mark & \(hex(~Mark.mask))"

    private static func marking(_ mark: Mark) -> String {
        "\(clearing) | \(hex(mark.rawValue))"
    }

    private static func isMarked(_ marks: Mark...) -> String {
        let values = marks.map { hex($0.rawValue) }.joined(separator: ", ")
        return "meta mark & \(hex(Mark.mask)) { \(values) }"
    }

    private static func ports(_ ports: [UInt16]) -> String {
        let values = Set(ports).sorted().map { String($0) }
        return "{ \(values.joined(separator: ", ")) }"
    }

    private static func hex(_ number: UInt32) -> String {
        "0x" + String(number, radix: 16)
    }

    /// FNV-1a over all names, hooks and rules: it tells plans apart, it does not defend.
    private static func digest(_ chains: [Chain], _ memory: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ text: String) {
            for byte in text.utf8 {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
        }
        for chain in chains {
            add(chain.name)
            add(chain.hook ?? "")
            chain.rules.forEach(add)
        }
        add(memory)
        return String(hash, radix: 16)
    }
}
