internal import Glibc
internal import Reactor

/// Reads a log of the lab through the descriptor the supervisor gives for it.
package struct LogReader: ~Copyable {
    /// How often a followed log is looked at, in milliseconds.
    private static let interval: Int32 = 100

    private let client: ControlClient
    private let log: Descriptor

    /// Opens the log of a pod, a node or the supervisor.
    package init(_ client: ControlClient, of source: LogSource) throws(LabError) {
        try client.call(.log(of: source))
        guard let log = client.takeDescriptor() else {
            throw LabError(.failed, "the lab gave no log")
        }
        self.client = client
        self.log = log
    }

    /// Reads on from where it is to the end there is now.
    package func readOn() throws(LabError) -> [String] {
        var bytes: [UInt8] = []
        do throws(SystemError) {
            while let part = try Calls.read(log.raw, room: 64 << 10), !part.isEmpty {
                bytes += part
            }
        } catch {
            throw LabError("cannot read the log", error)
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Copies the log to a descriptor; when following, until the lab ends or a signal comes.
    package func copy(to output: Int32, following: Bool) throws(LabError) {
        do throws(SystemError) {
            repeat {
                while let part = try Calls.read(log.raw, room: 64 << 10), !part.isEmpty {
                    try Calls.writeAll(output, part)
                }
                rewindIfTurnedOver()
            } while following && !waitToRead([client.raw], milliseconds: Self.interval)
        } catch  where error.code == EPIPE {
            return
        } catch {
            throw LabError("cannot read the log", error)
        }
    }

    // A log that was turned over begins anew.
    private func rewindIfTurnedOver() {
        let position = lseek(log.raw, 0, SEEK_CUR)
        if lseek(log.raw, 0, SEEK_END) >= position {
            lseek(log.raw, position, SEEK_SET)
        } else {
            lseek(log.raw, 0, SEEK_SET)
        }
    }
}
