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

// A target of the data plane or its tools: Swift sources under Sources/NAME.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

// A program: Sources/NAME/main.swift, which parses, builds and runs.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

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
    ],
    targets: [
        // What Swift cannot see of the C libraries.
        .target(name: "CLinux"),
        .target(
            name: "COpenSSL",
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
        module("Mesh", ["JSON"]),
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
        program("ambit-node", ["Node"]),

        // Kubernetes objects and the mesh on one machine.
        module("Kubernetes", ["Mesh", yams]),
        module("Controller", ["JSON", "Kubernetes", "Mesh"]),
        module(
            "Lab",
            [
                "CLinux", "CNetfilter", "Controller", "DNS", "Identity", "JSON", "Kubernetes",
                "Mesh", "Netlink", "Reactor", "TLS",
            ]
        ),
        program("ambit", ["Lab", arguments]),

        // The benchmark.
        module("Bench", at: "bench/measure", []),
        program("ambit-relay", at: "bench/relay", ["CLinux", "Reactor"]),
        program("ambit-bench", at: "bench/driver", ["Bench", arguments]),

        // Tests by kind.
        tests(
            "UnitTests",
            [
                "Authorization", "Bench", "Capture", "Controller", "DNS", "HTTP", "Identity",
                "JSON", "Kubernetes", "Lab", "Mesh", "Netlink", "Node", "Reactor", "Routing", "TLS",
                "Telemetry", "Tunnel",
            ]
        ),
        tests("SimTests", ["HTTP"]),
        tests(
            "FuzzTests",
            [
                "Controller", "DNS", "HTTP", "Identity", "JSON", "Kubernetes", "Mesh", "Node",
                "TLS", "Tunnel",
            ]
        ),
        tests("LabTests", ["JSON", "Reactor", "HTTP", "TLS"]),
        tests("TidyTests", []),
    ],
    swiftLanguageModes: [.v6]
)
