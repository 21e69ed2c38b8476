/// Pods that are not enrolled and may have rules of an earlier process in them.
struct Leftovers {
    /// Who is looked at; at most the pods of the node.
    private(set) var names: Set<PodName> = []
    /// Whether one was added that nobody has looked at.
    private(set) var areFresh = false

    /// Notes a pod.
    mutating func insert(_ name: PodName) {
        names.insert(name)
        areFresh = true
    }

    /// Forgets a pod: it has no rules, or is to have them.
    mutating func remove(_ name: PodName) { names.remove(name) }

    /// Everybody was looked at.
    mutating func wereSeen() { areFresh = false }
}
