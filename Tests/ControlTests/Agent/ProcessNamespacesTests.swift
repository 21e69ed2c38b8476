import Agent
import Reactor
import Testing

@Suite struct `The processes of a node` {
    private let uid = "0a1b2c3d-0000-4111-8222-abcdefabcdef"

    @Test func `lead to a pod's network namespace by the oldest that has one`() throws {
        let (sandbox, younger) = (try PodNamespace(), try PodNamespace())
        let processes = try FakeProcesses()
        try processes.add(900, pod: uid, start: 100, namespace: younger.path)
        try processes.add(77, pod: uid, start: 50, namespace: sandbox.path)
        // CRI-O's monitor is older and in the node's namespace; a zombie has none.
        try processes.add(5, pod: uid, start: 1, namespace: "/proc/self/ns/net")
        try processes.add(6, pod: uid, start: 2, namespace: "/nowhere")
        let finder = try ProcessNamespaces(root: processes.root)
        let found = finder.find([uid])
        #expect(found[uid]?.identity == (try sandbox.namespace.identity))
        #expect(found.count == 1)
    }

    @Test func `say nothing of pods without a process, nor of those nobody asks for`() throws {
        let namespace = try PodNamespace()
        let processes = try FakeProcesses()
        try processes.add(1, pod: uid, start: 1, namespace: namespace.path)
        let finder = try ProcessNamespaces(root: processes.root)
        #expect(finder.find(["ffffffff-0000-4111-8222-abcdefabcdef"]).isEmpty)
        #expect(finder.find([]).isEmpty)
    }

    @Test func `never lead to the node's own namespace`() throws {
        let processes = try FakeProcesses()
        try processes.add(8, pod: uid, start: 1, namespace: "/proc/self/ns/net")
        let finder = try ProcessNamespaces(root: processes.root)
        #expect(finder.find([uid]).isEmpty)
        #expect(finder.isHost(try HeldNamespace(path: "/proc/self/ns/net")))
    }

    @Test func `hold a namespace that can be opened by its path once its process is gone`() throws {
        var pod: PodNamespace? = try PodNamespace()
        let processes = try FakeProcesses()
        try processes.add(8, pod: uid, start: 1, namespace: try #require(pod).path)
        let found = try #require(try ProcessNamespaces(root: processes.root).find([uid])[uid])
        pod = nil
        try processes.remove(8)
        #expect(try NetworkNamespace(path: found.path).identity == found.identity)
    }
}
