// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    // Seven of a hundred instructions of a request (bench/README.md). deploy/test turns the checks
    // on again, so that every test runs with them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)

// The control plane's libraries (DESIGN.md §3.5); none of them is on the data path.
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpc: [Target.Dependency] = [
    .product(name: "GRPCCore", package: "grpc-swift-2"),
    .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
    .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
    protobuf,
]
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let reloading: Target.Dependency = .product(
    name: "NIOCertificateReloading",
    package: "swift-nio-extras"
)
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let http: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let certificates: [Target.Dependency] = [
    .product(name: "X509", package: "swift-certificates"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
    crypto,
]
let collections: Target.Dependency = .product(
    name: "HashTreeCollections",
    package: "swift-collections"
)
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(
    name: "ServiceLifecycle",
    package: "swift-service-lifecycle"
)

// A target of the data plane or its tools: Swift sources under Sources/NAME.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

// A program: Sources/NAME/main.swift, which parses, builds and runs.
func program(
    _ name: String,
    _ dependencies: [Target.Dependency],
    linked linkerSettings: [LinkerSetting] = []
) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies,
        swiftSettings: settings,
        linkerSettings: linkerSettings
    )
}

// A program for a host where nothing of the image is: static and stripped in release builds.
let asOneFile: [LinkerSetting] = [
    .unsafeFlags(["-static-executable", "-Xlinker", "-s"], .when(configuration: .release))
]

// Parts of the benchmark, which lie under bench.
func module(_ name: String, at path: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

func program(_ name: String, at path: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

// A kind of test: Tests/NAME, one folder inside it for each module under test.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "ambit",
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf.git", from: "2.4.1"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-certificates.git", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle.git",
            from: "2.13.0"
        ),
    ],
    targets: [
        // What Swift cannot see of the C libraries.
        .target(name: "CLinux"),
        .target(name: "CBoringSSL", dependencies: [crypto]),
        .target(
            name: "COpenSSL",
            dependencies: ["CBoringSSL"],
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]
        ),
        .target(
            name: "CNetfilter",
            linkerSettings: [.linkedLibrary("nftables"), .linkedLibrary("mnl")]
        ),
        .target(name: "CNghttp2", linkerSettings: [.linkedLibrary("nghttp2")]),

        // Mechanism.
        module("Reactor", ["CLinux"]),
        module("Netlink", ["CNetfilter", "Mesh", "Reactor"]),
        module("TLS", ["COpenSSL"]),
        module("HTTP", ["CNghttp2"]),
        module("JSON"),

        // Vocabulary and the pure stages.
        module("Mesh", ["JSON", collections]),
        module("DNS", ["Mesh"]),
        module("Routing", ["Mesh"]),
        module("Authorization", ["Mesh"]),
        module("Telemetry", ["JSON", "Mesh", "CLinux"]),

        // The stages that touch the world, and the node that orders them.
        module("Capture", ["CLinux", "CNetfilter", "Mesh", "Netlink", "Reactor"]),
        module("Identity", ["Mesh", "Reactor", "TLS"]),
        module("Tunnel", ["HTTP", "Mesh", "Reactor", "TLS"]),
        module(
            "Node",
            [
                "Authorization", "Capture", "DNS", "HTTP", "Identity", "JSON", "Mesh", "Reactor",
                "Routing", "TLS", "Telemetry", "Tunnel",
            ]
        ),

        // The control plane: its wire, discovery and certificates over gRPC.
        .target(
            name: "AmbientProtocol",
            dependencies: grpc,
            exclude: ["Definitions"]
        ),
        module("Timers", nio),
        module(
            "Discovery",
            [
                "AmbientProtocol", "Identity", "Mesh", "Reactor", "TLS", "Timers", reloading,
                crypto,
            ] + grpc + nio
        ),
        module("CNI", ["JSON", "Reactor"]),
        program("ambit-cni", ["CNI"], linked: asOneFile),
        // What a node does beside the data path: finds its pods, speaks with the control plane.
        module(
            "Agent",
            [
                "AmbientProtocol", "CNI", "Capture", "Discovery", "Identity", "JSON", "Kubernetes",
                "Mesh", "Node", "Reactor", "Telemetry", protobuf,
            ]
        ),
        program("ambit-node", ["Agent"]),

        // Kubernetes objects and the mesh on one machine.
        module(
            "Kubernetes",
            ["JSON", "Mesh", "Reactor", "Timers", yams, http, nioHTTP] + nio
        ),
        module(
            "Controller",
            [
                "Discovery", "Identity", "JSON", "Kubernetes", "Mesh", "Reactor", "TLS", logging,
                lifecycle, nioHTTP,
            ] + nio + certificates
        ),
        program("ambit-controller", ["Controller", "Kubernetes", "Mesh", arguments]),
        module(
            "Lab",
            [
                "CLinux", "CNetfilter", "Controller", "DNS", "Identity", "JSON", "Kubernetes",
                "Mesh", "Netlink", "Reactor", "TLS",
            ]
        ),
        // What a person's terminal shows and does: install, check, list, explain.
        module(
            "Terminal",
            ["Authorization", "JSON", "Kubernetes", "Mesh", "Routing", http, nioHTTP] + nio
        ),
        program("ambit", ["JSON", "Kubernetes", "Lab", "Mesh", "Terminal", arguments]),

        // The benchmark.
        module("Bench", at: "bench/measure", []),
        program("ambit-relay", at: "bench/relay", ["CLinux", "Reactor"]),
        program("ambit-bench", at: "bench/driver", ["Bench", arguments]),
        program(
            "ambit-scale",
            at: "bench/scaling",
            [
                "AmbientProtocol", "Authorization", "Bench", "Controller", "Discovery",
                "Kubernetes", "Mesh", "Reactor", "TLS", arguments,
            ] + grpc
        ),

        // An API server for tests, and as a program for real clients.
        module(
            "APIServerDouble",
            at: "Tests/APIServerDouble",
            ["JSON", "Kubernetes", nioHTTP] + nio
        ),
        program(
            "ambit-apiserver-double",
            at: "Tests/APIServerProgram",
            ["APIServerDouble", "Kubernetes"]
        ),

        // Tests by kind.
        tests(
            "UnitTests",
            [
                "Authorization", "Bench", "Capture", "Controller", "DNS", "HTTP", "Identity",
                "JSON", "Kubernetes", "Lab", "Mesh", "Netlink", "Node", "Reactor", "Routing", "TLS",
                "Telemetry", "Tunnel",
            ]
        ),
        tests(
            "ControlTests",
            [
                "APIServerDouble", "Agent", "AmbientProtocol", "Authorization", "CLinux", "CNI",
                "Capture", "Controller", "Discovery", "Identity", "JSON", "Kubernetes", "Mesh",
                "Netlink", "Node", "Reactor", "TLS", "Telemetry", "Terminal", http,
            ] + grpc + nio + certificates
        ),
        tests("SimTests", ["HTTP"]),
        tests(
            "FuzzTests",
            [
                "Agent", "AmbientProtocol", "CNI", "Controller", "DNS", "Discovery", "HTTP",
                "Identity", "JSON", "Kubernetes", "Mesh", "Node", "TLS", "Tunnel", protobuf,
            ]
        ),
        tests("LabTests", ["JSON", "Reactor", "HTTP", "TLS"]),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6]
)
