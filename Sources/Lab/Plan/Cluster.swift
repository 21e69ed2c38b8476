package import Mesh

package struct Cluster {
    package static let resolvers: [IPAddress] = []
    mutating func apply(_ files: [SourceFile]) throws(LabError) {}
    mutating func delete(_ files: [SourceFile]) throws(LabError) {}
    mutating func delete(kind: String, namespace: String, name: String) throws(LabError) {}
    mutating func plan() throws(LabError) -> ClusterPlan { ClusterPlan() }
}
