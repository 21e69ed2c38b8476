import Testing

@Suite struct `The skeleton` {
    @Test func `builds`() {
        #expect(Bool(true))
    }
}
