/// The members of one service, in the order of their uids.
///
/// Kept in short runs, so that one endpoint's change copies one run and the list of runs, never
/// the whole service.
package struct EndpointList: Sendable {
    /// The longest run; a longer one is split in two halves.
    static let runMax = 128
    /// When more than this many members and more than one in eight change, all is made anew.
    private static let rebuildMin = 16
    private static let rebuildShare = 8

    /// The members in order, in runs of at most `runMax`; none is empty.
    package private(set) var runs: [[Endpoint]] = []
    /// How many members there are.
    package private(set) var count = 0
    /// How many members say where a port leads, by port.
    private(set) var portUses: [UInt16: Int] = [:]

    /// A list without members.
    package init() {}

    /// Sets, replaces and removes members by uid; of edits with the same uid the last one counts.
    mutating func apply(_ edits: [EndpointEdit]) {
        guard edits.count > Swift.max(Self.rebuildMin, count / Self.rebuildShare) else {
            for edit in edits { apply(edit) }
            return
        }
        var members = Dictionary(
            runs.joined().lazy.map { ($0.workload.workload.uid, $0) },
            uniquingKeysWith: { _, last in last }
        )
        for edit in edits { members[edit.uid] = edit.endpoint }
        rebuild(from: members)
    }

    private mutating func rebuild(from members: [String: Endpoint]) {
        let sorted = members.sorted { $0.key < $1.key }.map(\.value)
        // Half full, so that the next arrivals split nothing.
        let runCount = Self.runMax / 2
        runs = stride(from: 0, to: sorted.count, by: runCount).map { start in
            Array(sorted[start..<Swift.min(start + runCount, sorted.count)])
        }
        count = sorted.count
        portUses = [:]
        for endpoint in sorted { note(endpoint.ports, 1) }
    }

    private mutating func apply(_ edit: EndpointEdit) {
        let run = runIndex(of: edit.uid)
        guard runs.indices.contains(run) else {
            if let endpoint = edit.endpoint { insertFirst(endpoint) }
            return
        }
        let place = Self.place(of: edit.uid, in: runs[run])
        let isKnown =
            runs[run].indices.contains(place) && runs[run][place].workload.workload.uid == edit.uid
        switch (isKnown, edit.endpoint) {
        case (true, let endpoint?):
            let former = runs[run][place].ports
            runs[run][place] = endpoint
            guard former != endpoint.ports else { return }
            note(former, -1)
            note(endpoint.ports, 1)
        case (true, nil):
            note(runs[run].remove(at: place).ports, -1)
            count -= 1
            if runs[run].isEmpty { runs.remove(at: run) }
        case (false, let endpoint?):
            runs[run].insert(endpoint, at: place)
            count += 1
            note(endpoint.ports, 1)
            if runs[run].count > Self.runMax { split(run) }
        case (false, nil):
            return
        }
    }

    private mutating func insertFirst(_ endpoint: Endpoint) {
        runs = [[endpoint]]
        count = 1
        note(endpoint.ports, 1)
    }

    private mutating func split(_ run: Int) {
        let whole = runs[run]
        let half = whole.count / 2
        runs.replaceSubrange(run...run, with: [Array(whole[..<half]), Array(whole[half...])])
    }

    private mutating func note(_ ports: [ServicePort], _ difference: Int) {
        for port in ports {
            let uses = (portUses[port.servicePort] ?? 0) + difference
            portUses[port.servicePort] = uses > 0 ? uses : nil
        }
    }

    /// The last run that begins at or before the uid; the first when none does.
    private func runIndex(of uid: String) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            let isBefore = runs[middle].first.map { $0.workload.workload.uid <= uid } ?? false
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return Swift.max(0, low - 1)
    }

    /// Where in a run the uid stands, or would.
    private static func place(of uid: String, in run: [Endpoint]) -> Int {
        var low = 0
        var high = run.count
        while low < high {
            let middle = (low + high) / 2
            if run[middle].workload.workload.uid < uid { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// What happens to one member of a service; no endpoint removes it.
struct EndpointEdit {
    let uid: String
    let endpoint: Endpoint?
}

extension EndpointList: Collection {
    /// A place in the list: the run and the place in it.
    package struct Index: Comparable, Sendable {
        let run: Int
        let place: Int

        /// Compares runs, then places.
        package static func < (left: Index, right: Index) -> Bool {
            (left.run, left.place) < (right.run, right.place)
        }
    }

    /// The place of the first member.
    package var startIndex: Index { Index(run: 0, place: 0) }
    /// The place after the last member.
    package var endIndex: Index { Index(run: runs.count, place: 0) }

    /// The place after this one.
    package func index(after index: Index) -> Index {
        index.place + 1 < runs[index.run].count
            ? Index(run: index.run, place: index.place + 1) : Index(run: index.run + 1, place: 0)
    }

    /// The member at a place of the list.
    package subscript(index: Index) -> Endpoint { runs[index.run][index.place] }
}
