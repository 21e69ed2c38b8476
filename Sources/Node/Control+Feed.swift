internal import Identity
internal import Mesh

/// What comes by the feed from the agent's threads.
extension Control {
    func take(_ message: NodeFeed.Message) {
        switch message {
        case .mesh(let state): adopt(state)
        case .change(let change): mesh.change(change)
        case .revocations(let text): takeRevocations(text)
        case .pods(let pods): takeList(pods)
        case .add(let pod, let answer): add(pod, answer)
        case .remove(let uid, let answer): remove(uid: uid, answer)
        case .controlPlaneFound: store.retryFailed()
        case .waiting(let reasons): agentReasons = reasons
        case .finished: isAgentBusy = false
        }
    }

    private func add(_ local: LocalPod, _ answer: @escaping @Sendable (String?) -> Void) {
        if let known = managed[local.uid], known.local != local { replace(known, with: local) }
        if let known = managed[local.uid] {
            switch known.state {
            case .captured: return answer(nil)
            case .pending(let reason): return answer(reason)
            case .opening: return known.waiting.append(answer)
            }
        }
        addOrReplace(local, answer)
    }
}
