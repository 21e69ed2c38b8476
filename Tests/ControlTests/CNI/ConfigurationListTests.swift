import CNI
import Testing

@Suite struct `A CNI configuration` {
    private func list(_ text: String) throws -> ConfigurationList {
        try ConfigurationList(Array(text.utf8))
    }

    private func text(_ list: ConfigurationList) -> String {
        String(decoding: list.text, as: UTF8.self)
    }

    @Test func `gets the plugin last and keeps all else in its order`() throws {
        var list = try list(
            """
            {"name": "k8s", "zeta": [1, {"b": null, "a": 2.5}], "cniVersion": "1.0.0",
             "plugins": [{"type": "ptp", "mtu": 1500, "ipam": {"type": "host-local"}},
                         {"type": "portmap", "capabilities": {"portMappings": true}}],
             "disableCheck": true}
            """
        )
        #expect(!list.hasPlugin)
        list.insert(socketPath: "", enrolmentPath: "")
        #expect(list.hasPlugin)
        #expect(
            text(list) == """
                {
                  "name": "k8s",
                  "zeta": [
                    1,
                    {
                      "b": null,
                      "a": 2.5
                    }
                  ],
                  "cniVersion": "1.0.0",
                  "plugins": [
                    {
                      "type": "ptp",
                      "mtu": 1500,
                      "ipam": {
                        "type": "host-local"
                      }
                    },
                    {
                      "type": "portmap",
                      "capabilities": {
                        "portMappings": true
                      }
                    },
                    {
                      "type": "ambit-cni"
                    }
                  ],
                  "disableCheck": true
                }

                """
        )
    }

    @Test func `is the same after a second time, and as before after the way back`() throws {
        let original = try list(
            #"{"cniVersion":"0.4.0","name":"n","plugins":[{"type":"bridge"},{"type":"tuning"}]}"#
        )
        var changed = original
        changed.insert(socketPath: "/s", enrolmentPath: "/e")
        let once = changed
        changed.insert(socketPath: "/s", enrolmentPath: "/e")
        #expect(changed == once)
        #expect(text(changed).contains(#""socket": "/s""#))
        changed.remove()
        #expect(changed == original)
    }

    @Test func `keeps the plugin where it stands when others came after it`() throws {
        var list = try list(
            """
            {"cniVersion":"1.1.0","name":"n","plugins":[
             {"type":"bridge"},{"type":"ambit-cni","socket":"/old"},{"type":"other-chained"}]}
            """
        )
        list.insert(socketPath: "", enrolmentPath: "")
        let compact = text(list).filter { !$0.isWhitespace }
        #expect(
            compact.hasSuffix(
                #"[{"type":"bridge"},{"type":"ambit-cni"},{"type":"other-chained"}]}"#
            )
        )
    }

    @Test func `of a single plugin becomes a list of it`() throws {
        var list = try list(
            #"{"cniVersion":"0.3.1","name":"flat","type":"bridge","bridge":"cni0"}"#
        )
        #expect(!list.wasList)
        list.insert(socketPath: "", enrolmentPath: "")
        let compact = text(list).filter { !$0.isWhitespace }
        #expect(
            compact == #"{"cniVersion":"0.3.1","name":"flat","plugins":"#
                + #"[{"type":"bridge","bridge":"cni0"},{"type":"ambit-cni"}]}"#
        )
    }

    @Test(arguments: [
        "", "[]", "{}", "{\"plugins\": 3}", #"{"cniVersion":"1.0.0","name":"n","plugins":[]}"#,
        #"{"cniVersion":"1.0.0","name":"n","plugins":[{"typ":"x"}]}"#,
        #"{"cniVersion":"0.2.0","name":"n","plugins":[{"type":"x"}]}"#,
        #"{"name":"n","type":"x"}"#, #"{"cniVersion":"1.0.0","type":"x"}"#,
        #"{"cniVersion":"9.9.9","name":"n","plugins":[{"type":"x"}]}"#,
        #"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"x"}],}"#,
    ])
    func `that is none, or knows no chains, is left alone`(text: String) {
        #expect(throws: ConfigurationList.Refusal.self) { try list(text) }
    }

    @Test func `is looked for as runtimes do`() {
        let names = [
            "99-late.conflist", "10-b.conf", "README", "10-a.conflist", ".conf", "05-x.json",
            "10-b.conf.ambit-saved", "10-B.conflist", "x.conflist.bak", "dir",
        ]
        #expect(
            ConfigurationList.candidates(names) == [
                "05-x.json", "10-B.conflist", "10-a.conflist", "10-b.conf", "99-late.conflist",
            ]
        )
        #expect(ConfigurationList.listName(for: "10-b.conf") == "10-b.conflist")
        #expect(ConfigurationList.originalName(ofSaved: "10-b.conf.ambit-saved") == "10-b.conf")
        #expect(ConfigurationList.originalName(ofSaved: "10-b.conf") == nil)
    }
}
