import Kubernetes
import Synchronization
import Testing

/// A number that several tasks raise.
private final class Count: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }
    func add() { state.withLock { $0 += 1 } }
}

@Suite(.timeLimit(.minutes(1))) struct `A queue of changes` {
    private func namespace(_ name: String, _ label: Int = 0) -> ObjectChange<Namespace> {
        var object = Namespace(name: name)
        object.metadata.labels = ["n": "\(label)"]
        return .set(object)
    }

    private func text(_ change: ObjectChange<Namespace>?) -> String {
        switch change {
        case .set(let object): "+\(object.metadata.name)\(object.metadata.labels["n"] ?? "")"
        case .removed(let key): "-\(key.name)"
        case .refused(let key, _): "!\(key.name)"
        case .synced: "synced"
        case nil: "end"
        }
    }

    private let a = ObjectKey(kind: "Namespace", namespace: "", name: "a")

    @Test func `tells of several changes to one object the last`() async {
        let queue = ChangeQueue<Namespace>()
        for number in 0..<10_000 { queue.add(namespace("a", number)) }
        queue.add(namespace("b"))
        queue.add(.synced)
        queue.add(.removed(a))
        var told: [String] = []
        for _ in 0..<3 { told.append(text(await queue.next())) }
        #expect(told == ["-a", "+b0", "synced"])
    }

    @Test func `tells what stays in force before what was refused`() async {
        let queue = ChangeQueue<Namespace>()
        queue.add(namespace("a", 1))
        queue.add(.refused(a, FieldError(path: "spec", reason: "no")))
        #expect(text(await queue.next()) == "+a1")
        #expect(text(await queue.next()) == "!a")
        queue.add(.refused(a, FieldError(path: "spec", reason: "no")))
        queue.add(namespace("a", 2))
        #expect(text(await queue.next()) == "+a2", "a later state takes the refusal back")
        queue.finish()
        #expect(text(await queue.next()) == "end")
    }

    @Test func `makes its writer wait for a slow reader`() async {
        let queue = ChangeQueue<Namespace>(objectsMax: 10)
        let written = Count()
        await withTaskGroup { group in
            group.addTask {
                for number in 0..<1_000 {
                    await queue.waitForRoom()
                    queue.add(.set(Namespace(name: "n\(number)")))
                    written.add()
                }
                queue.finish()
            }
            #expect(await soon { written.value >= 10 })
            for read in 0..<900 {
                _ = await queue.next()
                #expect(written.value <= read + 1 + 10)
            }
            queue.finish()
        }
    }

    @Test func `ends for a reader that is cancelled, and its work with it`() async throws {
        let queue = ChangeQueue<Namespace>()
        let ended = Count()
        let stream = queue.stream {
            while !Task.isCancelled { try? await Pause.wait(for: .seconds(60)) }
            ended.add()
        }
        let reader = Task { for await _ in stream {} }
        reader.cancel()
        await reader.value
        #expect(await soon { ended.value == 1 })
    }

    @Test func `ends its work when its stream is dropped`() async {
        let ended = Count()
        do {
            let stream = ChangeQueue<Namespace>().stream {
                while !Task.isCancelled { try? await Pause.wait(for: .seconds(60)) }
                ended.add()
            }
            _ = stream
        }
        #expect(await soon { ended.value == 1 })
    }
}

@Suite struct `The lines of a watch` {
    @Test func `are the same however the stream is cut`() throws {
        let text = Array("{\"a\":1}\n\n{\"b\":2}\r\n{\"c\"".utf8)
        for size in 1...text.count {
            var lines = WatchLines(bytesMax: 100)
            var found: [[UInt8]] = []
            for start in stride(from: 0, to: text.count, by: size) {
                found += try lines.append(text[start..<min(start + size, text.count)])
            }
            #expect(
                found.map { String(decoding: $0, as: UTF8.self) } == ["{\"a\":1}", "{\"b\":2}\r"]
            )
            #expect(lines.isInLine)
        }
    }

    @Test func `are bounded, begun ones too`() {
        var lines = WatchLines(bytesMax: 10)
        #expect(throws: WatchLines.TooLong.self) {
            for _ in 0..<11 { _ = try lines.append([0x61]) }
        }
    }
}
