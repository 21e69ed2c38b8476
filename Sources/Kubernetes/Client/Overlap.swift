internal import Synchronization

/// Objects of one kind that come from several API groups, where one name may be there twice.
///
/// Of two with one name the one of the group that is named first in the kind's `apiVersions`
/// counts, whatever the order they came in; the other is refused, so that its author learns of it.
package final class Overlap<Element: Object>: Sendable {
    private struct Holder {
        let source: Int
        let element: Element
    }

    private struct State {
        var holders: [ObjectKey: [Holder]] = [:]
        var synced: Set<Int> = []
    }

    private let groups: [String]
    private let state = Mutex(State())

    /// Takes the groups in the order in which they count.
    package init(groups: [String]) { self.groups = groups }

    /// Takes a change of one source and tells what it means for all of them.
    ///
    /// `tell` runs while no other change is taken, so that what is told is in order.
    package func take(
        _ change: ObjectChange<Element>,
        from source: Int,
        _ tell: (ObjectChange<Element>) -> Void
    ) {
        guard groups.count > 1 else { return tell(change) }
        state.withLock { state in
            for change in changes(change, from: source, &state) { tell(change) }
        }
    }

    private func changes(
        _ change: ObjectChange<Element>,
        from source: Int,
        _ state: inout State
    ) -> [ObjectChange<Element>] {
        switch change {
        case .set(let element):
            let key = element.key
            var holders = state.holders[key] ?? []
            let first = holders.first?.source
            holders.removeAll { $0.source == source }
            holders.append(Holder(source: source, element: element))
            holders.sort { $0.source < $1.source }
            state.holders[key] = holders
            if let first, first < source { return [refusal(key, holders)] }
            return [change] + (holders.count > 1 ? [refusal(key, holders)] : [])
        case .removed(let key):
            var holders = state.holders[key] ?? []
            let hadOther = holders.contains { $0.source != source }
            holders.removeAll { $0.source == source }
            state.holders[key] = holders.isEmpty ? nil : holders
            guard let next = holders.first else { return hadOther ? [] : [change] }
            return [.set(next.element)] + (holders.count > 1 ? [refusal(key, holders)] : [])
        case .refused:
            return [change]
        case .synced:
            state.synced.insert(source)
            return state.synced.count == groups.count ? [.synced] : []
        }
    }

    private func refusal(_ key: ObjectKey, _ holders: [Holder]) -> ObjectChange<Element> {
        let names = holders.map { groups[$0.source] }
        let other = names.last ?? ""
        return .refused(
            key,
            FieldError(
                path: "metadata.name",
                reason: "is taken by the object of \(names.first ?? ""), so that the one of "
                    + "\(other) has no effect; give it another name"
            )
        )
    }
}
