import Foundation
import Kubernetes
import Terminal
import Testing

@Suite struct `The embedded manifests` {
    @Test func `are the files of deploy, byte for byte`() throws {
        for manifest in EmbeddedManifest.all {
            let text = try Deploy.text(manifest.path)
            if ProcessInfo.processInfo.environment["AMBIT_UPDATE_MANIFESTS"] != nil {
                try write(manifest.path, text)
            }
            #expect(
                manifest.text == text,
                "deploy/\(manifest.path) changed; set AMBIT_UPDATE_MANIFESTS=1 and build again"
            )
        }
    }

    @Test func `are all that the default overlay applies`() throws {
        let files = try Deploy.resources(of: "overlays/default")
        #expect(EmbeddedManifest.all.map(\.path).sorted() == files)
        #expect(files.count == 8)
    }

    @Test func `are what kubectl applies, object for object`() throws {
        // A machine without kubectl has no other renderer to compare with.
        guard let rendered = try kustomized("overlays/default") else { return }
        let ours = try Deploy.values(try Installation().yaml)
        #expect(Set(ours.map(text)) == Set(rendered.map(text)))
        #expect(ours.count == rendered.count)
        let small = try #require(try kustomized("overlays/small"))
        let controller = try #require(small.first { $0["kind"] == "Deployment" })
        #expect(controller["spec"]["replicas"] == 1)
        #expect(!small.contains { $0["kind"] == "PodDisruptionBudget" })
    }

    private func text(_ value: Value) -> String {
        String(decoding: value.jsonBytes(), as: UTF8.self)
    }

    private func kustomized(_ overlay: String) throws -> [Value]? {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["kubectl", "kustomize", Deploy.folder + overlay]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            #expect(process.terminationStatus == 127, "kubectl kustomize failed")
            return nil
        }
        return try Deploy.values(String(decoding: data, as: UTF8.self))
    }

    // Writes the Swift file of one manifest anew.
    private func write(_ path: String, _ text: String) throws {
        let names = [
            "crds/authorizationpolicies": "authorizationPolicies",
            "crds/peerauthentications": "peerAuthentications",
            "crds/requestauthentications": "requestAuthentications",
        ]
        let stem = String(path.dropLast(".yaml".count))
        let words = stem.split { "/-".contains($0) }.map(\.capitalized).joined()
        let name = names[stem] ?? words.prefix(1).lowercased() + words.dropFirst()
        let file = name.prefix(1).uppercased() + name.dropFirst()
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let indented = lines.map { $0.isEmpty ? "" : "    " + $0 }.joined(separator: "\n")
        let source = """
            // Of deploy/\(path), by EmbeddedManifestTests.swift.

            extension EmbeddedManifest {
                static let \(name) = EmbeddedManifest(
                    path: "\(path)",
                    text: contents
                )
            }

            private let contents = #\"""
            \(indented)

                \"""#

            """
        let place = Deploy.folder + "../Sources/Terminal/Manifests/EmbeddedManifest+\(file).swift"
        try Data(source.utf8).write(to: URL(filePath: place))
    }
}

@Suite struct `What is installed` {
    private func objects() throws -> [Value] { try Installation().objects }

    @Test func `has no wildcard in its rights, and no Secret but by name`() throws {
        for role in try objects() where ["Role", "ClusterRole"].contains(role["kind"]) {
            for rule in role["rules"].listValue ?? [] {
                for field in ["apiGroups", "resources", "verbs"] {
                    let words = (rule[field].listValue ?? []).compactMap(\.stringValue)
                    #expect(!words.isEmpty && !words.contains { $0.contains("*") })
                }
                guard rule["resources"].listValue?.contains("secrets") == true else { continue }
                #expect(role["kind"] == "Role", "a ClusterRole reaches every namespace's Secrets")
                #expect(role["metadata"]["name"] == "ambit-controller")
                let verbs = rule["verbs"].listValue ?? []
                #expect(
                    rule["resourceNames"] == ["ambit-ca"] || verbs == ["create"],
                    "to read Secrets takes their name"
                )
            }
        }
    }

    @Test func `lets a node change nothing but the status of pods`() throws {
        let role = try #require(
            try objects().first {
                $0["kind"] == "ClusterRole" && $0["metadata"]["name"] == "ambit-node"
            }
        )
        let writing = (role["rules"].listValue ?? []).filter { rule in
            let reads: [Value] = ["get", "list", "watch"]
            return !(rule["verbs"].listValue ?? []).allSatisfy { reads.contains($0) }
        }
        #expect(writing.count == 1)
        #expect(writing.first?["resources"] == ["pods/status"])
        #expect(writing.first?["verbs"] == ["patch"])
    }

    @Test func `drops every capability and adds five to the node`() throws {
        for object in try objects() {
            let pod = object["spec"]["template"]["spec"]
            for container in pod["containers"].listValue ?? [] {
                let security = container["securityContext"]
                #expect(security["capabilities"]["drop"] == ["ALL"])
                #expect(security["readOnlyRootFilesystem"] == true)
                #expect(security["privileged"] == false)
                #expect(container["resources"]["requests"] != .null)
                let added = security["capabilities"]["add"]
                if object["kind"] == "DaemonSet" {
                    #expect(
                        added == [
                            "DAC_OVERRIDE", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE",
                        ]
                    )
                } else {
                    #expect(added == .null)
                    #expect(security["allowPrivilegeEscalation"] == false)
                    #expect(pod["securityContext"]["runAsNonRoot"] == true)
                }
            }
            guard pod != .null else { continue }
            #expect(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault")
        }
    }

    @Test func `lets a node's proxy and its successor stand side by side`() throws {
        let set = try #require(try objects().first { $0["kind"] == "DaemonSet" })
        let pod = set["spec"]["template"]["spec"]
        #expect(pod["hostNetwork"] == true)
        // On the node's network a declared port is a host port, which only one pod may have.
        #expect((pod["containers"].listValue ?? []).allSatisfy { $0["ports"] == .null })
        #expect(set["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"] == 1)
        #expect(set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] == 0)
        let grace = try #require(pod["terminationGracePeriodSeconds"].integerValue)
        #expect(grace >= 600)
    }

    @Test func `takes values, and refuses those that it does not know`() throws {
        let installation = try Installation([
            "image=example.org/mesh:2", "trustDomain=prod.example", "controllerReplicas=3",
            "imagePullPolicy=Never", "imagePullSecret=pull", "logLevel=debug",
        ])
        let programs = installation.objects.filter {
            ["Deployment", "DaemonSet"].contains($0["kind"])
        }
        #expect(programs.count == 2)
        for program in programs {
            let pod = program["spec"]["template"]["spec"]
            #expect(pod["imagePullSecrets"] == [["name": "pull"]])
            let container = try #require(pod["containers"].listValue?.first)
            #expect(container["image"] == "example.org/mesh:2")
            #expect(container["imagePullPolicy"] == "Never")
            let variables = container["env"].listValue ?? []
            let domains = variables.filter { $0["name"] == "AMBIT_TRUST_DOMAIN" }
            #expect(domains == [["name": "AMBIT_TRUST_DOMAIN", "value": "prod.example"]])
            #expect(variables.contains(["name": "AMBIT_LOG_LEVEL", "value": "debug"]))
        }
        let controller = programs.first { $0["kind"] == "Deployment" }
        #expect(controller?["spec"]["replicas"] == 3)
        for setting in ["image", "colour=red", "controllerReplicas=0", "imagePullPolicy=maybe"] {
            #expect(throws: ReachError.self) { try Installation([setting]) }
        }
    }
}
