import Kubernetes
import Testing

@Suite struct `A value in JSON` {
    @Test func `keeps everything but the order of names`() throws {
        let text = #"{"z":[1,-2.5,true,null,"é\n"],"a":{"b":{}}}"#
        let value = try Value(json: Array(text.utf8))
        #expect(value["z"].listValue?.count == 5)
        #expect(value["a"]["b"] == .map([:]))
        #expect(value["a"]["missing"]["deeper"] == .null)
        let written = String(decoding: value.jsonBytes(), as: UTF8.self)
        #expect(written == #"{"a":{"b":{}},"z":[1,-2.5,true,null,"é\n"]}"#)
    }

    @Test func `is refused when it is too big or too deep`() {
        let deep = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(throws: (any Error).self) { try Value(json: Array(deep.utf8)) }
        #expect(throws: (any Error).self) { try Value(json: Array("[1,2,3]".utf8), bytesMax: 6) }
    }

    @Test func `makes typed objects that leave out what is new to them`() throws {
        let text = #"""
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop",
             "uid":"u","generation":7,"managedFields":[{"fieldsV1":{"f:x":{}}}],"new":{"a":[1]}},
             "spec":{"containers":[{"name":"a","image":"i","restartPolicy":"Sometimes","x":1.5,
             "ports":[{"containerPort":80,"protocol":"QUIC"}]}],"dnsPolicy":"Later",
             "restartPolicy":"Perhaps","surprise":null},
             "status":{"phase":"Hibernating","podIP":"10.0.0.1","conditions":[
             {"type":"Ready","status":"True"},{"type":"Glowing","status":"Dimly"}]}}
            """#
        let pod = try Pod(Field(root: try Value(json: Array(text.utf8))))
        #expect(pod.metadata.generation == 7)
        #expect(pod.phase == .unknown)
        #expect(pod.restartPolicy == .always)
        #expect(pod.isReady == true)
        #expect(pod.containers.first?.ports.first?.transport == .other)
    }

    @Test func `leaves out what is told, and nothing of that name elsewhere`() throws {
        let text = #"""
            {"items":[{"a":{"b":[{"c":1,"d":"\"}]"}],"e":{"f":[[{}]]}},"b":2,"c":{"c":3}},{"a":4}],
             "a":{"e":5}}
            """#
        let omission: Omission = ["items": ["a": ["b": ["d": .whole], "e": .whole], "c": .whole]]
        let value = try Value(json: Array(text.utf8), omitting: omission)
        #expect(
            value == [
                "items": [["a": ["b": [["c": 1]]], "b": 2], ["a": 4]], "a": ["e": 5],
            ]
        )
    }

    @Test func `is refused when it ends inside what is left out`() {
        for text in [#"{"a":{"b":["#, #"{"a":["}"#, #"{"a":"#, #"{"a":[]"#, #"{"a":nul}"#] {
            #expect(throws: (any Error).self) {
                try Value(json: Array(text.utf8), omitting: ["a": .whole])
            }
        }
    }

    @Test func `of a pod misses nothing the mesh reads when the rest is left out`() throws {
        let text = #"""
            {"metadata":{"name":"web","namespace":"shop","uid":"u","resourceVersion":"9",
             "labels":{"env":"prod","resources":"many"},"annotations":{"volumes":"3"},
             "creationTimestamp":"2026-11-21T10:00:00Z","deletionTimestamp":"2026-11-21T11:00:00Z",
             "ownerReferences":[{"kind":"ReplicaSet","name":"web-1","controller":true}],
             "managedFields":[{"fieldsV1":{"f:x":{}}}]},
             "spec":{"nodeName":"n1","hostNetwork":true,"serviceAccountName":"sa",
             "restartPolicy":"Never","dnsPolicy":"None","hostname":"h","subdomain":"s",
             "dnsConfig":{"nameservers":["10.0.0.9"],"searches":["a.b"],
             "options":[{"name":"ndots","value":"5"}]},"terminationGracePeriodSeconds":7,
             "tolerations":[{"key":"x"}],"volumes":[{"name":"v"}],"affinity":{},
             "initContainers":[{"name":"side","restartPolicy":"Always",
             "ports":[{"containerPort":9000}]},{"name":"once"}],
             "containers":[{"name":"a","resources":{"limits":{}},"volumeMounts":[{"name":"v"}],
             "ports":[{"name":"http","containerPort":80,"protocol":"TCP"}],
             "livenessProbe":{"httpGet":{"port":"http"}},"startupProbe":{"grpc":{"port":5}},
             "readinessProbe":{"tcpSocket":{"port":6}}}]},
             "status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}],
             "hostIPs":[{"ip":"192.0.2.1"}],"containerStatuses":[{"name":"a"}],
             "conditions":[{"type":"Ready","status":"True"}]}}
            """#
        let bytes = Array(text.utf8)
        let whole = try Value(json: bytes)
        let short = try Value(json: bytes, omitting: Pod.unread)
        #expect(try Pod(Field(root: short)) == Pod(Field(root: whole)))
        #expect(short["metadata"]["managedFields"] == .null)
        #expect(short["status"]["containerStatuses"] == .null)
        #expect(short["metadata"]["resourceVersion"] == "9")
    }

    @Test func `can be changed field by field`() {
        var value: Value = ["metadata": ["name": "web"], "spec": ["replicas": 2]]
        value["metadata"]["labels"]["app"] = "web"
        value["spec"]["replicas"] = .null
        #expect(value["metadata"]["labels"] == ["app": "web"])
        #expect(value["spec"] == .map([:]))
        #expect(value["metadata"]["name"].stringValue == "web")
    }
}

@Suite struct `The plural of a kind` {
    @Test(arguments: [
        ("NetworkPolicy", "networkpolicies"), ("Gateway", "gateways"), ("Ingress", "ingresses"),
        ("EndpointSlice", "endpointslices"),
    ])
    func `is as in the API's paths`(kind: String, plural: String) {
        #expect(ObjectType(kind: kind, apiVersions: ["v1"]).plural == plural)
    }
}
