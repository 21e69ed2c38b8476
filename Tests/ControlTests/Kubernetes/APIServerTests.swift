import APIServerDouble
import Kubernetes
import Testing

@Suite(.timeLimit(.minutes(1))) struct `An API server` {
    @Test func `makes, changes and deletes objects`() async throws {
        let pair = try await Pair()
        let server = pair.server
        let made = try await server.create(podObject("web"))
        #expect(made["metadata"]["uid"].stringValue != nil)
        #expect(made["status"] == .null, "status is written by its subresource only")
        await #expect { try await server.create(podObject("web")) } throws: { error in
            (error as? ClusterError)?.code == .alreadyExists
        }
        let place = ObjectReference(.pods, namespace: "shop", name: "web")
        var patched = try await server.patch(
            place,
            subresource: "",
            with: ["metadata": ["labels": ["app": "web", "gone": .null]]]
        )
        #expect(patched["metadata"]["labels"] == ["app": "web"])
        patched["metadata"]["resourceVersion"] = "1"
        let stale = patched
        await #expect { try await server.update(stale) } throws: { error in
            (error as? ClusterError)?.code == .conflict
        }
        try await server.delete(place)
        try await server.delete(place)
        #expect(try await server.get(place) == nil)
        await pair.double.stop()
    }

    @Test func `takes applied fields, and status where it belongs`() async throws {
        let pair = try await Pair()
        let policy: Value = [
            "apiVersion": "security.ambit.dev/v1alpha1", "kind": "AuthorizationPolicy",
            "metadata": ["name": "deny", "namespace": "shop"], "spec": ["action": "DENY"],
        ]
        let made = try await pair.server.apply(policy, subresource: "", fieldManager: "test")
        #expect(made["metadata"]["generation"] == 1)
        var status = policy
        status["spec"] = .null
        status["status"]["conditions"] = [["type": "Accepted", "status": "True"]]
        let told = try await pair.server.apply(
            status,
            subresource: "status",
            fieldManager: "controller"
        )
        #expect(told["spec"]["action"] == "DENY")
        #expect(told["status"]["conditions"].listValue?.count == 1)
        #expect(told["metadata"]["generation"] == 1)
        await pair.double.stop()
    }

    @Test func `is listed in pages, beginning anew when a page is too old`() async throws {
        let pair = try await Pair()
        for number in 0..<1_201 { try pair.double.put(podObject("p\(number)")) }
        let all = try await pair.server.list(.pods, in: ObjectSelection())
        #expect(Set(all.compactMap { $0["metadata"]["name"].stringValue }).count == 1_201)
        let pages = pair.double.requests.filter { $0.contains("continue=") }
        #expect(pages.count == 2)
        var faults = Faults()
        faults.answers = [Faults.Answer(path: "continue=", status: 410, times: 1)]
        pair.double.faults = faults
        #expect(try await pair.server.list(.pods, in: ObjectSelection()).count == 1_201)
        await pair.double.stop()
    }

    @Test func `is asked again when it is too busy, and told of when it fails`() async throws {
        let pair = try await Pair()
        var busy = Faults.Answer(status: 429, times: 2)
        busy.retryAfterSeconds = 0
        pair.double.faults.answers = [busy]
        #expect(try await pair.server.list(.namespaces, in: ObjectSelection()).count == 2)
        pair.double.faults.answers = [Faults.Answer(status: 500, times: 1)]
        let error = await #expect(throws: ClusterError.self) {
            try await pair.server.list(.namespaces, in: ObjectSelection())
        }
        #expect(error?.code == .unavailable)
        #expect(error?.reason.contains("GET /api/v1/namespaces: 500") == true)
        await pair.double.stop()
    }

    @Test func `says whose a token is and what a user may do`() async throws {
        let pair = try await Pair()
        var identity = TokenReview()
        identity.isAuthenticated = true
        identity.username = "system:serviceaccount:ambit-system:ambit-node"
        identity.audiences = ["ambit", "other"]
        identity.podName = "node-x"
        identity.podUID = "u-1"
        identity.nodeName = "n1"
        pair.double.reviewer.tokens = ["secret": identity]
        let found = try await pair.server.review(token: "secret", audiences: ["ambit"])
        #expect(found.isAuthenticated && found.nodeName == "n1" && found.podUID == "u-1")
        #expect(found.audiences == ["ambit"])
        let foreign = try await pair.server.review(token: "secret", audiences: ["istio-ca"])
        #expect(!foreign.isAuthenticated && !foreign.error.isEmpty)
        #expect(!(try await pair.server.review(token: "x", audiences: ["ambit"])).isAuthenticated)
        pair.double.reviewer.allows = { $0["resourceAttributes"]["verb"] == "get" }
        let may = AccessQuestion(user: "u", verb: "get", group: "", resource: "pods")
        let mayNot = AccessQuestion(user: "u", verb: "delete", group: "", resource: "pods")
        #expect(try await pair.server.isAllowed(may))
        #expect(try await !pair.server.isAllowed(mayNot))
        await pair.double.stop()
    }

    @Test func `takes events about objects`() async throws {
        let pair = try await Pair()
        let event = ClusterEvent(
            regarding: ObjectReference(.namespaces, name: "shop"),
            isWarning: true,
            reason: "CannotEnrol",
            action: "Enrol",
            note: String(repeating: "é", count: 1_000),
            controller: "ambit.dev/controller",
            instance: "one"
        )
        let made = try await pair.server.record(event)
        #expect(made["metadata"]["namespace"] == "default")
        #expect(made["note"].stringValue?.utf8.count == 1_024)
        await pair.double.stop()
    }

    @Test func `cannot be sent elsewhere by a name`() async throws {
        let pair = try await Pair()
        for name in ["..", "a/b", "", "x?y", "a#b", "a%2fb"] {
            let error = await #expect(throws: ClusterError.self) {
                try await pair.server.get(ObjectReference(.pods, namespace: "shop", name: name))
            }
            #expect(error?.code == .invalid)
        }
        #expect(pair.double.requests.isEmpty)
        await pair.double.stop()
    }

    @Test func `that is gone is unavailable`() async throws {
        let pair = try await Pair()
        await pair.double.stop()
        let error = await #expect(throws: ClusterError.self) {
            try await pair.server.list(.pods, in: ObjectSelection())
        }
        #expect(error?.code == .unavailable)
    }
}
