package import CNI
internal import Reactor
internal import Synchronization
package import Telemetry

/// The host's file of who is enrolled (`EnrolmentRecord`), written when it changes.
package final class EnrolmentFile: Sendable {
    /// The name within the state folder.
    package static let name = "enrolment.json"

    private let path: String
    /// Namespaces whose pods never wait.
    package let excludedNamespaces: Set<String>
    private let last = Mutex<[UInt8]>([])

    /// Makes the file's keeper; nothing is written yet.
    package init(folder: String, excludedNamespaces: Set<String>) {
        self.path = "\(folder)/\(EnrolmentFile.name)"
        self.excludedNamespaces = excludedNamespaces
    }

    /// Writes the record unless it was the last one written; a failure is tried with the next.
    package func write(_ record: EnrolmentRecord, _ log: Log) {
        let text = record.text
        last.withLock { last in
            guard text != last else { return }
            do throws(SystemError) {
                try Folder.replace(path, with: text, mode: 0o644)
                last = text
            } catch {
                log.error(
                    .capture,
                    "cannot write who is enrolled; new pods may wait in vain",
                    ["file": "\(path)", "error": "\(error)"]
                )
            }
        }
    }

    /// Takes the file away.
    package func remove() {
        last.withLock { last in
            last = []
            try? Folder.remove(path)
        }
    }
}
