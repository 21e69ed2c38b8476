import Kubernetes
import Terminal
import Testing

@Suite struct `The kinds of policies` {
    private func schema(_ plural: String) throws -> Value {
        let object = try #require(
            try Installation().kinds.first {
                $0["spec"]["names"]["plural"] == .string(plural)
            }
        )
        let version = try #require(object["spec"]["versions"].listValue?.first)
        #expect(version["subresources"]["status"] == [:])
        return version["schema"]["openAPIV3Schema"]
    }

    private func each(_ schema: Value, _ path: String, _ visit: (Value, String) throws -> Void)
        rethrows
    {
        try visit(schema, path)
        for (name, field) in schema["properties"].mapValue ?? [:] {
            try each(field, path + "." + name, visit)
        }
        if schema["items"] != .null { try each(schema["items"], path + "[]", visit) }
        let values = schema["additionalProperties"]
        if values != .null { try each(values, path + "{}", visit) }
    }

    @Test(arguments: ["authorizationpolicies", "peerauthentications", "requestauthentications"])
    func `are structural, bounded, and say what is wrong in words`(plural: String) throws {
        try each(try schema(plural), "") { field, path in
            let type = try #require(field["type"].stringValue, "\(path) has no type")
            if type == "array" { #expect(field["maxItems"] != .null, "\(path) is unbounded") }
            let isText = type == "string" && field["enum"] == .null && path.hasPrefix(".spec")
            if isText, field["pattern"] == .null {
                #expect(field["maxLength"] != .null, "\(path) is unbounded")
            }
            for rule in field["x-kubernetes-validations"].listValue ?? [] {
                let message = rule["message"].stringValue ?? ""
                #expect(message.count > 20 && !message.contains("\n"), "\(path): \(message)")
            }
        }
    }

    @Test func `have every field that the conversion knows`() throws {
        let spec = try schema("authorizationpolicies")["properties"]["spec"]["properties"]
        let rule = spec["rules"]["items"]["properties"]
        func names(_ value: Value) -> Set<String> { Set((value.mapValue ?? [:]).keys) }
        #expect(
            names(rule["from"]["items"]["properties"]["source"]["properties"]) == [
                "principals", "notPrincipals", "namespaces", "notNamespaces", "ipBlocks",
                "notIpBlocks", "serviceAccounts", "notServiceAccounts", "requestPrincipals",
                "notRequestPrincipals", "remoteIpBlocks", "notRemoteIpBlocks",
            ]
        )
        #expect(
            names(rule["to"]["items"]["properties"]["operation"]["properties"]) == [
                "ports", "notPorts", "hosts", "notHosts", "methods", "notMethods", "paths",
                "notPaths",
            ]
        )
        #expect(names(rule["when"]["items"]["properties"]) == ["key", "values", "notValues"])
        #expect(names(spec) == ["selector", "targetRef", "targetRefs", "action", "rules"])
        #expect(spec["action"]["enum"] == ["ALLOW", "DENY"])
        let peer = try schema("peerauthentications")["properties"]["spec"]["properties"]
        #expect(names(peer) == ["selector", "mtls", "portLevelMtls"])
        #expect(
            peer["mtls"]["properties"]["mode"]["enum"]
                == ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]
        )
    }

    @Test func `have names of their own beside Istio's`() throws {
        let names = try Installation().kinds.map { $0["spec"]["names"]["shortNames"] }
        #expect(names == [["aap"], ["apa"], ["ara"]])
        for kind in try Installation().kinds {
            let columns = kind["spec"]["versions"].listValue?.first?["additionalPrinterColumns"]
            let titles = (columns?.listValue ?? []).compactMap { $0["name"].stringValue }
            #expect(titles.contains("Accepted") && titles.contains("Age"))
        }
    }

    // What the API server does with a value of one field, as far as a pattern says.
    @Test(arguments: [
        ("ports", "80", true), ("ports", "65535", true), ("ports", "0", false),
        ("ports", "65536", false), ("ports", "http", false), ("ports", "8080/tcp", false),
    ])
    func `take the ports that the conversion takes`(
        field: String,
        text: String,
        isGood: Bool
    ) throws {
        let spec = try schema("authorizationpolicies")["properties"]["spec"]["properties"]
        let rule = spec["rules"]["items"]["properties"]
        let operation = rule["to"]["items"]["properties"]["operation"]["properties"]
        let pattern = try #require(operation[field]["items"]["pattern"].stringValue)
        let regex = try Regex(pattern)
        #expect((text.firstMatch(of: regex) != nil) == isGood)
    }

    @Test(arguments: [
        ("*", true), ("cluster.local/ns/a/*", true), ("*/sa/b", true), ("a*b", false),
        ("**", false), ("a b", false), ("", false),
    ])
    func `take the patterns that the conversion takes`(text: String, isGood: Bool) throws {
        let spec = try schema("authorizationpolicies")["properties"]["spec"]["properties"]
        let rule = spec["rules"]["items"]["properties"]
        let source = rule["from"]["items"]["properties"]["source"]["properties"]
        let pattern = try #require(source["principals"]["items"]["pattern"].stringValue)
        #expect((text.firstMatch(of: try Regex(pattern)) != nil) == isGood)
    }
}
