internal import ArgumentParser
internal import Glibc
internal import Lab

/// `ambit lab capture`.
struct CaptureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capture",
        abstract: "Show what crosses the wire between nodes, or write it to a pcap file.",
        discussion: """
            Says "capturing" on standard error once every later packet will be seen. Ends after \
            --seconds, after --count packets, or when interrupted.
            """
    )

    @Option(help: "Only what crosses this node's end of the wire.")
    var node: String?

    @Option(
        name: [.customShort("w"), .long],
        help: "The pcap file to write; - is standard output."
    )
    var write: String?

    @Option(help: "How long.")
    var seconds: Double?

    @Option(help: "How many packets.")
    var count: Int?

    @OptionGroup var lab: LabChoice

    func run() throws {
        try reporting {
            let client = try lab.connect()
            let stop = try StopSignals()
            var capture = try PacketCapture(client, node: node)
            var file: Int32?
            if let path = write {
                file = path == "-" ? STDOUT_FILENO : try Output.create(path)
            }
            if let file { try Output.write(PacketFile.header, to: file) }
            tell("capturing")
            let bounds = PacketCapture.Bounds(seconds: seconds, count: count)
            let totals = try capture.run(within: bounds, stoppingAt: stop) {
                time,
                frame,
                length throws(LabError) in
                if let file {
                    let record = PacketFile.record(time: time, frame: frame, length: length)
                    try Output.write(record, to: file)
                } else if let packet = Packet(ethernet: frame) {
                    try Output.write(Array((packet.summary + "\n").utf8), to: STDOUT_FILENO)
                }
                return true
            }
            let loss = totals.drops > 0 ? ", \(totals.drops) lost" : ""
            tell("\(totals.packets) packets\(loss)")
        }
    }
}
