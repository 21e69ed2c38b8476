import APIServerDouble
import Foundation
import Kubernetes

// ambit-apiserver-double [--port N] [--kubeconfig FILE] [MANIFEST...]: an API server without a
// cluster, for real clients. Prints its address and serves until it is ended.
var port = 0
var kubeconfig: String?
var manifests: [String] = []
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "--port": port = arguments.popFirst().flatMap { Int($0) } ?? 0
    case "--kubeconfig": kubeconfig = arguments.popFirst()
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
