// deploy/crds/peerauthentications.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let peerAuthentications = EmbeddedManifest(
        path: "crds/peerauthentications.yaml",
        text: contents
    )
}

private let contents = #"""
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata:
      name: peerauthentications.security.ambit.dev
      labels:
        app.kubernetes.io/name: ambit
        app.kubernetes.io/part-of: ambit
    spec:
      group: security.ambit.dev
      scope: Namespaced
      names:
        kind: PeerAuthentication
        listKind: PeerAuthenticationList
        plural: peerauthentications
        singular: peerauthentication
        # Istio's kinds of the same name have ap, pa and ra.
        shortNames: [apa]
        categories: [ambit]
      versions:
        - name: v1alpha1
          served: true
          storage: true
          subresources:
            status: {}
          additionalPrinterColumns:
            - name: Mode
              type: string
              jsonPath: .spec.mtls.mode
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
                Whether pods take connections that do not come through the mesh. The narrowest object
                decides: selector, then namespace, then root namespace (ambit-system); of two that
                are alike, the older.
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
                    - rule: >-
                        !has(self.portLevelMtls) || (has(self.selector) &&
                        has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0)
                      message: portLevelMtls needs a selector with labels
                      fieldPath: .portLevelMtls
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
                    mtls:
                      type: object
                      properties:
                        mode:
                          description: >-
                            STRICT takes nothing but the mesh; PERMISSIVE and DISABLE take plaintext
                            too; UNSET is as the wider object says.
                          type: string
                          enum: [UNSET, DISABLE, PERMISSIVE, STRICT]
                          default: UNSET
                    portLevelMtls:
                      description: Modes of single ports; they are ports of the pod.
                      type: object
                      minProperties: 1
                      maxProperties: 64
                      x-kubernetes-validations:
                        - rule: self.all(port, int(port) > 0 && int(port) <= 65535)
                          message: the keys must be ports from 1 to 65535
                      additionalProperties:
                        type: object
                        properties:
                          mode:
                            type: string
                            enum: [UNSET, DISABLE, PERMISSIVE, STRICT]
                            default: UNSET
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
