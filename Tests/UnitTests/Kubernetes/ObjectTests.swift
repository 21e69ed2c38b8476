import Kubernetes
import Mesh
import Testing

/// Decodes the one object a text holds.
func object<Element: Object>(_ text: String, as type: Element.Type = Element.self) throws -> Element
{
    try Element(Field(root: Value(yaml: text)))
}

@Suite struct `A pod object` {
    private static let whole = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: web-0
          namespace: shop
          uid: 1c7f
          creationTimestamp: "1970-01-01T00:01:00Z"
          deletionTimestamp: "1970-01-01T00:02:00Z"
          ownerReferences:
          - {apiVersion: apps/v1, kind: StatefulSet, name: web, controller: true}
          unknown: {a: b}
        spec:
          nodeName: node-1
          serviceAccountName: web
          dnsPolicy: None
          dnsConfig:
            nameservers: [10.0.0.10]
            searches: [shop.example]
            options: [{name: ndots, value: "2"}, {name: edns0}]
          hostname: web-0
          subdomain: web-pods
          terminationGracePeriodSeconds: 5
          initContainers:
          - name: setup
            command: ["true"]
          - name: helper
            restartPolicy: Always
            ports: [{name: admin, containerPort: 9000}]
          containers:
          - name: web
            image: nginx
            command: [nginx]
            args: [-g, "daemon off;"]
            workingDir: /srv
            env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: x}}}]
            ports:
            - {name: http, containerPort: 8080}
            - {name: dns, containerPort: 53, protocol: UDP}
            - {name: http, containerPort: 9999}
            livenessProbe: {httpGet: {port: http, path: /}}
            readinessProbe: {tcpSocket: {port: 8081}}
            startupProbe: {grpc: {port: 8081}}
          - name: other
            readinessProbe: {httpGet: {port: http}}
        status:
          phase: Running
          podIP: 10.1.0.5
          podIPs: [{ip: 10.1.0.5}, {ip: "fd00::5"}]
          hostIP: 192.168.0.2
          conditions: [{type: Ready, status: "True"}, {type: Initialized, status: "False"}]
        """

    @Test func `keeps the fields that are used`() throws {
        let pod: Pod = try object(Self.whole)
        #expect(pod.metadata.uid == "1c7f")
        #expect(pod.metadata.creationTimestamp == 60)
        #expect(pod.metadata.isBeingDeleted)
        #expect(pod.metadata.ownerReferences.map(\.name) == ["web"])
        #expect(pod.nodeName == "node-1")
        #expect(pod.serviceAccountName == "web")
        #expect(pod.dnsPolicy == .none)
        #expect(pod.dnsConfig.nameservers.map(\.description) == ["10.0.0.10"])
        #expect(pod.dnsConfig.options.map(\.value) == ["2", nil])
        #expect(pod.hostname == "web-0")
        #expect(pod.subdomain == "web-pods")
        #expect(pod.terminationGracePeriodSeconds == 5)
        #expect(pod.initContainers.map(\.name) == ["setup"])
        #expect(pod.containers.map(\.name) == ["web", "other", "helper"])
        #expect(pod.containers.first?.arguments == ["-g", "daemon off;"])
        #expect(pod.containers.first?.environment.map(\.value) == ["1", ""])
        #expect(pod.containers.first?.workingDirectory == "/srv")
        #expect(pod.portNames == ["http": 8080, "admin": 9000])
        #expect(pod.probePorts == [8081, 8080])
        #expect(pod.addresses.map(\.description) == ["10.1.0.5", "fd00::5"])
        #expect(pod.hostAddresses.map(\.description) == ["192.168.0.2"])
        #expect(pod.phase == .running)
        #expect(pod.isReady == true)
    }

    @Test func `has defaults for all that a short manifest leaves out`() throws {
        let pod: Pod = try object("metadata: {name: a}\nspec: {containers: [{name: a}]}")
        #expect(pod.metadata.namespace == "default")
        #expect(pod.metadata.creationTimestamp == nil)
        #expect(pod.serviceAccountName == "default")
        #expect(pod.dnsPolicy == .clusterFirst)
        #expect(pod.terminationGracePeriodSeconds == 30)
        #expect(pod.isReady == nil)
        #expect(pod.phase == .unknown)
        #expect(pod.addresses.isEmpty)
    }

    @Test func `does not fail for values it does not know`() throws {
        let pod: Pod = try object(
            """
            metadata: {name: a}
            spec:
              dnsPolicy: Later
              serviceAccount: old
              containers: [{name: a, ports: [{containerPort: 1, protocol: QUIC}]}]
            status: {phase: Napping, podIP: 10.0.0.1, conditions: [{type: Ready, status: Unknown}]}
            """
        )
        #expect(pod.dnsPolicy == .clusterFirst)
        #expect(pod.serviceAccountName == "old")
        #expect(pod.containers.first?.ports.first?.transport == .other)
        #expect(pod.phase == .unknown)
        #expect(pod.isReady == false)
        #expect(pod.addresses.map(\.description) == ["10.0.0.1"])
    }
}

@Suite struct `A service object` {
    @Test func `keeps ports, addresses and traffic rules`() throws {
        let service: Kubernetes.Service = try object(
            """
            metadata: {name: web, namespace: shop}
            spec:
              type: ClusterIP
              clusterIP: 10.96.0.1
              clusterIPs: [10.96.0.1, "fd00:96::1"]
              ipFamilies: [IPv4, IPv6, IPv9]
              ipFamilyPolicy: RequireDualStack
              selector: {app: web}
              internalTrafficPolicy: Local
              trafficDistribution: PreferSameZone
              publishNotReadyAddresses: true
              ports:
              - {name: http, port: 80, targetPort: http}
              - {name: number, port: 81, targetPort: 8081}
              - {name: text, port: 82, targetPort: "8082"}
              - {name: same, port: 83}
              - {name: udp, port: 83, protocol: UDP}
            """
        )
        #expect(service.clusterIPs.map(\.description) == ["10.96.0.1", "fd00:96::1"])
        #expect(service.ipFamilies == [.v4, .v6])
        #expect(service.ipFamilyPolicy == .requireDualStack)
        #expect(!service.isHeadless && !service.isExternalName)
        #expect(service.isNodeLocal && service.publishesNotReadyAddresses)
        #expect(service.trafficDistribution == "PreferSameZone")
        #expect(
            service.ports.map(\.targetPort) == [
                .name("http"), .number(8081), .number(8082), .number(83), .number(83),
            ]
        )
        #expect(service.ports.map(\.transport) == [.tcp, .tcp, .tcp, .tcp, .udp])
    }

    @Test(arguments: ["clusterIP: None", "clusterIPs: [None]", "clusterIP: None\n  ipFamilies: []"])
    func `may be headless`(line: String) throws {
        let service: Kubernetes.Service = try object("metadata: {name: a}\nspec:\n  \(line)")
        #expect(service.isHeadless)
        #expect(service.clusterIPs.isEmpty)
    }

    @Test func `waits for an address when it says nothing`() throws {
        let service: Kubernetes.Service = try object("metadata: {name: a}\nspec: {clusterIP: ''}")
        #expect(!service.isHeadless)
        #expect(service.clusterIPs.isEmpty)
    }
}

@Suite struct `An endpoint slice object` {
    @Test func `keeps endpoints, their readiness and what they stand for`() throws {
        let slice: EndpointSlice = try object(
            """
            metadata:
              name: web-x
              namespace: shop
              labels:
                kubernetes.io/service-name: web
                endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
            addressType: IPv4
            endpoints:
            - addresses: [10.1.0.5]
              conditions: {ready: false}
              nodeName: node-1
              zone: a
              hostname: web-0
              targetRef: {kind: Pod, name: web-0}
            - addresses: [10.9.9.9]
              targetRef: {kind: Node, name: n}
            ports: [{name: http, port: 8080}, {name: all}, {name: dns, port: 53, protocol: UDP}]
            """
        )
        #expect(slice.serviceName == "web")
        #expect(slice.mirrorsSelector)
        #expect(slice.endpoints.map(\.isReady) == [false, true])
        #expect(slice.endpoints.map(\.pod?.description) == ["Pod shop/web-0", nil])
        #expect(slice.endpoints.map(\.zone) == ["a", ""])
        #expect(slice.ports.map(\.name) == ["http", "dns"])
    }

    @Test func `of names has no endpoints`() throws {
        let slice: EndpointSlice = try object(
            "metadata: {name: a}\naddressType: FQDN\nendpoints: [{addresses: [example.com]}]"
        )
        #expect(slice.holdsNames)
        #expect(slice.endpoints.isEmpty)
    }
}

@Suite struct `A policy object` {
    @Test func `tells an absent list from an empty one, and names what it does not know`() throws {
        let policy: AuthorizationPolicy = try object(
            """
            metadata: {name: a}
            spec:
              selector: {matchLabels: {app: web}, matchExpressions: []}
              acton: DENY
              rules:
              - from: [{source: {principals: [], princpals: [x], requestPrincipals: [y]}}]
                tow: []
              - to: [{operation: {ports: ["80"], methods: [GET], path: [/]}, x: 1}]
                when: [{key: source.ip, values: [10.0.0.1], value: [x]}]
            """
        )
        #expect(policy.action == "ALLOW")
        #expect(policy.selector?.matchLabels == ["app": "web"])
        #expect(policy.rules.count == 2)
        let source = try #require(policy.rules.first?.from?.first)
        #expect(source.principals == [])
        #expect(source.namespaces == nil)
        #expect(source.layer7Fields == ["requestPrincipals"])
        #expect(policy.rules.first?.to == nil)
        #expect(policy.rules.last?.to?.first?.layer7Fields == ["methods"])
        #expect(
            policy.unknownFields == [
                "spec.acton", "spec.selector.matchExpressions", "spec.rules[0].tow",
                "spec.rules[0].from[0].source.princpals", "spec.rules[1].to[0].x",
                "spec.rules[1].to[0].operation.path", "spec.rules[1].when[0].value",
            ]
        )
    }

    @Test func `about peers keeps modes of ports`() throws {
        let policy: PeerAuthentication = try object(
            """
            metadata: {name: a}
            spec:
              mtls: {mode: STRICT}
              portLevelMtls: {8080: {mode: DISABLE}, "9000": {}, 1: {mode: HARD}}
            """
        )
        #expect(policy.mode == .strict)
        #expect(policy.portModes == [8080: .disable, 9000: .unset, 1: .unknown])
        #expect(policy.unknownFields.isEmpty)
    }
}
