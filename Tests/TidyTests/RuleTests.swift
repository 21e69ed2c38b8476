import Testing

/// Every rule finds what it is for, and leaves alone what only looks like it.
@Suite struct `A tidy rule` {
    private func file(_ text: String, _ path: String = "Sources/Mesh/Sample.swift") -> SourceFile {
        SourceFile(path: path, text: text)
    }

    private func banned(_ text: String, _ path: String = "Sources/Mesh/Sample.swift") -> [Int] {
        BanRule.all.flatMap { $0.findings(in: file(text, path)) }.map(\.line).sorted()
    }

    @Test func `tells code from comments and literals`() {
        let sample = file(
            """
            let a = "try! \\(value as! Int) //" // a comment as! here
            /* one /* two */ try! */ let b = 1
            let c = #"a " \\(try!) \\#(x as! Y)"#
            func `fatalError( in a name`() {}
            """
        )
        #expect(sample.code[0].contains("value as! Int"))
        #expect(!sample.code[0].contains("try!"))
        #expect(sample.comments[0].contains("as! here"))
        #expect(!sample.code[1].contains("try!"))
        #expect(sample.code[1].contains("let b = 1"))
        #expect(!sample.code[2].contains("try!"))
        #expect(sample.code[2].contains("x as! Y"))
        #expect(!sample.code[3].contains("fatalError("))
        #expect(sample.code.map(\.utf8.count) == sample.lines.map(\.utf8.count))
    }

    @Test func `reads literals over several lines`() {
        let sample = file("let a = \"\"\"\n  try! \"quoted\" // no\n  \"\"\"\nlet b = 2 // yes")
        #expect(!sample.code[1].contains("try!"))
        #expect(!sample.comments[1].contains("no"))
        #expect(sample.comments[3].contains("yes"))
    }

    @Test func `finds banned words by line`() {
        #expect(banned("let a = 1\nlet b = try! c()\nlet d = e as! F") == [2, 3])
        #expect(banned("// as in FIX" + "ME: later") == [1])
        #expect(banned("Thread.sleep(1)\nusleep(5)") == [1, 2])
        #expect(banned("usleep(5)", "Tests/UnitTests/A.swift") == [1])
        #expect(banned("while !done {\n    usleep(5)\n}", "Tests/UnitTests/A.swift") == [])
        #expect(banned("public struct A {}") == [1])
        #expect(banned("let text = \"try! as!\"") == [])
        #expect(banned("func blueprint() { imprint(x) }") == [])
        #expect(banned("print(1)") == [1])
        #expect(banned("print(1)", "Sources/ambit/main.swift") == [])
        #expect(banned("func a() async throws {}") == [1])
        #expect(banned("func a() async throws {}", "Sources/Controller/A.swift") == [])
    }

    @Test func `measures functions, but not requirements and tables`() {
        let body = String(repeating: "    x += 1\n", count: 69)
        let long = "func a() {\n\(body)}\n"
        #expect(SizeRule.findings(in: file(long)).map(\.line) == [1])
        let short = "func a(\n    b: Int\n) {\n\(body.dropLast(11 * 3))}\n"
        #expect(SizeRule.findings(in: file(short)).isEmpty)
        let required =
            "protocol P {\n    func a()\n    var b: Int { get }\n}\nstruct S {\n\(body)}\n"
        #expect(SizeRule.findings(in: file(required)).isEmpty)
        let table = "let table = [\n" + String(repeating: "    1,\n", count: 100) + "]\n"
        #expect(SizeRule.findings(in: file(table)).isEmpty)
        let computed = "    package var a: Int {\n\(body)    }\n"
        #expect(SizeRule.findings(in: file(computed)).map(\.line) == [1])
        let c = "static int a(int b) {\n\(body)}\n"
        #expect(SizeRule.findings(in: file(c, "Sources/CLinux/a.c")).map(\.line) == [1])
    }

    @Test func `measures lines and files`() {
        let wide = String(repeating: "é", count: 100)
        #expect(SizeRule.findings(in: file("// \(wide.dropLast(3))")).isEmpty)
        #expect(SizeRule.findings(in: file("let a = 1\n// \(wide)")).map(\.line) == [2])
        let lines = String(repeating: "let a = 1\n", count: 600)
        #expect(SizeRule.findings(in: file(lines)).isEmpty)
        #expect(SizeRule.warnings(in: file(lines)).count == 1)
        #expect(SizeRule.findings(in: file(lines + "let b = 1\n")).count == 1)
    }

    @Test func `asks for a sentence on what others see`() {
        let sample = file(
            """
            package struct A {
                package let a: Int
                package var b: Int { 1 }
                package init(a: Int) {
                    self.a = a
                }
                package init() {
                    self.a = Int(2)
                }
                /// Says.
                @discardableResult
                package static func c() -> Int { 1 }
                package mutating func d() {}
                func e() {}
                // Not a doc comment.
                package func f() {}
            }
            """
        )
        #expect(DocumentationRule.findings(in: sample).map(\.line) == [1, 3, 7, 13, 16])
    }

    @Test func `leaves to a protocol what meets its requirements`() {
        let asked = file("protocol P {\n    /// Says.\n    func a(_ b: Int)\n}\nfunc c() {}\n")
        let names = DocumentationRule.requirements(in: [asked])
        #expect(names.contains("a") && !names.contains("c"))
        let sample = file("package func a(_ b: Int) {}\npackage func c() {}\n")
        #expect(
            DocumentationRule.findings(in: sample, requirements: names).map(\.line) == [2]
        )
    }

    @Test func `leaves alone the texts of other programs that tests hold`() {
        let text = "let a = \"\"\"\n\(String(repeating: "x", count: 120))\n\"\"\"\n"
        #expect(SizeRule.findings(in: file(text, "Tests/UnitTests/A.swift")).isEmpty)
        #expect(SizeRule.findings(in: file(text)).map(\.line) == [2])
    }

    @Test func `reads the manifest`() {
        let manifest = Manifest(
            file(
                """
                let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
                let both: [Target.Dependency] = [
                    .product(name: "Core", package: "core"),
                    yams,
                ]
                func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
                    .target(name: name, dependencies: dependencies)
                }
                let package = Package(targets: [
                    .target(name: "CLinux"),
                    .executableTarget(
                        name: "D",
                        dependencies: ["A"] + both,
                        linkerSettings: [.unsafeFlags(["-s"])]
                    ),
                    module("A", ["CLinux"]),
                    module("B"),
                    module(
                        "C",
                        [
                            "A", "B", yams,
                        ]
                    ),
                ])
                """,
                "Package.swift"
            )
        )
        #expect(manifest.dependencies["A"] == ["CLinux"])
        #expect(manifest.dependencies["B"] == [])
        #expect(manifest.dependencies["C"] == ["A", "B", "Yams"])
        #expect(manifest.dependencies["D"] == ["A", "Core", "Yams"])
        #expect(manifest.dependencies["CLinux"] == [])
        #expect(manifest.cycle() == nil)
        let circle = Manifest(
            file("module(\"A\", [\"B\"]),\nmodule(\"B\", [\"A\"]),", "Package.swift")
        )
        #expect(circle.cycle() == ["A", "B", "A"])
    }

    @Test func `fences imports`() {
        let manifest = Manifest(file("module(\"Mesh\", [\"JSON\"]),", "Package.swift"))
        let sample = file(
            "package import JSON\ninternal import Synchronization\nimport Foundation\n"
                + "import Glibc\nimport struct Reactor.Socket\n"
        )
        #expect(ImportRule.findings(in: sample, manifest: manifest).map(\.line) == [3, 4, 5])
    }

    @Test func `fences what is unsafe`() {
        let text = "let a = unsafe b\nlet c: UnsafeRawPointer\n// unsafe\nlet unsafely = 1"
        #expect(UnsafeRule.findings(in: file(text)).map(\.line) == [1, 2])
        #expect(UnsafeRule.findings(in: file(text, "Sources/TLS/A.swift")).isEmpty)
        #expect(UnsafeRule.findings(in: file(text, "Sources/HTTP/Frame.swift")).count == 2)
        #expect(UnsafeRule.findings(in: file(text, "Sources/HTTP/HPACK.swift")).isEmpty)
    }

    @Test func `refuses names that say nothing`() {
        #expect(NameRule.findings(in: file("struct PoolManager {}")).map(\.line) == [1])
        #expect(NameRule.findings(in: file("", "Sources/Mesh/StringUtils.swift")).count == 1)
        #expect(NameRule.findings(in: file("", "Sources/Common/A.swift")).count == 1)
        #expect(NameRule.findings(in: file("struct Commonwealth {}\nlet manager = 1")).isEmpty)
    }

    @Test func `refuses paths of one machine and hosts of registries`() {
        let text = "cd /wo" + "rk/x\nhttps://py" + "pi.org\nlet a = 1 \n\tlet b = 2"
        #expect(TextRule.findings(in: file(text)).map(\.line) == [1, 2, 3, 4])
        #expect(TextRule.findings(in: file("a framework/x\n/workers", "deploy/x")).isEmpty)
    }
}
