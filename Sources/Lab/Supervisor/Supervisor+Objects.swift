internal import Glibc
internal import Reactor

extension Supervisor {
    /// Adds and changes objects; nothing changes when any of them is wrong.
    func apply(_ files: [SourceFile]) throws(LabError) -> Reply {
        var next = cluster
        try next.apply(files)
        return try adopt(next)
    }

    /// Removes the objects that files name.
    func delete(_ files: [SourceFile]) throws(LabError) -> Reply {
        var next = cluster
        try next.delete(files)
        return try adopt(next)
    }

    /// Removes one object.
    func delete(kind: String, namespace: String, name: String) throws(LabError) -> Reply {
        var next = cluster
        try next.delete(kind: kind, namespace: namespace, name: name)
        return try adopt(next)
    }

    // Makes what runs equal to what the objects ask for.
    private func adopt(_ next: Cluster) throws(LabError) -> Reply {
        var next = next
        let wanted = try next.plan()
        for node in wanted.nodes {
            if let old = plan.nodes.first(where: { $0.name == node.name }), old != node {
                throw LabError(
                    .usage,
                    "Node \(node.name): addresses cannot change; delete the node and its pods first"
                )
            }
        }
        cluster = next
        let old = plan
        plan = wanted
        var failures: [LabError] = []
        removeDeparted(old)
        addNodes(&failures)
        addPods(&failures)
        writeState(&failures)
        installServiceRules()
        startProxies(&failures)
        startPods()
        if let first = failures.first { throw first }
        var reply = Reply()
        reply.warnings = wanted.warnings
        return reply
    }

    private func removeDeparted(_ old: ClusterPlan) {
        for pod in old.pods where !plan.pods.contains(pod) {
            pods.removeValue(forKey: pod.key)?.remove()
        }
        for node in old.nodes where !plan.nodes.contains(node) {
            proxies.removeValue(forKey: node.name)?.remove()
            signers?.stop(node: node.name)
            tokens[node.name] = nil
            unnameNamespace(LabPaths.namespace(ofNode: node.name))
            Calls.removeFile(LabPaths.podsFile(ofNode: node.name))
            do {
                try fabric.removeNode(node.name)
            } catch {
                note("\(error)")
            }
        }
    }

    private func addNodes(_ failures: inout [LabError]) {
        for node in plan.nodes where fabric.node(node.name) == nil {
            do throws(LabError) {
                try fabric.addNode(node)
            } catch {
                failures.append(error)
                continue
            }
            guard let network = fabric.node(node.name) else { continue }
            do throws(SystemError) {
                try nameNamespace(
                    network.namespace,
                    LabPaths.namespace(ofNode: node.name)
                )
                if let binary = options.nodeBinary {
                    try signers?.serve(node: node.name)
                    if signers == nil { try giveToken(node) }
                    proxies[node.name] = try NodeProxy(
                        node.name,
                        command: proxyCommand(binary, node, network),
                        loop: loop,
                        children: children
                    )
                }
            } catch {
                failures.append(LabError("cannot make Node \(node.name)", error))
            }
        }
    }

    private func proxyCommand(
        _ binary: String,
        _ node: NodePlan,
        _ network: NodeNetwork
    ) -> Command {
        let source =
            signers != nil
            ? [
                "--mesh-state=" + LabPaths.meshState,
                "--signer-socket=" + LabPaths.signerSocket(ofNode: node.name),
                "--crl-path=" + LabPaths.revocationFile,
            ]
            : [
                "--controller-address="
                    + controllers.map { $0.address(for: node) }.joined(separator: ","),
                "--controller-root=" + LabPaths.authorityRoots,
                "--controller-token=" + LabPaths.token(ofNode: node.name),
                "--pod-name=" + ObjectFile.proxyName(node.name),
            ]
        var command = Command(
            arguments: [
                binary, "--node-name=" + node.name,
                "--pods=" + LabPaths.podsFile(ofNode: node.name),
            ] + source + options.nodeFlags.map { "--" + $0 },
            environment: environment
        )
        command.network = network.namespace.raw
        return command
    }

    private func giveToken(_ node: NodePlan) throws(SystemError) {
        let token = (0..<4).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined()
        tokens[node.name] = token
        try Calls.replaceFile(LabPaths.token(ofNode: node.name), with: Array(token.utf8))
    }

    private func addPods(_ failures: inout [LabError]) {
        for pod in plan.pods where pods[pod.key] == nil {
            guard let node = fabric.node(pod.node) else { continue }
            do {
                pods[pod.key] = try RunningPod(
                    pod,
                    on: node,
                    environment: environment,
                    loop: loop,
                    children: children
                )
            } catch {
                failures.append(LabError(.failed, "cannot make Pod \(pod.key): \(error)"))
            }
        }
    }

    // A kernel without NAT does without virtual addresses for pods outside the mesh.
    private func installServiceRules() {
        let text = ServiceRules.text(for: plan.state)
        for node in plan.nodes {
            guard let network = fabric.node(node.name), network.serviceRules != text else {
                continue
            }
            do throws(SystemError) {
                let problem = try network.namespace.run { () throws(SystemError) in
                    ServiceRules.install(text)
                }
                network.serviceRules = text
                if let problem { note("virtual addresses of Node \(node.name): \(problem)") }
            } catch {
                note("virtual addresses of Node \(node.name): \(error)")
            }
        }
    }

    // Nodes read these whenever they are replaced.
    private func writeState(_ failures: inout [LabError]) {
        signers?.host(plan.identities)
        nameServer.update(to: plan)
        do throws(SystemError) {
            if signers == nil {
                try Calls.replaceFile(LabPaths.tokens, with: ObjectFile.tokens(tokens))
                try Calls.replaceFile(LabPaths.objectFile, with: plan.objectFile)
                for controller in controllers { controller.startOnce() }
            } else {
                try Calls.replaceFile(LabPaths.meshState, with: plan.meshState)
            }
            for (node, content) in plan.podFiles {
                try Calls.replaceFile(LabPaths.podsFile(ofNode: node), with: content)
            }
        } catch {
            failures.append(LabError("cannot write the mesh's state", error))
        }
    }

    private func startProxies(_ failures: inout [LabError]) {
        for proxy in proxies.values where !proxy.wasStarted {
            do throws(LabError) {
                _ = try proxy.perform(.start)
            } catch {
                failures.append(error)
            }
        }
    }

    /// Writes a line to the supervisor's own log.
    func note(_ line: String) {
        try? Calls.writeAll(STDERR_FILENO, Array("\(line)\n".utf8))
    }
}
