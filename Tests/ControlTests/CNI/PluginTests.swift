import CNI
import JSON
import Testing

@Suite struct `The CNI plugin` {
    private static let environment = [
        "CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/var/run/netns/x",
        "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_UID=u-1;"
            + "K8S_POD_INFRA_CONTAINER_ID=c1",
    ]
    private static let result = #"{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}]}"#
    private static let input =
        #"{"cniVersion":"1.0.0","name":"n","type":"ambit-cni","prevResult":\#(result)}"#

    /// Who is enrolled: all of `shop`, `bar/own`; `shop/out` is not.
    private static var record: [UInt8] {
        var record = EnrolmentRecord()
        record.namespaces = ["shop"]
        record.enrolledPods = ["bar/own"]
        record.optedOutPods = ["shop/out"]
        record.excludedNamespaces = ["infra"]
        return record.text
    }

    private final class Asked {
        var requests: [Handover.Request] = []
        var milliseconds: [Int] = []
    }

    private func run(
        _ changes: [String: String] = [:],
        input: String = input,
        record: [UInt8]? = record,
        answer: Handover.Answer? = nil,
        asked: Asked = Asked()
    ) throws -> (output: JSON?, status: Int32) {
        let missing = Handover.Refusal(reason: "nobody there")
        let plugin = CNIPlugin(
            CNIPlugin.World(
                read: { _, _ in record.map { .success($0) } ?? .failure(missing) },
                ask: { request, _, _, milliseconds in
                    asked.requests.append(request)
                    asked.milliseconds.append(milliseconds)
                    return answer.map { .success($0) } ?? .failure(missing)
                }
            )
        )
        let environment = Self.environment.merging(changes) { $1 }
        let outcome = plugin.run(environment: environment, input: Array(input.utf8))
        let output = outcome.output.isEmpty ? nil : try JSON.parse(outcome.output)
        return (output, outcome.status)
    }

    private func arguments(_ namespace: String, _ name: String) -> [String: String] {
        ["CNI_ARGS": "K8S_POD_NAMESPACE=\(namespace);K8S_POD_NAME=\(name)"]
    }

    @Test(arguments: [Handover.Answer.done, .notEnrolled])
    func `passes the result before it through unchanged`(answer: Handover.Answer) throws {
        let asked = Asked()
        let outcome = try run(answer: answer, asked: asked)
        #expect(outcome.status == 0)
        #expect(outcome.output == (try JSON.parse(Array(Self.result.utf8))))
        let request = try #require(asked.requests.first)
        #expect(request.command == .add)
        #expect(request.pod.uid == "u-1")
        #expect(request.containerID == "c1")
        #expect(asked.milliseconds == [CNIPlugin.captureMilliseconds])
    }

    @Test(arguments: [Handover.Answer.failed(reason: "r"), .unknown(reason: "r"), nil])
    func `makes an enrolled pod wait while it is not captured`(answer: Handover.Answer?) throws {
        let outcome = try run(answer: answer)
        #expect(outcome.status == 1)
        #expect(outcome.output?["code"]?.integerValue == 11)
        #expect(outcome.output?["cniVersion"]?.stringValue == "1.0.0")
        #expect(outcome.output?["msg"]?.stringValue?.contains("shop/web") == true)
        let own = try run(arguments("bar", "own"), answer: answer)
        #expect(own.status == 1)
    }

    @Test(arguments: [("bar", "other"), ("shop", "out")])
    func `never holds up a pod that is not enrolled`(pod: (String, String)) throws {
        for answer in [Handover.Answer.unknown(reason: ""), .notEnrolled, nil] {
            let asked = Asked()
            let outcome = try run(arguments(pod.0, pod.1), answer: answer, asked: asked)
            #expect(outcome.status == 0)
            #expect(asked.milliseconds == [CNIPlugin.glanceMilliseconds])
        }
    }

    @Test func `makes a pod wait that the proxy knows to be enrolled by now`() throws {
        let outcome = try run(arguments("bar", "other"), answer: .failed(reason: "r"))
        #expect(outcome.status == 1)
    }

    @Test(arguments: ["kube-system", "ambit-system", "infra"])
    func `asks nothing for the system's pods`(namespace: String) throws {
        let asked = Asked()
        #expect(try run(arguments(namespace, "x"), asked: asked).status == 0)
        #expect(asked.requests.isEmpty)
    }

    @Test func `makes everyone but the system wait without a record it can trust`() throws {
        let records: [[UInt8]?] = [
            nil, [], Array("{".utf8), Array(#"{"version":2}"#.utf8),
            Array(#"{"version":1,"namespaces":[1],"pods":[],"optedOut":[],"excluded":[]}"#.utf8),
            Array(#"{"version":1,"namespaces":[]}"#.utf8),
        ]
        for record in records {
            let waiting = try run(arguments("bar", "other"), record: record)
            #expect(waiting.status == 1)
            #expect(waiting.output?["code"]?.integerValue == 11)
            #expect(try run(arguments("kube-system", "dns"), record: record).status == 0)
            #expect(try run(arguments("bar", "x"), record: record, answer: .done).status == 0)
        }
    }

    @Test func `lets every pod go, whatever is wrong`() throws {
        for input in [Self.input, "", "{", #"{"cniVersion":"7"}"#] {
            let outcome = try run(["CNI_COMMAND": "DEL", "CNI_NETNS": ""], input: input)
            #expect(outcome.status == 0)
            #expect(outcome.output == nil)
        }
        let asked = Asked()
        _ = try run(["CNI_COMMAND": "DEL"], asked: asked)
        #expect(asked.requests.map(\.command) == [.remove])
        #expect(asked.milliseconds == [CNIPlugin.removalMilliseconds])
    }

    @Test func `checks that a pod is captured`() throws {
        let check = ["CNI_COMMAND": "CHECK"]
        let good = try run(check, answer: .done)
        #expect(good.status == 0)
        #expect(good.output == nil)
        let bad = try run(check, answer: .failed(reason: "rules are gone"))
        #expect(bad.output?["code"]?.integerValue == 100)
        let early = Self.input.replacing("1.0.0", with: "0.3.1")
        #expect(try run(check, input: early, answer: .done).output?["code"]?.integerValue == 1)
    }

    @Test func `tells its versions, and answers what came with 1.1`() throws {
        let versions = try run(["CNI_COMMAND": "VERSION"], input: #"{"cniVersion":"0.4.0"}"#)
        #expect(versions.status == 0)
        #expect(versions.output?["cniVersion"]?.stringValue == "0.4.0")
        #expect(
            versions.output?["supportedVersions"]?.arrayValue
                == ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
        )
        let newest = #"{"cniVersion":"1.1.0","name":"n","type":"ambit-cni"}"#
        for command in ["GC", "STATUS"] {
            let answer = try run(["CNI_COMMAND": command], input: newest)
            #expect(answer.status == 0)
            #expect(answer.output == nil)
            let old = try run(["CNI_COMMAND": command])
            #expect(old.output?["code"]?.integerValue == 1)
        }
    }

    @Test(
        arguments: [
            (["CNI_COMMAND": "add"], 4), (["CNI_COMMAND": ""], 4), (["CNI_CONTAINERID": ""], 4),
            (["CNI_CONTAINERID": "../x"], 4), (["CNI_IFNAME": "a/b"], 4),
            (["CNI_IFNAME": "sixteen-bytes-xx"], 4), (["CNI_NETNS": ""], 4),
            (["CNI_NETNS": "relative"], 4),
            (["CNI_ARGS": String(repeating: "a", count: 20_000)], 4),
        ] as [([String: String], Int64)]
    )
    func `refuses an environment that is none`(
        changes: [String: String],
        code: Int64
    ) throws {
        let outcome = try run(changes, answer: .done)
        #expect(outcome.status == 1)
        #expect(outcome.output?["code"]?.integerValue == code)
    }

    @Test(
        arguments: [
            ("", 6), ("[]", 6), (#"{"cniVersion":"1.0.0","name":"n"}"#, 7),
            (#"{"cniVersion":"2.0.0"}"#, 1), (#"{"name":"n"}"#, 1),
            (#"{"cniVersion":"1.0.0","prevResult":[]}"#, 7),
            (#"{"cniVersion":"1.0.0","socket":"x","prevResult":{}}"#, 7),
            (String(repeating: "[", count: 100), 6),
        ] as [(String, Int64)]
    )
    func `refuses a configuration that is none`(text: String, code: Int64) throws {
        let outcome = try run(input: text, answer: .done)
        #expect(outcome.status == 1)
        #expect(outcome.output?["code"]?.integerValue == code)
    }

    @Test(
        arguments: [
            (#"{"cniVersion":"1.0.0","prevResult":[]}"#, "1.0.0"),
            (#"{"cniVersion":"0.4.0","socket":"x","prevResult":{}}"#, "0.4.0"),
            (#"{"cniVersion":"2.0.0"}"#, "1.1.0"), ("{", "1.1.0"),
        ]
    )
    func `answers an error in the version it was asked in`(text: String, version: String) throws {
        #expect(try run(input: text).output?["cniVersion"]?.stringValue == version)
        let early = try run(["CNI_COMMAND": "add"], input: text)
        #expect(early.output?["cniVersion"]?.stringValue == version)
    }

    @Test func `leaves a container alone that is no pod`() throws {
        let asked = Asked()
        #expect(try run(["CNI_ARGS": "K=V;;=;x"], asked: asked).status == 0)
        #expect(asked.requests.isEmpty)
    }
}

@Suite struct `The hand-over` {
    @Test func `reads what it writes`() throws {
        let request = Handover.Request(
            .add,
            pod: CNIInvocation.Pod(namespace: "shop", name: "web", uid: "u", sandbox: "s"),
            containerID: "c",
            networkNamespace: "/n"
        )
        #expect(try Handover.Request(request.text) == request)
        let answers: [Handover.Answer] = [
            .done, .notEnrolled, .failed(reason: "a\n\"b\""), .unknown(reason: ""),
        ]
        for answer in answers { #expect(try Handover.Answer(answer.text) == answer) }
    }

    @Test func `frames a message with its length`() throws {
        // 00 00 00 02 | 7b 7d
        #expect(Handover.framed([0x7B, 0x7D]) == [0, 0, 0, 2, 0x7B, 0x7D])
        #expect(Handover.length([0, 0, 0, 2]) == 2)
        #expect(Handover.length([0, 1, 0, 0]) == Handover.bytesMax)
        #expect(Handover.length([0, 1, 0, 1]) == nil)
        #expect(Handover.length([0, 0, 0, 0]) == nil)
        #expect(Handover.length([0xFF, 0xFF, 0xFF, 0xFF]) == nil)
    }

    @Test(arguments: [
        "", "{}", #"{"version":2,"command":"add"}"#, #"{"version":1,"command":"steal"}"#,
        #"{"version":1,"command":"add","namespace":"","name":"","uid":"","sandbox":"","#
            + #""container":"","netns":""}"#,
        #"{"version":1,"command":"add","namespace":1}"#,
    ])
    func `refuses a question that is none`(text: String) {
        #expect(throws: Handover.Refusal.self) { try Handover.Request(Array(text.utf8)) }
    }
}
