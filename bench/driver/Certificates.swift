internal import Foundation

/// A root and the sidecars' certificates, made by `openssl`: P-256 with a SPIFFE name each.
struct Certificates {
    let folder: String

    static let clientName = "spiffe://cluster.local/ns/bench/sa/client"
    static let serverName = "spiffe://cluster.local/ns/bench/sa/server"

    init(in files: ProgramFiles) throws {
        let made = files.folder.appending(path: "certificates")
        try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
        folder = made.path
        try Program.run(
            ["bash", "-c", Self.script, "make", folder, Self.clientName, Self.serverName],
            name: "openssl",
            in: files.folder
        )
    }

    private static let script = #"""
        set -e
        cd "$1"
        key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }
        key > root.key
        openssl req -x509 -new -key root.key -subj /O=bench -days 30 -out root.crt \
            -addext keyUsage=critical,keyCertSign,cRLSign
        leaf() { # NAME URI
            key > $1.key
            openssl req -new -key $1.key -subj / -out $1.csr
            printf '%s\n' basicConstraints=critical,CA:FALSE \
                keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth,clientAuth \
                "subjectAltName=critical,URI:$2" > $1.ext
            openssl x509 -req -in $1.csr -CA root.crt -CAkey root.key -CAcreateserial \
                -days 30 -extfile $1.ext -out $1.crt
        }
        leaf client "$2"
        leaf server "$3"
        # Read by the sidecars' user; they go with the benchmark.
        chmod 644 ./*.key
        """#
}
