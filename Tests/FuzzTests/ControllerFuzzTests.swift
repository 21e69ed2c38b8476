import Controller
import JSON
import Kubernetes
import Mesh
import Testing

@Suite struct `A fuzzed set of objects` {
    @Test func `translates to a state that every node takes, or says why not`() {
        fuzz("translation", corpus: ManifestCorpus.entries) { bytes, generator in
            var objects = Manifests(files: [("fuzz.yaml", bytes)]).objects
            for index in objects.pods.indices where generator.below(2) == 0 {
                objects.pods[index].addresses = [IPAddress(v4: UInt32(index) + 1)]
            }
            let translation = translate(objects, settings: MeshSettings())
            let state = translation.state
            let decoded: MeshState
            do {
                decoded = try MeshState(json: state.json.compact())
            } catch {
                throw Broken(property: "a node refuses the state: \(error)")
            }
            guard decoded == state else { throw Broken(property: "the state reads differently") }
            try checkPolicies(objects, translation)
        }
    }

    // No policy may vanish: it is in the state, refused, or warned of.
    private func checkPolicies(_ objects: ObjectSet, _ translation: Translation) throws {
        let keys = Set(translation.state.policies.map(\.key))
        let named = Set((translation.refusals + translation.warnings).map(\.object))
        for object in objects.authorizationPolicies {
            let key = object.metadata.namespace + "/" + object.metadata.name
            // One of Istio's group bears the group in its name.
            let isThere = keys.contains(key) || keys.contains(key + "@security.istio.io")
            guard isThere || named.contains(object.key) else {
                throw Broken(property: "\(object.key) vanished")
            }
        }
        for workload in translation.state.workloads {
            for key in workload.authorizationPolicies where !keys.contains(key) {
                throw Broken(property: "\(workload.uid) names \(key), which is not there")
            }
        }
    }

    private struct Broken: Error {
        let property: String
    }
}
