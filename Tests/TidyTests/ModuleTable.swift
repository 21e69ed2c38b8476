/// Which module may import which, as DESIGN.md §4 has it; the manifest may give no more.
enum ModuleTable {
    static let mayImport: [String: Set<String>] = [
        "CLinux": [], "CBoringSSL": ["Crypto"], "COpenSSL": ["CBoringSSL"], "CNetfilter": [],
        "CNghttp2": [],

        "Reactor": ["CLinux"],
        "Netlink": ["CNetfilter", "Mesh", "Reactor"],
        "TLS": ["COpenSSL"],
        "HTTP": ["CNghttp2"],
        "JSON": [],

        "Mesh": ["HashTreeCollections", "JSON"],
        "DNS": ["Mesh"],
        "Routing": ["Mesh"],
        "Authorization": ["Mesh"],
        "Telemetry": ["CLinux", "JSON", "Mesh"],

        "Capture": ["CLinux", "CNetfilter", "Mesh", "Netlink", "Reactor"],
        "Identity": ["Mesh", "Reactor", "TLS"],
        "Tunnel": ["HTTP", "Mesh", "Reactor", "TLS"],
        "Node": [
            "Authorization", "Capture", "DNS", "HTTP", "Identity", "JSON", "Mesh", "Reactor",
            "Routing", "TLS", "Telemetry", "Tunnel",
        ],

        "AmbientProtocol": [
            "GRPCNIOTransportHTTP2Posix", "GRPCCore", "GRPCProtobuf", "SwiftProtobuf",
        ],
        "Discovery": [
            "AmbientProtocol", "Crypto", "GRPCCore", "GRPCNIOTransportHTTP2Posix", "GRPCProtobuf",
            "Identity", "Mesh", "NIOCertificateReloading", "NIOCore", "NIOPosix", "NIOSSL",
            "Reactor", "SwiftProtobuf", "TLS", "Timers",
        ],
        "Timers": ["NIOCore", "NIOPosix", "NIOSSL"],
        "CNI": ["JSON", "Reactor"],
        "Agent": [
            "AmbientProtocol", "CNI", "Capture", "Discovery", "Identity", "JSON", "Kubernetes",
            "Mesh", "Node", "Reactor", "SwiftProtobuf", "Telemetry",
        ],
        "Kubernetes": [
            "AsyncHTTPClient", "JSON", "Mesh", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
            "Reactor", "Timers", "Yams",
        ],
        "Controller": [
            "Crypto", "Discovery", "Identity", "JSON", "Kubernetes", "Logging", "Mesh", "NIOCore",
            "NIOHTTP1", "NIOPosix", "Reactor", "ServiceLifecycle", "SwiftASN1", "TLS", "X509",
            "NIOSSL",
        ],
        "Lab": [
            "CLinux", "CNetfilter", "Controller", "DNS", "Identity", "JSON", "Kubernetes", "Mesh",
            "Netlink",
            "Reactor", "TLS",
        ],

        "ambit-node": ["Agent", "Node", "Telemetry", "Reactor"],
        "ambit-controller": ["ArgumentParser", "Controller", "Kubernetes", "Mesh"],
        "ambit-cni": ["CNI"],
        "Terminal": [
            "AsyncHTTPClient", "Authorization", "JSON", "Kubernetes", "Mesh", "NIOCore", "NIOHTTP1",
            "NIOPosix", "NIOSSL", "Routing",
        ],
        "ambit": ["ArgumentParser", "JSON", "Kubernetes", "Lab", "Mesh", "Terminal"],

        "APIServerDouble": [
            "JSON", "Kubernetes", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
        ],
        "ambit-apiserver-double": ["APIServerDouble", "Kubernetes"],

        "Bench": [],
        "ambit-relay": ["CLinux", "Reactor"],
        "ambit-bench": ["ArgumentParser", "Bench"],
        "ambit-scale": [
            "AmbientProtocol", "ArgumentParser", "Authorization", "Bench", "Controller",
            "Discovery", "GRPCCore", "GRPCNIOTransportHTTP2Posix", "GRPCProtobuf",
            "Kubernetes", "Mesh", "Reactor", "SwiftProtobuf", "TLS",
        ],
    ]

    /// The modules of the benchmark by their folders under bench.
    static let bench = [
        "measure": "Bench", "relay": "ambit-relay", "driver": "ambit-bench",
        "scaling": "ambit-scale",
    ]

    /// Programs for tests by their folders under Tests.
    static let testPrograms = ["APIServerProgram": "ambit-apiserver-double"]

    /// The modules that carry or judge traffic: no Foundation, no `async`, no printing.
    static let dataPlane: Set<String> = [
        "Reactor", "Netlink", "TLS", "HTTP", "JSON", "Mesh", "DNS", "Routing", "Authorization",
        "Telemetry", "Capture", "Identity", "Tunnel", "Node",
    ]

    static func isDataPlane(_ module: String) -> Bool { dataPlane.contains(module) }

    /// The modules that may import Foundation, sparingly.
    static let foundation: Set<String> = [
        "Kubernetes", "Controller", "ambit-controller", "Discovery", "Agent", "Lab", "Terminal",
        "ambit", "Bench",
        "ambit-bench", "ambit-scale",
    ]

    /// The modules that may call the C library themselves.
    static let glibc: Set<String> = [
        "Reactor", "Netlink", "TLS", "Capture", "Telemetry", "Tunnel", "Node", "Lab", "ambit",
        "ambit-cni", "ambit-node", "ambit-relay",
    ]

    /// Modules whose parts do no input or output and are given the time.
    static let pure: Set<String> = ["Mesh", "Routing", "Authorization", "HTTP", "DNS", "JSON"]
}
