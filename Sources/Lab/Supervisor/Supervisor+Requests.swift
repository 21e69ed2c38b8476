internal import CLinux
internal import Glibc
internal import Mesh
internal import Reactor

extension Supervisor {
    /// Carries out a request and answers it.
    func handle(_ request: Request, from connection: ControlConnection) {
        do throws(LabError) {
            switch request {
            case .apply(let files):
                connection.reply(try apply(files))
            case .delete(let files):
                connection.reply(try delete(files))
            case .deleteObject(let kind, let namespace, let name):
                connection.reply(try delete(kind: kind, namespace: namespace, name: name))
            case .status:
                var reply = Reply()
                reply.status = status
                connection.reply(reply)
            case .execute(let execution):
                try execute(execution, for: connection)
            case .signal(let number):
                if let process = connection.execution { Calls.signal(-process, number) }
            case .log(let source):
                connection.reply(Reply(), with: try openLog(of: source))
            case .socket(let source, let version6):
                connection.reply(Reply(), with: try makeSocket(at: source, version6: version6))
            case .packets(let node):
                try openPackets(node, for: connection)
            case .node(let name, let action):
                try perform(action, on: name, for: connection)
            case .rotateRoot(let overlap):
                guard (0...86_400).contains(overlap) else {
                    throw LabError(.usage, "an overlap is 0 to 86400 seconds, found \(overlap)")
                }
                try signers?.rotateRoot(overlapSeconds: overlap)
                try authority?.rotateRoot(overlapSeconds: overlap)
                connection.reply(Reply())
            case .revoke(let serials):
                guard serials.count <= 100 else {
                    throw LabError(.usage, "revokes 100 at a time, found \(serials.count)")
                }
                try signers?.revoke(serials)
                try authority?.revoke(serials)
                connection.reply(Reply())
            case .attach:
                connection.isAttached = true
                connection.reply(Reply())
            case .detach:
                connection.isAttached = false
                connection.reply(Reply())
            case .down:
                connection.reply(Reply())
                loop.stop()
            }
        } catch {
            connection.refuse(error)
        }
    }

    /// What runs now.
    var status: LabStatus {
        var status = LabStatus(lab: options.name)
        status.nodes = plan.nodes.map { node in
            let proxy = proxies[node.name]
            return LabStatus.Node(
                name: node.name,
                addresses: node.addresses.map(\.description),
                podPrefixes: node.podPrefixes.map(\.description),
                state: proxy?.stateName ?? "NoMesh",
                processes: (proxy?.processes ?? []).map { process in
                    LabStatus.Process(
                        pid: process,
                        listens: SocketTable.listens(process: process, port: 15021)
                    )
                },
                isCut: fabric.node(node.name)?.isCut ?? false,
                restarts: proxy?.restarts ?? 0
            )
        }
        status.controllers = controllers.map(\.status)
        status.pods = plan.pods.compactMap { plan in
            pods[plan.key]?.status(enrolled: self.plan.enrolled.contains(plan.key))
        }
        return status
    }

    private func pod(_ namespace: String, _ name: String) throws(LabError) -> RunningPod {
        guard let pod = pods[namespace + "/" + name] else {
            throw LabError(.data, "there is no Pod \(namespace)/\(name)")
        }
        return pod
    }

    private func execute(
        _ execution: Execution,
        for connection: ControlConnection
    ) throws(LabError) {
        let descriptors = connection.takeDescriptors()
        guard connection.execution == nil, descriptors.count == 3 else {
            throw LabError(.usage, "a command needs a connection of its own and three descriptors")
        }
        var command = try pod(execution.namespace, execution.pod).command(for: execution)
        command.input = descriptors[0].raw
        command.output = descriptors[1].raw
        command.error = descriptors[2].raw
        do throws(SystemError) {
            // The command has numbers only: the optimizer would close the descriptors first.
            let process = try withExtendedLifetime(descriptors) { () throws(SystemError) in
                try children.spawn(command) { [weak connection] exitCode in
                    connection?.execution = nil
                    var reply = Reply()
                    reply.exitCode = exitCode
                    connection?.reply(reply)
                }
            }
            connection.execution = process
            var reply = Reply()
            reply.process = process
            connection.reply(reply)
        } catch {
            let kind: LabError.Kind = error.code == ENOENT ? .noCommand : .cannotRun
            throw LabError(kind, "\(error)")
        }
    }

    private func openLog(of source: LogSource) throws(LabError) -> Descriptor.Shared {
        let path: String
        switch source {
        case .pod(let namespace, let name):
            path = try pod(namespace, name).log.path
        case .node(let name):
            let replicas = replicas(named: name)
            guard replicas.count < 2 else {
                let names = replicas.map(\.name).joined(separator: ", ")
                throw LabError(.usage, "there are several controllers: \(names)")
            }
            guard let log = replicas.first?.log ?? proxies[name]?.log else { throw noProxy(name) }
            path = log.path
        case .supervisor:
            path = LabPaths.supervisorLog
        }
        do {
            return Descriptor.Shared(owning: try Calls.open(path, O_RDONLY).release())
        } catch {
            throw LabError("cannot open the log", error)
        }
    }

    private func makeSocket(
        at source: LogSource,
        version6: Bool
    ) throws(LabError) -> Descriptor.Shared {
        func make() throws(SystemError) -> Descriptor.Shared {
            let family = version6 ? AF_INET6 : AF_INET
            let kind = ambit_SOCK_STREAM | ambit_SOCK_CLOEXEC
            return Descriptor.Shared(owning: try checked("socket") { socket(family, kind, 0) })
        }
        do throws(SystemError) {
            switch source {
            case .pod(let namespace, let name):
                if let pod = pods[namespace + "/" + name] { return try pod.inNetwork(make) }
            case .node(let name):
                if let node = fabric.node(name) { return try node.namespace.run(make) }
            case .supervisor:
                return try make()
            }
        } catch {
            throw LabError("cannot make a socket", error)
        }
        throw LabError(.data, "there is no such node or pod")
    }

    private func openPackets(
        _ node: String?,
        for connection: ControlConnection
    ) throws(LabError) {
        if let node, fabric.node(node) == nil {
            throw LabError(.data, "there is no Node \(node)")
        }
        var reply = Reply()
        reply.bridgeIndex = try fabric.bridgeIndex()
        var index: UInt32 = 0
        if let node { index = try fabric.portIndex(ofNode: node) }
        let raw = ambit_packet_socket(index)
        guard raw >= 0 else {
            throw LabError("cannot capture", SystemError(call: "packet socket", code: errno))
        }
        connection.reply(reply, with: Descriptor.Shared(owning: raw))
    }

    private func perform(
        _ action: NodeAction,
        on name: String,
        for connection: ControlConnection
    ) throws(LabError) {
        let replicas = replicas(named: name)
        if !replicas.isEmpty {
            for controller in replicas { try perform(action, on: controller) }
            return connection.reply(Reply())
        }
        guard fabric.node(name) != nil else {
            throw LabError(.data, "there is no Node \(name)")
        }
        var reply = Reply()
        switch action {
        case .cut: try fabric.setLink(ofNode: name, up: false)
        case .mend: try fabric.setLink(ofNode: name, up: true)
        default:
            guard let proxy = proxies[name] else { throw noProxy(name) }
            reply.process = try proxy.perform(action)
        }
        connection.reply(reply)
    }

    /// The controllers that are meant where nodes are named: one, or all by their common name.
    private func replicas(named name: String) -> [LabController] {
        controllers.filter { $0.name == name || name == LabController.commonName }
    }

    private func perform(_ action: NodeAction, on controller: LabController) throws(LabError) {
        switch action {
        case .start, .startNext: controller.start()
        case .stop(let signal): controller.stop(signal: signal)
        case .restart(let signal):
            controller.stop(signal: signal)
            controller.startWhenEnded()
        case .retirePrevious, .cut, .mend:
            throw LabError(.usage, "the controller can be started, stopped and restarted only")
        }
    }

    private func noProxy(_ name: String) -> LabError {
        LabError(.usage, "Node \(name) has no ambit-node: the lab was started without a mesh")
    }
}
