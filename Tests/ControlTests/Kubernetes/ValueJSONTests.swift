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
