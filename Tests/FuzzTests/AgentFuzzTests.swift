import Agent
import CNI
import Testing

@Suite struct `Arbitrary bytes to the agent` {
    @Test func `as a CNI configuration are refused or kept whole`() {
        let corpus = [
            #"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge","mtu":1500}]}"#,
            #"{"cniVersion":"0.3.1","name":"n","type":"ptp","ipam":{"type":"host-local"}}"#,
            #"{"cniVersion":"1.1.0","name":"n","plugins":[{"type":"ambit-cni"},{"type":"x"}]}"#,
        ].map { Array($0.utf8) }
        fuzz("CNI configuration list", corpus: corpus) { input, _ in
            guard var list = try? ConfigurationList(input) else { return }
            list.remove()
            let without = list
            list.insert(socketPath: "/s", enrolmentPath: "/e")
            let with = list
            list.insert(socketPath: "/s", enrolmentPath: "/e")
            try #require(list == with && list.hasPlugin)
            list.remove()
            try #require(list == without && !list.hasPlugin)
            if !list.isOnlyPlugin {
                let again = try ConfigurationList(with.text)
                try #require(again.text == with.text)
            }
        }
    }

    @Test func `as what a runtime gives never get an enrolled pod past the plugin`() {
        let corpus = [
            #"{"cniVersion":"1.0.0","name":"n","type":"ambit-cni","prevResult":{"ips":[]}}"#,
            #"{"cniVersion":"1.1.0","prevResult":{"a":1},"socket":"/s","enrolment":"/e"}"#,
        ].map { Array($0.utf8) }
        var record = EnrolmentRecord()
        record.namespaces = ["shop"]
        let text = record.text
        let plugin = CNIPlugin(
            CNIPlugin.World(
                read: { _, _ in .success(text) },
                ask: { _, _, _, _ in .failure(Handover.Refusal(reason: "nobody")) }
            )
        )
        let environment = [
            "CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c", "CNI_NETNS": "/n", "CNI_IFNAME": "eth0",
            "CNI_ARGS": "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
        ]
        fuzz("CNI plugin", corpus: corpus) { input, _ in
            let outcome = plugin.run(environment: environment, input: input)
            try #require(outcome.status == 1 && !outcome.output.isEmpty)
        }
    }

    @Test func `as a record of who is enrolled are refused or read`() {
        var record = EnrolmentRecord()
        record.namespaces = ["shop", "bar"]
        record.enrolledPods = ["x/y"]
        record.optedOutPods = ["shop/z"]
        fuzz("enrolment record", corpus: [record.text, EnrolmentRecord().text]) { input, _ in
            guard let read = try? EnrolmentRecord(input) else { return }
            try #require(try EnrolmentRecord(read.text) == read)
            try #require(read.answer(namespace: "kube-system", name: "x") == .excluded)
        }
    }

    @Test func `as a hand-over are refused or read`() {
        let pod = CNIInvocation.Pod(namespace: "shop", name: "web", uid: "u", sandbox: "s")
        let request = Handover.Request(.add, pod: pod, containerID: "c", networkNamespace: "/n")
        let corpus = [request.text, Handover.Answer.failed(reason: "r").text]
        fuzz("hand-over", corpus: corpus) { input, _ in
            if let request = try? Handover.Request(input) {
                try #require(try Handover.Request(request.text) == request)
            }
            if let answer = try? Handover.Answer(input) {
                _ = answer.text
            }
            _ = Handover.length(input.prefix(4))
        }
    }

    @Test func `as a foreign agent's packet are refused or read`() {
        let corpus: [[UInt8]] = [
            [
                0x0A, 0x17, 0x0A, 0x02, 0x75, 0x31, 0x12, 0x11, 0x0A, 0x03, 0x77, 0x65, 0x62, 0x12,
                0x04, 0x73, 0x68, 0x6F, 0x70, 0x1A, 0x04, 0x73, 0x61, 0x2D, 0x31,
            ],
            [0x2A, 0x04, 0x0A, 0x02, 0x75, 0x31], [0x12, 0x04, 0x12, 0x02, 0x75, 0x31],
            [0x1A, 0x00],
        ]
        fuzz("foreign agent", corpus: corpus) { input, generator in
            let descriptors = generator.below(3)
            guard let message = try? ForeignAgentMessage(input, descriptors: descriptors) else {
                return
            }
            if case .add(let uid, _, _, _) = message {
                try #require(descriptors == 1 && !uid.isEmpty)
            } else {
                try #require(descriptors == 0)
            }
        }
    }

    @Test func `as the cgroup of a process name a pod by a proper UID or none`() {
        let corpus = [
            "0::/kubepods.slice/kubepods-pod0a1b2c3d_0000_4111_8222_abcdefabcdef.slice/x.scope",
            "12:pids:/kubepods/besteffort/pod0a1b2c3d-0000-4111-8222-abcdefabcdef/x\n",
        ].map { Array($0.utf8) }
        fuzz("cgroup", corpus: corpus) { input, _ in
            let text = String(decoding: input, as: UTF8.self)
            _ = PodCgroup.startTime(text)
            guard let uid = PodCgroup.podUID(text) else { return }
            try #require(uid.utf8.count == 36 || uid.utf8.count == 32)
        }
    }
}
