import Bench
import Foundation
import Testing

@Suite struct `What the load generators write` {
    private static let wrk = """
        Running 2s test @ http://10.244.1.2:8080/
          2 threads and 16 connections
          Thread Stats   Avg      Stdev     Max   +/- Stdev
            Latency   587.20us    1.02ms  18.43ms   96.03%
            Req/Sec    15.02k     2.10k   18.90k    70.00%
          Latency Distribution
             50%  442.00us
             75%  600.00us
             90%    0.89ms
             99%    1.23ms
          61680 requests in 2.00s, 10.94MB read
        Requests/sec:  30840.12
        Transfer/sec:      5.47MB

        """

    @Test func `wrk's figures are read`() throws {
        let report = try WrkReport(Self.wrk)
        #expect(report.requests == 61680)
        #expect(report.requestsPerSecond == 30840.12)
        #expect(report.p50Microseconds == 442)
        #expect(report.p99Microseconds == 1230)
        #expect(report.errors == 0)
    }

    @Test func `wrk's errors are added up`() throws {
        let lines = """
              Socket errors: connect 1, read 20, write 0, timeout 3
              Non-2xx or 3xx responses: 500

            """
        #expect(try WrkReport(Self.wrk + lines).errors == 524)
    }

    @Test(arguments: ["requests in", "Requests/sec", "50%", "99%"])
    func `a line that wrk left out is missed`(part: String) throws {
        let lines = Self.wrk.split(separator: "\n").filter { !$0.contains(part) }
        #expect(throws: WrkReport.Failure.self) {
            try WrkReport(lines.joined(separator: "\n"))
        }
    }

    @Test(
        arguments: [
            ("12us", 12), ("1.5ms", 1500), ("2.00s", 2_000_000), ("1.00m", 60_000_000),
        ] as [(String, Double)]
    )
    func `wrk's times have units`(text: String, microseconds: Double) {
        #expect(WrkReport.microseconds(text) == microseconds)
    }

    @Test(arguments: ["", "12", "us", "1.2.3ms", "ms12"])
    func `what is no time is none`(text: String) {
        #expect(WrkReport.microseconds(text) == nil)
    }

    @Test func `iperf3's receiver counts`() throws {
        let json = """
            {"start": {}, "end": {
              "sum_sent": {"bytes": 999, "bits_per_second": 9},
              "sum_received": {"seconds": 2, "bytes": 5000000000, "bits_per_second": 2e10}
            }}
            """
        let report = try IperfReport(Data(json.utf8))
        #expect(report.bytes == 5e9)
        #expect(report.bitsPerSecond == 2e10)
    }

    @Test(arguments: [
        (#"{"start": {}, "end": {}, "error": "the server is busy"}"#, "the server is busy"),
        (#"{"end": {"sum_received": {"bytes": 0, "bits_per_second": 0}}}"#, "received nothing"),
        (#"{"end": {}}"#, "received nothing"),
        ("iperf3: error", "no report"),
    ])
    func `a run of iperf3 that failed says why`(json: String, reason: String) {
        #expect(
            performing: { try IperfReport(Data(json.utf8)) },
            throws: {
                "\($0)".contains(reason)
            }
        )
    }

    @Test func `h2load's log has times of answers, and errors`() {
        let log = RequestLog(
            "1000\t200\t250\n1001\t204\t300\n1002\t503\t90\n1003\t-1\t0\nnonsense\n"
        )
        #expect(log.microseconds == [250, 300])
        #expect(log.errors == 3)
    }
}

@Suite struct `What the kernel says of time` {
    @Test func `the machine's idle time has its waiting in it, and stolen time not`() throws {
        let times = try #require(
            CPUTimes.machine("cpu  100 20 30 5000 600 7 8 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
        )
        #expect(abs(times.idle - 56) < 1e-9)
        #expect(abs(times.stolen - 0.09) < 1e-9)
    }

    @Test func `a thread's time is the first number of its schedstat`() {
        #expect(CPUTimes.nanoseconds(schedstat: "100439 2038660 2\n") == 100_439)
        #expect(CPUTimes.nanoseconds(schedstat: "") == nil)
    }

    @Test func `a process's time has its ended children in it`() throws {
        let stat = "42 (a ) b) S 7 42 42 0 -1 0 0 0 0 0 100 20 3 1000 20 0 1 0 99 0 0"
        let process = try #require(CPUTimes.process(stat))
        #expect(process.parent == 7)
        #expect(abs(process.seconds - 11.23) < 1e-9)
    }

    @Test(arguments: ["", "42 (a) S", "no parentheses"])
    func `half a line is no process`(text: String) {
        #expect(CPUTimes.process(text) == nil)
    }

    @Test func `what interfaces carried is read without the loopback`() throws {
        let text = """
            Inter-|   Receive                                                |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets
                lo: 9999      10    0    0    0     0          0         0    9999      10    0
              eth0: 1000       5    0    0    0     0          0         0    2000       6    0
              eth1:   10       1    0    0    0     0          0         0      20       1    0
            """
        let bytes = try #require(InterfaceBytes(text))
        #expect(bytes.received == 1010)
        #expect(bytes.sent == 2020)
        #expect(InterfaceBytes("    lo: 1 2 3 4 5 6 7 8 9 10") == nil)
    }
}
