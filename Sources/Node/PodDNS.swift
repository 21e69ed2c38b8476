internal import Reactor

final class PodDNS {
    private let udp: Descriptor
    private let tcp: Descriptor

    init(pod: Pod, udp: consuming Descriptor, tcp: consuming Descriptor) throws(SystemError) {
        self.udp = udp
        self.tcp = tcp
    }
}
