// deploy/base/node.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let baseNode = EmbeddedManifest(
        path: "base/node.yaml",
        text: contents
    )
}

private let contents = #"""
    # ambit-node: the proxy of each node. It stands on the node's network, finds pods by /proc, enters
    # their network namespaces, and hands over to its successor without losing a connection.
    #
    # No containerPort is declared: on the node's network each would be a host port, of which the
    # scheduler lets a node have one, and the pod and its successor could not stand side by side.
    apiVersion: apps/v1
    kind: DaemonSet
    metadata:
      name: ambit-node
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-node
        app.kubernetes.io/part-of: ambit
    spec:
      selector:
        matchLabels:
          app.kubernetes.io/name: ambit-node
      # A new process that ends at once must not take its predecessor along.
      minReadySeconds: 5
      updateStrategy:
        type: RollingUpdate
        rollingUpdate:
          maxSurge: 1
          maxUnavailable: 0
      template:
        metadata:
          labels:
            app.kubernetes.io/name: ambit-node
            app.kubernetes.io/part-of: ambit
            ambit.dev/dataplane-mode: none
          annotations:
            prometheus.io/scrape: "true"
            prometheus.io/port: "15020"
            kubectl.kubernetes.io/default-container: ambit-node
        spec:
          serviceAccountName: ambit-node
          automountServiceAccountToken: true
          enableServiceLinks: false
          priorityClassName: system-node-critical
          hostNetwork: true
          hostPID: true
          dnsPolicy: ClusterFirstWithHostNet
          # Connections of the old process may go on this long after an update; the new one takes all
          # that are new at once. AMBIT_DRAIN_DEADLINE is a minute shorter.
          terminationGracePeriodSeconds: 3600
          nodeSelector:
            kubernetes.io/os: linux
          tolerations:
            - operator: Exists
          securityContext:
            seccompProfile:
              type: RuntimeDefault
            # The runtime's profile forbids to look into the namespaces of other processes.
            appArmorProfile:
              type: Unconfined
            # Where SELinux is enforced, a container's own type may reach neither the host's CNI folders
            # nor other pods; elsewhere this is without effect.
            seLinuxOptions:
              type: spc_t
              level: s0
          containers:
            - name: ambit-node
              image: ambit.dev/ambit:0.1.0
              imagePullPolicy: IfNotPresent
              command: [/usr/local/bin/ambit-node]
              env:
                - name: AMBIT_CONTROLLER_ADDRESS
                  value: ambit-controller.ambit-system.svc:15012
                - name: AMBIT_TRUST_DOMAIN
                  value: cluster.local
                - name: AMBIT_CLUSTER_ID
                  value: Kubernetes
                - name: AMBIT_CLUSTER_DOMAIN
                  value: cluster.local
                - name: AMBIT_DRAIN_DEADLINE
                  value: 59m
                - name: AMBIT_NODE_NAME
                  valueFrom:
                    fieldRef:
                      fieldPath: spec.nodeName
                - name: NODE_NAME
                  valueFrom:
                    fieldRef:
                      fieldPath: spec.nodeName
                - name: POD_NAME
                  valueFrom:
                    fieldRef:
                      fieldPath: metadata.name
                - name: POD_NAMESPACE
                  valueFrom:
                    fieldRef:
                      fieldPath: metadata.namespace
                - name: INSTANCE_IP
                  valueFrom:
                    fieldRef:
                      fieldPath: status.podIP
                - name: AMBIT_READINESS_SOCKET
                  value: /run/ambit-node/ready.sock
              # During an update two processes share the node's port 15021, and the old one would answer
              # for the new one. This asks the process of this very container, and only until it is
              # ready for the first time: the old one is told to end no earlier. It waits for the
              # controller for as long as a day; to be restarted would not help.
              startupProbe:
                exec:
                  command: [/usr/local/bin/ambit-node, --ready]
                periodSeconds: 2
                timeoutSeconds: 5
                failureThreshold: 43200
              readinessProbe:
                httpGet:
                  path: /healthz/ready
                  port: 15021
                periodSeconds: 2
                timeoutSeconds: 3
                failureThreshold: 3
              resources:
                requests:
                  cpu: 50m
                  memory: 64Mi
                # No limit: to be killed for memory would end every connection of the node. What a
                # pod can make it hold is bounded by AMBIT_CONNECTIONS_PER_POD and its like.
              securityContext:
                runAsUser: 0
                runAsGroup: 0
                runAsNonRoot: false
                privileged: false
                allowPrivilegeEscalation: true
                readOnlyRootFilesystem: true
                capabilities:
                  drop: [ALL]
                  # Rules and routes in pods, their namespaces, and /proc/PID/ns of other users;
                  # /opt/cni/bin, which an unpacked archive may have given to another user.
                  add: [DAC_OVERRIDE, NET_ADMIN, NET_RAW, SYS_ADMIN, SYS_PTRACE]
              volumeMounts:
                - name: run
                  mountPath: /var/run/ambit
                - name: state
                  mountPath: /var/lib/ambit
                - name: cni-bin
                  mountPath: /opt/cni/bin
                - name: cni-net
                  mountPath: /etc/cni/net.d
                - name: sysctl
                  mountPath: /host/proc/sys/net
                - name: credentials
                  mountPath: /var/run/secrets/ambit
                  readOnly: true
                - name: instance
                  mountPath: /run/ambit-node
          volumes:
            - name: run
              hostPath:
                path: /var/run/ambit
                type: DirectoryOrCreate
            - name: state
              hostPath:
                path: /var/lib/ambit
                type: DirectoryOrCreate
            - name: cni-bin
              hostPath:
                path: /opt/cni/bin
                type: DirectoryOrCreate
            - name: cni-net
              hostPath:
                path: /etc/cni/net.d
                type: DirectoryOrCreate
            # The container's own /proc/sys is read-only; here /proc/sys/net is not, and like every
            # /proc/sys/net it shows the network namespace of the thread that opens it.
            - name: sysctl
              hostPath:
                path: /proc/sys/net
                type: Directory
            - name: credentials
              projected:
                sources:
                  - serviceAccountToken:
                      path: token
                      audience: ambit-ca
                      expirationSeconds: 43200
                  # Written by the controller; a node that starts first waits for it.
                  - configMap:
                      name: ambit-ca-root
                      optional: true
                      items:
                        - key: root-cert.pem
                          path: root/root-cert.pem
            # What belongs to this pod alone: its readiness socket.
            - name: instance
              emptyDir:
                medium: Memory
                sizeLimit: 1Mi

    """#
