import Testing

@Suite struct `The repository` {
    private static let manifest = Manifest(
        SourceFile(path: "Package.swift", text: Repository.text("Package.swift") ?? "")
    )

    @Test func `is found whole`() {
        #expect(Repository.topLevel.contains("Package.swift"))
        #expect(Repository.swiftFiles.count > 50)
        #expect(Repository.files.contains { $0.path == "Sources/CLinux/CLinux.c" })
        #expect(Self.manifest.dependencies["Telemetry"] == ["JSON", "Mesh", "CLinux"])
        #expect(Self.manifest.dependencies["ambit-cni"] == ["CNI"])
    }

    @Test func `has at its top what the design names and nothing else`() {
        let allowed: Set<String> = [
            "Package.swift", "Sources", "Tests", "deploy", "bench", "README.md",
        ]
        for name in Repository.topLevel
        where !allowed.contains(name) && !name.hasPrefix(".")
            && !Repository.untracked.contains(name)
        {
            Issue.record("\(name): not one of \(allowed.sorted()) (DESIGN.md §4)")
        }
    }

    @Test func `keeps files, functions and lines short`() {
        for finding in Repository.files.flatMap(SizeRule.warnings) {
            Issue.record("\(finding)", severity: .warning)
        }
        Repository.files.flatMap(SizeRule.findings).report()
    }

    @Test func `imports along the table of modules`() {
        ImportRule.findings(in: Self.manifest).report()
        Repository.swiftFiles.flatMap { ImportRule.findings(in: $0, manifest: Self.manifest) }
            .report()
    }

    @Test func `keeps what is unsafe inside its fence`() {
        Repository.swiftFiles.flatMap(UnsafeRule.findings).report()
    }

    @Test func `says what each package declaration is`() {
        let requirements = DocumentationRule.requirements(in: Repository.swiftFiles)
        Repository.swiftFiles
            .flatMap { DocumentationRule.findings(in: $0, requirements: requirements) }
            .report()
    }

    @Test func `holds no banned word`() {
        for rule in BanRule.all { Repository.files.flatMap(rule.findings).report() }
    }

    @Test func `names things for what they are`() {
        Repository.files.flatMap(NameRule.findings).report()
    }

    @Test func `is plain text of no machine`() {
        Repository.files.flatMap(TextRule.findings).report()
    }

    @Test func `ends each text with one newline and holds no large file`() {
        for file in Repository.files where !file.lines.isEmpty {
            let text = Repository.text(file.path) ?? ""
            if !text.hasSuffix("\n") || text.hasSuffix("\n\n") {
                file.finding(file.lines.count, "ends without exactly one newline").report()
            }
        }
        for path in Repository.paths where Repository.bytes(path) > 1 << 20 {
            Issue.record("\(path): more than 1 MiB; make it in the test that needs it")
        }
    }

    @Test func `has scripts that stop at the first failure`() {
        let scripts = Repository.files.filter { file in
            file.path.hasPrefix("deploy/") && !file.name.contains(".")
                && file.name != "Dockerfile"
                || [".ci/run", "bench/run"].contains(file.path)
        }
        #expect(scripts.contains { $0.path == ".ci/run" })
        #expect(scripts.contains { $0.path == "deploy/test" })
        #expect(scripts.contains { $0.path == "bench/run" })
        for script in scripts {
            if script.lines.first != "#!/usr/bin/env bash" {
                script.finding(1, "begin with #!/usr/bin/env bash").report()
            }
            if !script.lines.contains("set -euo pipefail") {
                script.finding(1, "needs `set -euo pipefail`").report()
            }
            if !Repository.isExecutable(script.path) {
                script.finding(0, "is not executable").report()
            }
        }
    }

    @Test func `has a map that names every module`() {
        let map = Repository.text("Sources/README.md") ?? ""
        for target in Self.manifest.dependencies.keys.sorted() where !target.hasSuffix("Tests") {
            if !map.contains("`\(target)`") {
                Issue.record("Sources/README.md: no line about `\(target)`")
            }
        }
    }

    @Test func `tells the test command and has CI run it`() {
        let readme = Repository.text("README.md") ?? ""
        #expect(readme.contains("deploy/test"), "README.md does not tell how to run the tests")
        #expect(readme.contains("deploy/try"), "README.md does not tell how to try it")
        let run = Repository.text(".ci/run") ?? ""
        #expect(run.contains("deploy/test"), ".ci/run does not run the README's test command")
    }
}

extension Finding {
    fileprivate func report() { [self].report() }
}
