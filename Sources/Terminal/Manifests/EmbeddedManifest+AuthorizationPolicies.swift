// deploy/crds/authorizationpolicies.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let authorizationPolicies = EmbeddedManifest(
        path: "crds/authorizationpolicies.yaml",
        text: contents
    )
}

private let contents = #"""
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata:
      name: authorizationpolicies.security.ambit.dev
      labels:
        app.kubernetes.io/name: ambit
        app.kubernetes.io/part-of: ambit
    spec:
      group: security.ambit.dev
      scope: Namespaced
      names:
        kind: AuthorizationPolicy
        listKind: AuthorizationPolicyList
        plural: authorizationpolicies
        singular: authorizationpolicy
        # Istio's kinds of the same name have ap, pa and ra.
        shortNames: [aap]
        categories: [ambit]
      versions:
        - name: v1alpha1
          served: true
          storage: true
          subresources:
            status: {}
          additionalPrinterColumns:
            - name: Action
              type: string
              jsonPath: .spec.action
            - name: Accepted
              type: string
              jsonPath: .status.conditions[?(@.type=="Accepted")].status
            - name: Enforced
              type: string
              jsonPath: .status.conditions[?(@.type=="Enforced")].status
            - name: Message
              type: string
              jsonPath: .status.conditions[?(@.type=="Accepted")].message
              priority: 1
            - name: Age
              type: date
              jsonPath: .metadata.creationTimestamp
          schema:
            openAPIV3Schema:
              description: >-
                Who may talk to which pods. A connection that a DENY policy matches is refused; else,
                where any ALLOW policy is for the pod, one of them must match; else it is allowed. In
                the root namespace (ambit-system) a policy without a selector is for all pods.
              type: object
              properties:
                apiVersion:
                  type: string
                kind:
                  type: string
                metadata:
                  type: object
                spec:
                  type: object
                  default: {}
                  x-kubernetes-validations:
                    - rule: "!(has(self.selector) && (has(self.targetRef) || has(self.targetRefs)))"
                      message: >-
                        targetRefs cannot stand beside a selector: the first is for a waypoint, the
                        second for pods
                    - rule: "!(has(self.targetRef) && has(self.targetRefs))"
                      message: targetRef and targetRefs cannot stand together; use targetRefs
                  properties:
                    selector:
                      description: >-
                        The pods of this namespace that the object is for; all of them without it.
                      type: object
                      properties:
                        matchLabels:
                          description: Labels that a pod must have, all of them.
                          type: object
                          maxProperties: 64
                          additionalProperties:
                            type: string
                            maxLength: 63
                    targetRef:
                      description: One Gateway or Service, for whose waypoint the object is.
                      type: object
                      required: [kind, name]
                      properties:
                        group:
                          description: Empty for Services; gateway.networking.k8s.io for Gateways.
                          type: string
                          maxLength: 253
                        kind:
                          type: string
                          minLength: 1
                          maxLength: 63
                        name:
                          type: string
                          minLength: 1
                          maxLength: 253
                        namespace:
                          description: Nothing but the object's own namespace may be named.
                          type: string
                          maxLength: 63
                    targetRefs:
                      description: The Gateways or Services for whose waypoint the object is.
                      type: array
                      maxItems: 16
                      items:
                        type: object
                        required: [kind, name]
                        properties:
                          group:
                            description: Empty for Services; gateway.networking.k8s.io for Gateways.
                            type: string
                            maxLength: 253
                          kind:
                            type: string
                            minLength: 1
                            maxLength: 63
                          name:
                            type: string
                            minLength: 1
                            maxLength: 253
                          namespace:
                            description: Nothing but the object's own namespace may be named.
                            type: string
                            maxLength: 63
                    action:
                      description: What a match means. Without rules, ALLOW allows nothing.
                      type: string
                      enum: [ALLOW, DENY]
                      default: ALLOW
                    rules:
                      description: The policy matches where one of them does.
                      type: array
                      maxItems: 256
                      items:
                        description: >-
                          All of from, to and when that are given must match; a rule with none of
                          them, {}, matches everything.
                        type: object
                        x-kubernetes-validations:
                          - rule: "!has(self.from) || self.from.size() > 0"
                            message: from must not be empty; leave it out to match every source
                            fieldPath: .from
                          - rule: "!has(self.to) || self.to.size() > 0"
                            message: to must not be empty; leave it out to match every operation
                            fieldPath: .to
                          - rule: "!has(self.when) || self.when.size() > 0"
                            message: when must not be empty; leave it out to match always
                            fieldPath: .when
                        properties:
                          from:
                            description: Where the connection comes from; one of them must match.
                            type: array
                            maxItems: 64
                            items:
                              type: object
                              required: [source]
                              properties:
                                source:
                                  description: All fields that are given must match.
                                  type: object
                                  x-kubernetes-validations:
                                    - rule: >-
                                        has(self.principals) || has(self.notPrincipals) ||
                                        has(self.namespaces) || has(self.notNamespaces) ||
                                        has(self.serviceAccounts) || has(self.notServiceAccounts) ||
                                        has(self.ipBlocks) || has(self.notIpBlocks) ||
                                        has(self.remoteIpBlocks) || has(self.notRemoteIpBlocks) ||
                                        has(self.requestPrincipals) || has(self.notRequestPrincipals)
                                      message: >-
                                        source must have at least one field; leave from out to match
                                        every source
                                    - rule: >-
                                        !(has(self.serviceAccounts) || has(self.notServiceAccounts)) ||
                                        !(has(self.principals) || has(self.notPrincipals) ||
                                        has(self.namespaces) || has(self.notNamespaces))
                                      message: >-
                                        serviceAccounts cannot stand beside principals or namespaces
                                  properties:
                                    principals:
                                      description: >-
                                        DOMAIN/ns/NAMESPACE/sa/ACCOUNT, one * at an end; * is anyone.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                        pattern: '^([!-)+-~]+|[*][!-)+-~]*|[!-)+-~]+[*])$'
                                    notPrincipals:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                        pattern: '^([!-)+-~]+|[*][!-)+-~]*|[!-)+-~]+[*])$'
                                    namespaces:
                                      description: >-
                                        Namespaces, at most one * at an end.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                        pattern: '^([!-)+-~]+|[*][!-)+-~]*|[!-)+-~]+[*])$'
                                    notNamespaces:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                        pattern: '^([!-)+-~]+|[*][!-)+-~]*|[!-)+-~]+[*])$'
                                    serviceAccounts:
                                      description: >-
                                        NAMESPACE/ACCOUNT, or an ACCOUNT of this namespace; no *.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 317
                                        pattern: "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?\
                                          [a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
                                    notServiceAccounts:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 317
                                        pattern: "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?\
                                          [a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
                                    ipBlocks:
                                      description: >-
                                        Addresses or blocks such as 10.0.0.0/8 of the client.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 2
                                        maxLength: 64
                                        pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$'
                                    notIpBlocks:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 2
                                        maxLength: 64
                                        pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$'
                                    remoteIpBlocks:
                                      description: >-
                                        HTTP, which waypoints see.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 2
                                        maxLength: 64
                                        pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$'
                                    notRemoteIpBlocks:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 2
                                        maxLength: 64
                                        pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$'
                                    requestPrincipals:
                                      description: >-
                                        HTTP, which waypoints see. ISSUER/SUBJECT of a token.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                    notRequestPrincipals:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                          to:
                            description: What the connection is for; one of them must match.
                            type: array
                            maxItems: 64
                            items:
                              type: object
                              required: [operation]
                              properties:
                                operation:
                                  description: All fields that are given must match.
                                  type: object
                                  x-kubernetes-validations:
                                    - rule: >-
                                        has(self.ports) || has(self.notPorts) || has(self.hosts) ||
                                        has(self.notHosts) || has(self.methods) ||
                                        has(self.notMethods) || has(self.paths) || has(self.notPaths)
                                      message: >-
                                        operation must have at least one field; leave to out to match
                                        every operation
                                  properties:
                                    ports:
                                      description: >-
                                        Ports of the pod from 1 to 65535, in quotes.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        pattern: "^0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}\
                                          |65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
                                    notPorts:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        pattern: "^0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}\
                                          |65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
                                    hosts:
                                      description: >-
                                        HTTP, which waypoints see.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                    notHosts:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                    methods:
                                      description: >-
                                        HTTP, which waypoints see.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                    notMethods:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                    paths:
                                      description: >-
                                        HTTP, which waypoints see.
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                                    notPaths:
                                      type: array
                                      minItems: 1
                                      maxItems: 256
                                      items:
                                        type: string
                                        minLength: 1
                                        maxLength: 2048
                          when:
                            description: Tests of single attributes; all of them must hold.
                            type: array
                            maxItems: 64
                            items:
                              type: object
                              required: [key]
                              x-kubernetes-validations:
                                - rule: has(self.values) || has(self.notValues)
                                  message: a condition must have values or notValues
                                - rule: >-
                                    self.key in ['source.ip', 'source.namespace', 'source.principal',
                                    'source.serviceAccount', 'destination.ip', 'destination.port',
                                    'remote.ip', 'connection.sni'] ||
                                    self.key.startsWith('request.') ||
                                    self.key.startsWith('experimental.envoy.filters.')
                                  message: >-
                                    key must be source.ip, source.namespace, source.principal,
                                    source.serviceAccount, destination.ip, destination.port, or, for
                                    waypoints, remote.ip, connection.sni or request.*
                                  fieldPath: .key
                              properties:
                                key:
                                  type: string
                                  minLength: 1
                                  maxLength: 256
                                values:
                                  description: >-
                                    One of them must match.
                                  type: array
                                  minItems: 1
                                  maxItems: 256
                                  items:
                                    type: string
                                    minLength: 1
                                    maxLength: 2048
                                notValues:
                                  description: >-
                                    None of them may match.
                                  type: array
                                  minItems: 1
                                  maxItems: 256
                                  items:
                                    type: string
                                    minLength: 1
                                    maxLength: 2048
                status:
                  description: What the mesh made of the object; written by ambit-controller.
                  type: object
                  properties:
                    conditions:
                      description: Accepted (it was understood) and Enforced (nodes hold it).
                      type: array
                      maxItems: 16
                      x-kubernetes-list-type: map
                      x-kubernetes-list-map-keys: [type]
                      items:
                        type: object
                        required: [type, status, lastTransitionTime, reason, message]
                        properties:
                          type:
                            type: string
                            maxLength: 316
                          status:
                            type: string
                            enum: ["True", "False", "Unknown"]
                          observedGeneration:
                            description: The metadata.generation that the condition speaks of.
                            type: integer
                            format: int64
                            minimum: 0
                          lastTransitionTime:
                            type: string
                            format: date-time
                          reason:
                            type: string
                            minLength: 1
                            maxLength: 1024
                          message:
                            type: string
                            maxLength: 32768

    """#
