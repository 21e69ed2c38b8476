/// What the double does wrong, on purpose; each fault is used up as it happens.
package struct Faults: Sendable {
    /// An answer in place of the right one.
    package struct Answer: Sendable {
        /// Part of the path and query it is for; empty for any.
        package var path: String
        /// Such as `GET`; empty for any.
        package var method: String
        package var status: Int64
        package var retryAfterSeconds: Int?
        /// How many requests get it.
        package var times: Int

        package init(path: String = "", method: String = "", status: Int64, times: Int) {
            self.method = method
            self.path = path
            self.status = status
            self.times = times
        }
    }

    package var answers: [Answer] = []
    /// Connections to cut in the middle of the next event or page; counts down.
    package var cuts = 0
    /// Watches that end after their next event with an `ERROR` of code 410; counts down.
    package var expiries = 0
    /// Lists that show the state of this revision instead of the last one.
    package var staleRevision: UInt64?
    package var staleLists = 0
    /// Bodies are sent in pieces of this size, with a wait before each; 0 for whole ones.
    package var pieceBytes = 0
    package var pieceMilliseconds = 0
    /// Watches send no bookmarks.
    package var withholdsBookmarks = false

    package init() {}
}
