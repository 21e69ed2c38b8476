import Agent
import Testing

@Suite struct `The cgroup of a process` {
    private static let uid = "0a1b2c3d-0000-4111-8222-abcdefabcdef"
    private static let flat = "0a1b2c3d_0000_4111_8222_abcdefabcdef"
    private static let container = String(repeating: "5e", count: 32)

    /// What real nodes show: version, kubelet's driver, runtime.
    static let forms: [(String, String)] = [
        (
            "v2 systemd containerd",
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(flat).slice"
                + "/cri-containerd-\(container).scope\n"
        ),
        (
            "v2 systemd containerd, guaranteed",
            "0::/kubepods.slice/kubepods-pod\(flat).slice/cri-containerd-\(container).scope"
        ),
        (
            "v2 systemd CRI-O",
            "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod\(flat).slice"
                + "/crio-\(container).scope"
        ),
        (
            "v2 systemd docker",
            "0::/kubepods.slice/kubepods-pod\(flat).slice/docker-\(container).scope"
        ),
        ("v2 cgroupfs containerd", "0::/kubepods/burstable/pod\(uid)/\(container)"),
        ("v2 cgroupfs CRI-O", "0::/kubepods/pod\(uid)/crio-\(container)"),
        (
            "v1 cgroupfs docker",
            "12:pids:/kubepods/besteffort/pod\(uid)/\(container)\n"
                + "1:name=systemd:/kubepods/besteffort/pod\(uid)/\(container)\n"
        ),
        (
            "v1 systemd containerd, a colon in the path",
            "11:memory:/system.slice/containerd.service/kubepods-burstable-pod\(flat).slice"
                + ":cri-containerd:\(container)\n"
                + "1:name=systemd:/kubepods.slice/kubepods-burstable-pod\(flat).slice/x\n"
        ),
        (
            "kind: kubelet inside a container",
            "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
                + "/kubelet-kubepods-besteffort-pod\(flat).slice/cri-containerd-x.scope"
        ),
        (
            "a reader with a cgroup namespace",
            "0::/../../kubepods-besteffort-pod\(flat).slice/cri-containerd-x.scope"
        ),
        ("a UID in capitals", "0::/kubepods/pod\(uid.uppercased())/x"),
        (
            "a container that makes the cgroup of another pod in its own",
            "0::/kubepods/pod\(uid)/\(container)/podffffffff-0000-4111-8222-abcdefabcdef"
        ),
    ]

    @Test(arguments: forms)
    func `names its pod`(form: (name: String, text: String)) {
        #expect(PodCgroup.podUID(form.text) == Self.uid, "\(form.name)")
    }

    @Test func `names a static pod, whose UID is a hash`() {
        let hash = "0123456789abcdef0123456789abcdef"
        let text = "0::/kubepods.slice/kubepods-pod\(hash).slice/cri-containerd-x.scope"
        #expect(PodCgroup.podUID(text) == hash)
    }

    @Test(arguments: [
        "", "0::/", "0::/system.slice/kubelet.service", "0::/user.slice/podman-1.scope",
        "0::/machine.slice/libpod-\(container).scope/container",
        "0::/machine.slice/libpod_pod_\(container).slice/libpod-x.scope",
        "0::/kubepods/pod0a1b2c3d/x", "0::/kubepods/pod\(uid)extra/x",
        "0::/kubepods/podg a1b2c3d-0000-4111-8222-abcdefabcdef/x", "kubepods/pod\(uid)/x",
        "0::/kubepods-pod\(flat)/x", "0::/..", ":::::",
    ])
    func `names none where there is none`(text: String) {
        #expect(PodCgroup.podUID(text) == nil)
    }

    @Test func `comes with a start time, whatever the program is called`() {
        let fields = (4...21).map { "\($0)" }.joined(separator: " ")
        #expect(PodCgroup.startTime("42 (a) b (c)) S \(fields) 777 23 24\n") == 777)
        #expect(PodCgroup.startTime("42 (sh) S 1 2 3") == nil)
        #expect(PodCgroup.startTime("42 sh S \(fields) 777") == nil)
    }
}
