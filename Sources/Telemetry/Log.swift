internal import CLinux

/// The log: any thread adds lines, one thread of its own writes them, nobody waits.
///
/// Lines beyond the queue's bound are dropped and counted; once there is room, a line says how
/// many. The levels of scopes change at run time.
package final class Log: Sendable {
    private let format: LogFormat
    private let time: @Sendable () -> UInt64
    private let switchboard: LevelSwitch
    private let queue: LogQueue
    private let writer: LogWriter

    /// Starts the log's thread.
    ///
    /// `output` is a descriptor that stays open, standard output unless given; `queueBytesMax`
    /// bounds what waits to be written; `time` is Unix time in nanoseconds.
    package init(
        format: LogFormat,
        levels: LogLevels,
        output: Int32 = 1,
        queueBytesMax: Int = 1 << 20,
        time: @escaping @Sendable () -> UInt64 = { ambit_realtime() }
    ) {
        self.format = format
        self.time = time
        self.switchboard = LevelSwitch(levels)
        self.queue = LogQueue(bytesMax: queueBytesMax)
        self.writer = LogWriter(queue: queue, output: output) { count in
            var line = LogLine(
                format: format,
                time: time(),
                level: .warn,
                scope: .log,
                message: "log lines dropped"
            )
            line.add("lines", count)
            return line.finished()
        }
    }

    deinit {
        queue.close()
        writer.wake()
    }

    /// The levels in force.
    package var levels: LogLevels {
        get { switchboard.levels }
        set { switchboard.levels = newValue }
    }

    /// Whether a line of this level and scope is written; ask before costly preparations.
    package func isEnabled(_ level: LogLevel, _ scope: LogScope) -> Bool {
        level >= switchboard.levels[scope] && level != .off
    }

    /// Adds a line when the scope's level lets it; the message is made only then.
    package func write(
        _ level: LogLevel,
        _ scope: LogScope,
        _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, LogValue> = [:]
    ) {
        guard isEnabled(level, scope) else { return }
        var line = LogLine(
            format: format,
            time: time(),
            level: level,
            scope: scope,
            message: message()
        )
        for (key, value) in fields() { line.add(key, value: value) }
        add(line.finished())
    }

    /// Adds a line for whoever repairs what broke.
    package func error(
        _ scope: LogScope,
        _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, LogValue> = [:]
    ) {
        write(.error, scope, message(), fields())
    }

    /// Adds a line about what is wrong and goes on all the same.
    package func warn(
        _ scope: LogScope,
        _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, LogValue> = [:]
    ) {
        write(.warn, scope, message(), fields())
    }

    /// Adds a line about what an operator expects to see.
    package func info(
        _ scope: LogScope,
        _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, LogValue> = [:]
    ) {
        write(.info, scope, message(), fields())
    }

    /// Adds a line for whoever looks for a fault.
    package func debug(
        _ scope: LogScope,
        _ message: @autoclosure () -> String,
        _ fields: @autoclosure () -> KeyValuePairs<StaticString, LogValue> = [:]
    ) {
        write(.debug, scope, message(), fields())
    }

    /// Adds a line of the access log.
    package func access(_ record: @autoclosure () -> AccessRecord) {
        // No record is below debug: spare making it where none is wanted.
        guard isEnabled(.error, .access) else { return }
        let record = record()
        guard isEnabled(record.level, .access) else { return }
        add(record.render(format, time: time()))
    }

    /// Lines that were never written.
    package var dropped: UInt64 { queue.dropped }

    /// Waits until all lines are written, at most so long; false when some are not.
    ///
    /// For the end of the process; a worker never calls it.
    @discardableResult
    package func drain(milliseconds: Int32) -> Bool {
        writer.drain(milliseconds: milliseconds)
    }

    private func add(_ line: [UInt8]) {
        if queue.append(line) { writer.wake() }
    }
}
