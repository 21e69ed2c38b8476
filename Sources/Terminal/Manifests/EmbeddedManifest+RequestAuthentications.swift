// deploy/crds/requestauthentications.yaml, written by EmbeddedManifestTests.

extension EmbeddedManifest {
    static let requestAuthentications = EmbeddedManifest(
        path: "crds/requestauthentications.yaml",
        text: contents
    )
}

private let contents = #"""
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata:
      name: requestauthentications.security.ambit.dev
      labels:
        app.kubernetes.io/name: ambit
        app.kubernetes.io/part-of: ambit
    spec:
      group: security.ambit.dev
      scope: Namespaced
      names:
        kind: RequestAuthentication
        listKind: RequestAuthenticationList
        plural: requestauthentications
        singular: requestauthentication
        # Istio's kinds of the same name have ap, pa and ra.
        shortNames: [ara]
        categories: [ambit]
      versions:
        - name: v1alpha1
          served: true
          storage: true
          subresources:
            status: {}
          additionalPrinterColumns:
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
                Which tokens (JWT, RFC 7519) of requests are valid; a request with one that is not is
                refused. Waypoints see requests, nodes do not: without a waypoint it has no effect.
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
                    jwtRules:
                      description: One for each issuer.
                      type: array
                      maxItems: 64
                      items:
                        type: object
                        required: [issuer]
                        x-kubernetes-validations:
                          - rule: has(self.jwks) != has(self.jwksUri)
                            message: >-
                              give either jwks or jwksUri: keys are never guessed from the issuer
                          - rule: >-
                              !has(self.jwksUri) || self.jwksUri.startsWith('https://') ||
                              self.jwksUri.startsWith('http://')
                            message: jwksUri must be an https:// or http:// URL
                            fieldPath: .jwksUri
                        properties:
                          issuer:
                            description: The iss that a token must have, to the letter.
                            type: string
                            minLength: 1
                            maxLength: 2048
                          audiences:
                            description: >-
                              Of which a token must have one.
                            type: array
                            minItems: 1
                            maxItems: 64
                            items:
                              type: string
                              minLength: 1
                              maxLength: 2048
                          jwks:
                            description: The keys themselves (RFC 7517), as JSON.
                            type: string
                            minLength: 1
                            maxLength: 65536
                          jwksUri:
                            description: Where the keys are; what cannot be fetched refuses.
                            type: string
                            minLength: 1
                            maxLength: 2048
                          fromHeaders:
                            description: Headers that carry the token; Authorization without any.
                            type: array
                            minItems: 1
                            maxItems: 16
                            items:
                              type: object
                              required: [name]
                              properties:
                                name:
                                  type: string
                                  minLength: 1
                                  maxLength: 256
                                prefix:
                                  description: What stands before the token, such as "Bearer ".
                                  type: string
                                  maxLength: 256
                          fromParams:
                            description: >-
                              Query parameters that carry the token.
                            type: array
                            minItems: 1
                            maxItems: 16
                            items:
                              type: string
                              minLength: 1
                              maxLength: 256
                          fromCookies:
                            description: >-
                              Cookies that carry the token.
                            type: array
                            minItems: 1
                            maxItems: 16
                            items:
                              type: string
                              minLength: 1
                              maxLength: 256
                          forwardOriginalToken:
                            description: Whether the application sees the token too.
                            type: boolean
                          outputPayloadToHeader:
                            description: A header for the application with the payload, in base64url.
                            type: string
                            maxLength: 256
                          outputClaimToHeaders:
                            description: Headers for the application with single claims.
                            type: array
                            minItems: 1
                            maxItems: 16
                            items:
                              type: object
                              required: [header, claim]
                              properties:
                                header:
                                  type: string
                                  pattern: '^[-_A-Za-z0-9]+$'
                                  minLength: 1
                                  maxLength: 256
                                claim:
                                  type: string
                                  minLength: 1
                                  maxLength: 256
                          timeout:
                            description: How long fetching the keys may take, such as 5s.
                            type: string
                            pattern: '^([0-9]+(ms|s|m))+$'
                            maxLength: 32
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
