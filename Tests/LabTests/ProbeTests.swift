import Testing

@Suite(.serialized) struct `A probe of a STRICT pod` {
    /// The pod `guarded/web` on node-1 declares probes on 7001 (HTTP), 7002 (TCP) and 7003 (gRPC).
    ///
    /// It serves 7004 as well. `hosts/near` and `hosts/far` are on the networks of node-1 and
    /// node-2.
    private static let manifest = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: guarded, labels: {ambit.dev/dataplane-mode: ambient}}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: hosts}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: node-1}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: node-2}
        ---
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: default, namespace: guarded}
        spec: {mtls: {mode: STRICT}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: web, namespace: guarded}
        spec:
          nodeName: node-1
          containers:
            - name: app
              image: host
              command: [python3, -u, -c, "\(server)"]
              ports: [{name: health, containerPort: 7002}]
              livenessProbe: {httpGet: {path: /, port: 7001}}
              readinessProbe: {tcpSocket: {port: health}}
              startupProbe: {grpc: {port: 7003}}
        \(host("near", "node-1"))
        \(host("far", "node-2"))
        """

    private static let server =
        "import socketserver as s, threading as t; "
        + "h = type('H', (s.BaseRequestHandler,), "
        + "{'handle': lambda self: self.request.sendall(b'data')}); "
        + "c = type('C', (s.ThreadingTCPServer,), "
        + "{'allow_reuse_address': True, 'address_family': 10}); "
        + "a = [c(('::', p), h) for p in range(7001, 7005)]; "
        + "[t.Thread(target=x.serve_forever).start() for x in a]; print('serving')"

    private static func host(_ name: String, _ node: String) -> String {
        """
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), namespace: hosts}
        spec:
          nodeName: \(node)
          hostNetwork: true
          containers: [{name: app, image: host, command: [sleep, infinity]}]
        """
    }

    @Test func `passes from its node to a probe's port, and nowhere else`() throws {
        let lab = try TestLab(Self.manifest)
        try lab.eventually("the pod serves") {
            try lab.lab(["logs", "guarded/web"]).contains("serving")
        }
        for v6 in [false, true] {
            let address = try lab.address("guarded/web", v6: v6)
            let program =
                Programs.dial + """
                    for port in range(7001, 7005): print(dial("\(address)", port))
                    """
            let near = try lab.exec("hosts/near", ["python3", "-u", "-c", program])
            #expect(
                near.output == "data\ndata\ndata\nConnectionResetError\n",
                "\(near.output)\(near.error)"
            )
            let far = try lab.exec("hosts/far", ["python3", "-u", "-c", program])
            let refused = "ConnectionResetError\n"
            #expect(
                far.output == String(repeating: refused, count: 4),
                "\(far.output)\(far.error)"
            )
        }
        let denied = try lab.access("node-1", "istio_converted_static_strict")
        #expect(denied.count >= 10, "one near and four far, of each family")
        #expect(try !lab.access("node-1", "policy=\"probe\"").isEmpty)
    }
}
