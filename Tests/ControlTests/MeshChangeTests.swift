import Mesh
import Testing

@Suite("A change of the mesh")
struct MeshChangeTests {
    @Test func `is empty until something is in it`() {
        var change = MeshChange()
        #expect(change.isEmpty)
        change.removedServices = ["a/b"]
        #expect(!change.isEmpty)
    }
}
