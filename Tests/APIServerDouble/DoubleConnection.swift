import Foundation
import Kubernetes
import NIOCore
import NIOHTTP1

/// One connection of a client to the double.
struct DoubleConnection {
    typealias Wrapped = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    typealias Writer = NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>

    /// The connection was cut on purpose.
    private struct Cut: Error {}

    private static let bodyBytesMax = 16 << 20

    let double: APIServerDouble
    let bookmarkInterval: TimeAmount

    func serve(_ client: Wrapped) async {
        try? await client.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let next):
                    head = next
                    body = []
                case .body(let bytes):
                    body.append(contentsOf: bytes.readableBytesView)
                    guard body.count <= Self.bodyBytesMax else { return }
                case .end:
                    guard let head else { return }
                    try await answer(Self.request(head, body), outbound, client.channel)
                    if !head.isKeepAlive { return }
                }
            }
        }
    }

    private static func request(_ head: HTTPRequestHead, _ body: [UInt8]) -> HTTPRequest {
        let authorization = head.headers.first(name: "authorization") ?? ""
        return HTTPRequest(
            method: head.method.rawValue,
            target: head.uri,
            contentType: head.headers.first(name: "content-type") ?? "",
            token: authorization.hasPrefix("Bearer ") ? String(authorization.dropFirst(7)) : nil,
            body: body
        )
    }

    private func answer(
        _ request: HTTPRequest,
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        double.note(request)
        if let fault = planned(request) {
            let refusal = Refusal(fault.status, "Planned", "the double was told to refuse")
            var headers = HTTPHeaders()
            if let seconds = fault.retryAfterSeconds {
                headers.add(name: "retry-after", value: "\(seconds)")
            }
            try await send(Int(fault.status), refusal.status.jsonBytes(), headers, writer, channel)
            return
        }
        let stale: UInt64? = double.useFault { faults in
            guard faults.staleLists > 0, request.query["limit"] != nil,
                request.query["continue"] == nil
            else { return nil }
            faults.staleLists -= 1
            return faults.staleRevision
        }
        let router = Router(store: double.store, reviewer: double.reviewer, staleRevision: stale)
        switch router.answer(request) {
        case .whole(let status, let body):
            var headers = HTTPHeaders()
            headers.add(name: "content-type", value: "application/json")
            try await send(status, body.jsonBytes(), headers, writer, channel)
        case .text(let status, let body):
            try await send(status, Array(body.utf8), HTTPHeaders(), writer, channel)
        case .watch(let watch):
            try await serve(watch, writer, channel)
        }
    }

    private func planned(_ request: HTTPRequest) -> Faults.Answer? {
        double.useFault { faults in
            let place = faults.answers.firstIndex { answer in
                answer.times > 0
                    && (answer.path.isEmpty || request.rawTarget.contains(answer.path))
                    && (answer.method.isEmpty || answer.method == request.method)
            }
            guard let place else { return nil }
            faults.answers[place].times -= 1
            return faults.answers[place]
        }
    }

    private func send(
        _ status: Int,
        _ body: [UInt8],
        _ headers: HTTPHeaders,
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        var headers = headers
        headers.add(name: "content-length", value: "\(body.count)")
        try await writer.write(
            .head(
                HTTPResponseHead(
                    version: .http1_1,
                    status: .init(statusCode: status),
                    headers: headers
                )
            )
        )
        try await write(body, writer, channel)
        try await writer.write(.end(nil))
    }

    // Whole, in slow pieces, or half and no more, as the faults have it.
    private func write(
        _ bytes: [UInt8],
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        let (isCut, pieceBytes, pause) = double.useFault { faults in
            let isCut = faults.cuts > 0 && bytes.count > 1
            if isCut { faults.cuts -= 1 }
            return (isCut, faults.pieceBytes, faults.pieceMilliseconds)
        }
        if isCut {
            try await writer.write(
                .body(.byteBuffer(ByteBuffer(bytes: bytes[..<(bytes.count / 2)])))
            )
            try await channel.close()
            throw Cut()
        }
        guard pieceBytes > 0 else {
            try await writer.write(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
            return
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            try await Pause.wait(for: .milliseconds(pause))
            try await writer.write(.body(.byteBuffer(ByteBuffer(bytes: rest.prefix(pieceBytes)))))
            rest = rest.dropFirst(pieceBytes)
        }
    }
}

extension DoubleConnection {
    private func serve(
        _ watch: Watch,
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        let headers: HTTPHeaders = [
            "content-type": "application/json", "transfer-encoding": "chunked",
        ]
        try await writer.write(
            .head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))
        )
        let store = double.store
        // Both timers wake the loop below, which then looks at the clock.
        let ticks = channel.eventLoop.scheduleRepeatedTask(
            initialDelay: bookmarkInterval,
            delay: bookmarkInterval
        ) { _ in store.wake() }
        channel.closeFuture.whenComplete { _ in store.wake() }
        defer { ticks.cancel() }
        try await events(watch, writer, channel)
        try await writer.write(.end(nil))
    }

    private func events(
        _ watch: Watch,
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        let store = double.store
        let end = ContinuousClock.now + .seconds(watch.seconds)
        var revision = watch.revision ?? store.revision
        if watch.revision == nil {
            let page = try store.list(watch.kind, at: nil, after: nil, limit: 0, watch.selectors)
            revision = page.revision
            for object in page.objects {
                try await write("ADDED", object, watch, writer, channel)
            }
        }
        var lastBookmark = ContinuousClock.now
        while ContinuousClock.now < end, channel.isActive {
            let now = store.revision
            guard let changes = store.changes(watch.kind, after: revision, limit: 100) else {
                return try await expire(watch, writer, channel)
            }
            for change in changes {
                revision = change.revision
                guard let (type, object) = Self.event(change, watch.selectors) else { continue }
                try await write(type, object, watch, writer, channel)
                let isExpired = double.useFault { faults in
                    guard faults.expiries > 0 else { return false }
                    faults.expiries -= 1
                    return true
                }
                if isExpired { return try await expire(watch, writer, channel) }
            }
            guard changes.isEmpty else { continue }
            revision = max(revision, now)
            if watch.wantsBookmarks, !double.faults.withholdsBookmarks,
                ContinuousClock.now - lastBookmark >= .nanoseconds(bookmarkInterval.nanoseconds)
            {
                lastBookmark = ContinuousClock.now
                let bookmark: Value = [
                    "kind": .string(watch.kind.kind),
                    "metadata": ["resourceVersion": .string("\(revision)")],
                ]
                try await write("BOOKMARK", bookmark, watch, writer, channel)
            }
            await store.waitForChange(after: revision)
        }
    }

    private func expire(
        _ watch: Watch,
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        let refusal = Refusal(410, "Expired", "too old resource version")
        try await write("ERROR", refusal.status, watch, writer, channel)
    }

    // What a change is to a watcher that sees only what it selects.
    private static func event(
        _ change: ObjectStore.Change,
        _ selectors: Selectors
    ) -> (String, Value)? {
        let isNow = change.object.map(selectors.selects) ?? false
        let wasBefore = change.previous.map(selectors.selects) ?? false
        switch (wasBefore, isNow) {
        case (false, true): return change.object.map { ("ADDED", $0) }
        case (true, true): return change.object.map { ("MODIFIED", $0) }
        case (true, false):
            var last = change.previous
            last?["metadata"]["resourceVersion"] = .string("\(change.revision)")
            return last.map { ("DELETED", $0) }
        case (false, false): return nil
        }
    }

    private func write(
        _ type: String,
        _ object: Value,
        _ watch: Watch,
        _ writer: Writer,
        _ channel: any Channel
    ) async throws {
        var object = object
        if type != "ERROR" { object["apiVersion"] = .string(watch.version) }
        let event: Value = ["type": .string(type), "object": object]
        try await write(event.jsonBytes() + [0x0A], writer, channel)
    }
}
