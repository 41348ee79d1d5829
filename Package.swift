// swift-tools-version: 6.2
// The package graph of ccr. Targets are listed from the bottom layer up; a target imports only targets
// listed before it (checked by scripts/check-layers).

import PackageDescription

/// Settings of every Swift target: language mode 6, no warning tolerated, imports stay internal.
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// Opens a target to the optimizer of others: without these flags a generic function of another target is looked up at run
/// time, and the smallest one is a call (docs/decisions/0025-release-builds-optimize-across-targets.md). It takes library
/// evolution, whose promises nobody uses, and one job that writes module and code.
let openToOptimizer: [SwiftSetting] = [
    .unsafeFlags(
        [
            "-enable-library-evolution", "-no-emit-module-separately-wmo", "-Xfrontend", "-package-cmo",
            "-Xfrontend", "-allow-non-resilient-access",
        ], .when(configuration: .release))
]

/// The targets that are: those that work for each request, unless they hold values of targets that their importers do not
/// import, or have a type of their own name.
let openTargets: Set = [
    "Bytes", "Posix", "JSON", "HTTP1", "EventStream", "IPC", "Metrics", "Gateway", "Providers", "Routing",
    "Runtime",
]

/// A Swift library target with the common settings.
func library(_ name: String, _ dependencies: [String]) -> Target {
    .target(
        name: name, dependencies: dependencies.map { .init(stringLiteral: $0) },
        swiftSettings: openTargets.contains(name) ? swiftSettings + openToOptimizer : swiftSettings)
}

/// A test target named after the target it tests, plus whatever else it needs.
func tests(
    _ name: String, _ dependencies: [String], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies.map { .init(stringLiteral: $0) },
        exclude: exclude,
        resources: resources,
        swiftSettings: swiftSettings
    )
}

let package = Package(
    name: "ccr",
    products: [
        .executable(name: "ccr", targets: ["ccr"]),
        .executable(name: "ccr-upstream", targets: ["ccr-upstream"]),
    ],
    targets: [
        // C libraries
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("curl")]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CCompression", providers: [.apt(["zlib1g-dev", "libzstd-dev"])]),
        .target(name: "CJSONScan"),
        .target(
            name: "CSimdjson",
            cxxSettings: [.unsafeFlags(["-O3", "-DNDEBUG"])],
            linkerSettings: [.linkedLibrary("simdjson")]
        ),
        .target(name: "CLLHTTP", cSettings: [.define("LLHTTP_STRICT_MODE", to: "1")]),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),

        // Wrappers, and the byte helpers below them
        library("Bytes", ["CLinux"]),
        library("Posix", ["CLinux"]),
        library("Sandbox", ["CSeccomp", "CLinux", "Posix"]),
        library("EventLoop", ["CSystemd", "CLinux", "Posix"]),
        library("ServiceManager", ["CSystemd", "CLinux", "Posix"]),
        library("Journal", ["CSystemd", "Bytes"]),
        library("SecretService", ["CSystemd"]),
        library("Curl", ["CCurl", "EventLoop", "Posix", "Bytes"]),
        library("SQLite", ["CSQLite"]),
        library("Crypto", ["CCrypto"]),
        library("Compression", ["CCompression"]),

        // Pure
        library("JSON", ["CJSONScan", "CSimdjson", "Bytes"]),
        library("HTTP1", ["CLLHTTP", "Bytes"]),
        library("EventStream", ["Bytes"]),
        library("IPC", ["Bytes"]),
        library("Metrics", ["Bytes"]),
        library("Config", ["Bytes", "Posix"]),

        // Domain
        library("Gateway", ["Bytes", "IPC", "JSON"]),
        library("Providers", ["Gateway", "Config", "JSON"]),
        library("Dialects", ["Gateway", "EventStream", "JSON", "IPC", "Bytes"]),
        library("Routing", ["Gateway", "Providers", "Config", "JSON", "IPC", "Bytes"]),
        library("Credentials", ["Gateway", "Providers", "Config", "Crypto", "IPC", "JSON", "Bytes"]),
        library("CredentialStore", ["Credentials", "SQLite", "Crypto", "Config", "IPC", "Posix"]),
        library("HTTPClient", ["Curl", "HTTP1", "EventLoop", "Posix", "Bytes"]),
        library(
            "Runtime", ["Gateway", "IPC", "EventLoop", "ServiceManager", "Journal", "Posix", "Sandbox"]),

        // Processes
        library(
            "Supervisor",
            [
                "Runtime", "Gateway", "Providers", "Routing", "Credentials", "Config", "IPC", "Bytes", "JSON",
                "EventLoop",
                "ServiceManager", "Journal", "Posix", "Sandbox", "Crypto",
            ]),
        library(
            "Front",
            [
                "Runtime", "Gateway", "Dialects", "Routing", "HTTP1", "JSON", "IPC", "Bytes", "Compression",
                "EventLoop",
                "ServiceManager", "Journal", "Posix", "Crypto",
            ]),
        library(
            "Worker",
            [
                "Runtime", "CredentialStore", "Credentials", "Config", "Gateway", "Dialects", "Curl",
                "HTTPClient",
                "HTTP1", "JSON", "IPC", "Bytes", "EventLoop",
                "ServiceManager",
                "Journal", "Posix",
            ]),
        library(
            "Refresher",
            [
                "Runtime", "CredentialStore", "Credentials", "Config", "Crypto", "Curl", "SQLite", "JSON",
                "Gateway", "IPC",
                "Bytes", "EventLoop", "ServiceManager", "Journal", "Sandbox", "Posix",
            ]),
        library(
            "Exporter",
            [
                "Gateway", "Metrics", "SQLite", "HTTP1", "JSON", "IPC", "Bytes", "EventLoop",
                "ServiceManager", "Journal", "Runtime", "Posix",
            ]),
        library(
            "CLI",
            [
                "Gateway", "Providers", "Dialects", "Routing", "CredentialStore", "Credentials", "IPC",
                "Config", "Crypto",
                "HTTP1", "JSON", "Bytes", "ServiceManager",
                "Journal", "SecretService", "Posix", "CLinux",
            ]),

        // Manual pages, completions and the JSON Schema, made of the tables above
        library("Manual", ["CLI", "Runtime", "Providers", "Gateway", "Config", "Journal", "JSON", "Posix"]),

        // Executables
        .executableTarget(
            name: "ccr", dependencies: ["CLI", "Posix", "Supervisor", "Front", "Exporter"],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "ccr-upstream", dependencies: ["Worker", "Refresher", "Config", "Journal", "Posix"],
            swiftSettings: swiftSettings),
        // Not shipped: writes the files of Manual when a package is built.
        .executableTarget(
            name: "ccr-docs", dependencies: ["Manual", "CLI", "Config", "Posix"], swiftSettings: swiftSettings
        ),

        // Tests
        tests("BytesTests", ["Bytes"]),
        tests("PosixTests", ["Posix", "CLinux"]),
        tests("SandboxTests", ["Sandbox", "Runtime", "Posix", "CLinux"]),
        tests("EventLoopTests", ["EventLoop", "Posix"]),
        tests("ServiceManagerTests", ["ServiceManager", "Posix"]),
        tests("JournalTests", ["Journal"]),
        tests("IPCTests", ["IPC"]),
        tests("JSONTests", ["JSON", "Bytes"]),
        tests("SQLiteTests", ["SQLite", "CSQLite"]),
        tests("MetricsTests", ["Metrics"]),
        tests(
            "ExporterTests",
            ["Exporter", "Gateway", "Metrics", "SQLite", "IPC", "EventLoop", "Journal", "Posix"]),
        tests("EventStreamTests", ["EventStream"]),
        tests("GatewayTests", ["Gateway", "IPC"]),
        tests("RuntimeTests", ["Runtime", "EventLoop", "Posix", "CLinux"]),
        tests("HTTP1Tests", ["HTTP1", "CLLHTTP"]),
        tests("CompressionTests", ["Compression", "CCompression"]),
        tests("CryptoTests", ["Crypto"]),
        tests("CredentialsTests", ["Credentials", "Config", "Crypto", "IPC", "JSON"]),
        tests(
            "CredentialStoreTests",
            ["CredentialStore", "Credentials", "Config", "Crypto", "IPC", "SQLite", "CSQLite", "Posix"]),
        tests("ConfigTests", ["Config", "Posix"]),
        tests("ProvidersTests", ["Providers", "Gateway", "Config", "IPC", "Posix"]),
        tests("RoutingTests", ["Routing", "Gateway", "Config", "IPC", "JSON", "Posix"]),
        tests("CLITests", ["CLI", "Gateway", "Config", "Posix"]),
        tests("ManualTests", ["Manual", "CLI", "Config", "JSON", "Posix"]),
        tests(
            "DialectsTests", ["Dialects", "EventStream", "Gateway", "JSON", "Bytes"], exclude: ["Golden"]),
        tests(
            "FrontTests",
            [
                "Front", "Gateway", "HTTP1", "JSON", "Compression", "CCompression", "EventLoop", "Posix",
                "Routing",
                "Runtime",
            ]),
        tests(
            "WorkerTests",
            [
                "Worker", "CredentialStore", "Credentials", "Dialects", "Curl", "Gateway", "Config", "JSON",
                "IPC",
                "EventLoop", "Posix", "Runtime", "CLinux",
            ]),
        tests(
            "SupervisorTests",
            [
                "Supervisor", "Runtime", "Gateway", "Routing", "Config", "IPC", "Crypto", "ServiceManager",
                "Sandbox", "EventLoop", "Posix",
            ]),
        // Both ways to an upstream, that of Curl included.
        tests("HTTPClientTests", ["HTTPClient", "Curl", "EventLoop", "Posix"]),
        tests("DocsTests", ["Gateway", "Journal", "IPC", "Runtime"]),
    ],
    cxxLanguageStandard: .cxx17
)

// Only scripts/fuzz asks for these: libFuzzer brings their main function, so nothing else can link them.
if Context.environment["CCR_FUZZ"] != nil {
    /// An executable of one file in fuzz/, which holds LLVMFuzzerTestOneInput.
    func fuzzer(_ name: String, _ dependencies: [String]) -> Target {
        .executableTarget(
            name: "fuzz-\(name)",
            dependencies: dependencies.map { .init(stringLiteral: $0) },
            path: "fuzz/\(name)",
            swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]
        )
    }
    package.targets += [
        fuzzer("http-head", ["HTTP1"]),
        fuzzer("chunked-body", ["HTTP1"]),
        fuzzer("upstream-answer", ["HTTP1"]),
        fuzzer("compressed-body", ["Compression"]),
        fuzzer("event-stream", ["EventStream"]),
        fuzzer("json-request", ["JSON"]),
        fuzzer("request-codecs", ["Dialects", "Gateway", "JSON"]),
        fuzzer("answer-decoders", ["Dialects", "EventStream", "Gateway", "JSON"]),
        fuzzer("messages", ["Gateway", "Credentials", "CredentialStore", "IPC"]),
    ]
}

// Only `make bench` asks for it.
if Context.environment["CCR_BENCH"] != nil {
    package.targets.append(
        .executableTarget(
            name: "bench-routing",
            dependencies: ["Front", "Routing", "Gateway", "Config", "HTTP1", "JSON"],
            path: "bench/routing",
            swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])]
        ))
}
