// deploy/base/controller.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let baseController = EmbeddedManifest(
        path: "base/controller.yaml",
        text: contents
    )
}

private let contents = #"""
    # ambit-controller: all replicas serve discovery and certificates, the leader writes to the API.
    apiVersion: v1
    kind: Service
    metadata:
      name: ambit-controller
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    spec:
      selector:
        app.kubernetes.io/name: ambit-controller
      ports:
        - name: grpc
          port: 15012
          targetPort: 15012
          protocol: TCP
        - name: metrics
          port: 15014
          targetPort: 15014
          protocol: TCP
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata:
      name: ambit-controller
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    spec:
      maxUnavailable: 1
      unhealthyPodEvictionPolicy: AlwaysAllow
      selector:
        matchLabels:
          app.kubernetes.io/name: ambit-controller
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: ambit-controller
      namespace: ambit-system
      labels:
        app.kubernetes.io/name: ambit-controller
        app.kubernetes.io/part-of: ambit
    spec:
      replicas: 2
      selector:
        matchLabels:
          app.kubernetes.io/name: ambit-controller
      strategy:
        rollingUpdate:
          maxSurge: 1
          maxUnavailable: 0
      template:
        metadata:
          labels:
            app.kubernetes.io/name: ambit-controller
            app.kubernetes.io/part-of: ambit
            ambit.dev/dataplane-mode: none
          annotations:
            prometheus.io/scrape: "true"
            prometheus.io/port: "15014"
            kubectl.kubernetes.io/default-container: ambit-controller
        spec:
          serviceAccountName: ambit-controller
          automountServiceAccountToken: true
          enableServiceLinks: false
          priorityClassName: system-cluster-critical
          terminationGracePeriodSeconds: 30
          nodeSelector:
            kubernetes.io/os: linux
          affinity:
            podAntiAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - weight: 100
                  podAffinityTerm:
                    topologyKey: kubernetes.io/hostname
                    labelSelector:
                      matchLabels:
                        app.kubernetes.io/name: ambit-controller
          topologySpreadConstraints:
            - topologyKey: topology.kubernetes.io/zone
              maxSkew: 1
              whenUnsatisfiable: ScheduleAnyway
              labelSelector:
                matchLabels:
                  app.kubernetes.io/name: ambit-controller
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            fsGroup: 65532
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: ambit-controller
              image: ambit.dev/ambit:0.1.0
              imagePullPolicy: IfNotPresent
              command: [/usr/local/bin/ambit-controller]
              env:
                - name: AMBIT_TRUST_DOMAIN
                  value: cluster.local
                - name: AMBIT_CLUSTER_ID
                  value: Kubernetes
                - name: AMBIT_CLUSTER_DOMAIN
                  value: cluster.local
                - name: AMBIT_ROOT_NAMESPACE
                  value: ambit-system
                - name: POD_NAME
                  valueFrom:
                    fieldRef:
                      fieldPath: metadata.name
                - name: POD_NAMESPACE
                  valueFrom:
                    fieldRef:
                      fieldPath: metadata.namespace
              ports:
                - name: grpc
                  containerPort: 15012
                  protocol: TCP
                - name: metrics
                  containerPort: 15014
                  protocol: TCP
              startupProbe:
                httpGet:
                  path: /healthz
                  port: 15014
                periodSeconds: 2
                failureThreshold: 60
              readinessProbe:
                httpGet:
                  path: /readyz
                  port: 15014
                periodSeconds: 5
                timeoutSeconds: 3
              livenessProbe:
                httpGet:
                  path: /healthz
                  port: 15014
                periodSeconds: 10
                timeoutSeconds: 5
                failureThreshold: 6
              resources:
                requests:
                  cpu: 50m
                  memory: 128Mi
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                privileged: false
                capabilities:
                  drop: [ALL]

    """#
