internal import CLinux
internal import Glibc

/// A thread of the process that runs one body to its end.
package enum WorkerThread {
    private final class Body {
        let name: String
        let run: () -> Void
        init(name: String, run: @escaping () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts a detached thread; `name` shows in the system's tools, cut to 15 bytes.
    package static func start(
        name: String,
        _ run: sending @escaping () -> Void
    ) throws(SystemError) {
        let body = unsafe Unmanaged.passRetained(Body(name: name, run: run))
        var thread = pthread_t()
        let code = unsafe pthread_create(&thread, nil, threadMain, body.toOpaque())
        guard code == 0 else {
            unsafe body.release()
            throw SystemError(call: "pthread_create", code: code)
        }
        pthread_detach(thread)
    }

    fileprivate static func enter(_ opaque: UnsafeMutableRawPointer) {
        let body = unsafe Unmanaged<Body>.fromOpaque(opaque).takeRetainedValue()
        _ = unsafe ambit_thread_name(String(body.name.prefix(15)))
        body.run()
    }
}

private func threadMain(_ opaque: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let opaque = unsafe opaque { unsafe WorkerThread.enter(opaque) }
    return nil
}
