internal import CNI
internal import Kubernetes
internal import Mesh
internal import Node
internal import Telemetry

// What the CNI plugin asks.
extension PodKeeper {
    /// Captures a pod that is about to start; answers when that is done or cannot be.
    func add(_ request: Handover.Request, _ namespace: HeldNamespace?) async -> Handover.Answer {
        guard let namespace else { return .failed(reason: "no network namespace came along") }
        guard !processes.isHost(namespace) else {
            return .failed(reason: "the network namespace is the node's own")
        }
        guard !isDraining else { return .unknown(reason: "ambit-node is ending") }
        guard await waitUntilReady() else {
            return .unknown(reason: "ambit-node does not know the pods of this node yet")
        }
        let name = PodName(request.pod.namespace, request.pod.name)
        guard let state = await state(of: name, uid: request.pod.uid) else {
            return .unknown(reason: "the API server did not tell of the pod in time")
        }
        let enrolment = enrolment(of: state)
        guard enrolment.isEnrolled else { return .notEnrolled }
        let local = state.local(enrolment, in: namespace)
        adopt(namespace, sandbox: request.containerID, for: name)
        tell(local, for: name)
        let answer = await capture(local)
        guard case .failed = answer else { return answer }
        // The node tries again every second: what was in the way may be over in time.
        let isCaptured = await wait(Limit.retryWait) { pods[name]?.outcome == .captured }
        return isCaptured ? .done : answer
    }

    /// Whether a pod is captured as it should be.
    func check(_ request: Handover.Request) async -> Handover.Answer {
        guard isReady else {
            return .unknown(reason: "ambit-node does not know the pods of this node yet")
        }
        let name = PodName(request.pod.namespace, request.pod.name)
        guard let state = pods[name], state.isCalled(request.pod.uid) else {
            return .unknown(reason: "the API server did not tell of the pod")
        }
        guard enrolment(of: state).isEnrolled else { return .notEnrolled }
        switch state.outcome {
        case .captured: return .done
        case .pending(let reason): return .failed(reason: reason)
        case .released, nil: return .failed(reason: "its capture has not begun")
        }
    }

    /// The sandbox of a pod is going away.
    ///
    /// Runtimes say so more than once, and late: only the sandbox that the pod is in now counts.
    func remove(_ request: Handover.Request) async -> Handover.Answer {
        let name = PodName(request.pod.namespace, request.pod.name)
        guard let state = pods[name], state.isCalled(request.pod.uid),
            let namespace = state.namespace
        else { return .done }
        if !state.sandbox.isEmpty {
            if state.sandbox == request.containerID { forgetNamespace(of: name) }
            return .done
        }
        // Found by a process: as long as one lives there, it was another sandbox that went.
        let living = processes.find([state.runtimeUID])[state.runtimeUID]
        if living?.identity != namespace.identity { forgetNamespace(of: name) }
        return .done
    }

    private func waitUntilReady() async -> Bool {
        await wait(Limit.syncWait) { isReady }
    }

    /// The pod under its name and UID, waited for if need be; nil when it does not come.
    private func state(of name: PodName, uid: String) async -> PodState? {
        _ = await wait(Limit.podWait) { pods[name]?.isCalled(uid) ?? false }
        if let state = pods[name], state.isCalled(uid) { return state }
        let reference = ObjectReference(.pods, namespace: name.namespace, name: name.name)
        do throws(ClusterError) {
            guard let found = try await cluster.get(reference) else { return nil }
            let pod = try read(found)
            guard PodState(pod: pod).isCalled(uid) else { return nil }
            await take(.set(pod))
            return pods[name]
        } catch {
            log.warn(.capture, "cannot ask for a pod", ["pod": "\(name)", "error": "\(error)"])
            return nil
        }
    }

    private func read(_ value: Value) throws(ClusterError) -> Pod {
        do throws(FieldError) {
            return try Pod(Field(root: value))
        } catch {
            throw ClusterError(.other, "\(error)")
        }
    }

    private func capture(_ local: LocalPod) async -> Handover.Answer {
        let answers = AsyncStream<String?>.makeStream(bufferingPolicy: .bufferingOldest(1))
        feed.send(
            .add(local) { failure in
                answers.continuation.yield(failure)
                answers.continuation.finish()
            }
        )
        let timer = Task {
            try? await Pause.wait(for: Limit.captureWait)
            answers.continuation.yield("the data path did not answer in time")
            answers.continuation.finish()
        }
        defer { timer.cancel() }
        for await failure in answers.stream {
            return failure.map { .failed(reason: $0) } ?? .done
        }
        return .failed(reason: "the data path gave no answer")
    }

    private func wait(_ limit: Duration, until isTrue: () -> Bool) async -> Bool {
        let end = ContinuousClock.now + limit
        while !isTrue() {
            let left = end - ContinuousClock.now
            guard left > .zero else { return false }
            await change(within: left)
        }
        return true
    }
}
