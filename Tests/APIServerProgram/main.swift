import APIServerDouble
import Foundation
import Kubernetes

// ambit-apiserver-double [--port N] [--kubeconfig FILE] [--tokens FILE] [MANIFEST...]: an API
// server without a cluster, for real clients. Prints its address and serves until it is ended.
// The file of tokens is a JSON list of token, username, audiences, podName and nodeName.
var port = 0
var kubeconfig: String?
var tokens: String?
var manifests: [String] = []
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "--port": port = arguments.popFirst().flatMap { Int($0) } ?? 0
    case "--kubeconfig": kubeconfig = arguments.popFirst()
    case "--tokens": tokens = arguments.popFirst()
    default: manifests.append(argument)
    }
}
let double = APIServerDouble()
for manifest in manifests {
    let bytes = Array(try Data(contentsOf: URL(filePath: manifest)))
    for document in try YAMLDocuments(bytes).documents {
        let object = try Value(yaml: document.text)
        if object != .null { try double.put(object) }
    }
}
if let tokens {
    let entries = try Value(json: Array(try Data(contentsOf: URL(filePath: tokens))))
    for entry in entries.listValue ?? [] {
        var identity = TokenReview()
        identity.isAuthenticated = true
        identity.username = entry["username"].stringValue ?? ""
        identity.audiences = (entry["audiences"].listValue ?? []).compactMap(\.stringValue)
        identity.podName = entry["podName"].stringValue ?? ""
        // system:serviceaccount:NAMESPACE:NAME, and pods have the UID the double gave them.
        let words = identity.username.split(separator: ":").map(String.init)
        if words.count == 4 {
            let pod = ObjectReference(.pods, namespace: words[2], name: identity.podName)
            identity.podUID = double.get(pod)?["metadata"]["uid"].stringValue ?? ""
        }
        identity.nodeName = entry["nodeName"].stringValue ?? ""
        double.reviewer.tokens[entry["token"].stringValue ?? ""] = identity
    }
}
let address = try await double.start(port: port)
if let kubeconfig {
    let text = """
        apiVersion: v1
        kind: Config
        current-context: double
        clusters: [{name: double, cluster: {server: "\(address)"}}]
        contexts: [{name: double, context: {cluster: double, user: double}}]
        users: [{name: double, user: {token: double}}]

        """
    try Data(text.utf8).write(to: URL(filePath: kubeconfig), options: .atomic)
}
print(address)
fflush(nil)
while true { try await Pause.wait(for: .seconds(3_600)) }
