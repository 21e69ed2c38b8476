import Foundation

/// A root and leaves of it, good and bad, made by `openssl` in a folder of their own.
///
/// `NAME.crt` and `NAME.key` each; `root.pem` is what `ambit lab up --authority` takes.
final class Certificates: Sendable {
    let folder: String

    /// Makes them.
    init() throws {
        let name = "ambit-certificates-\(UInt64.random(in: 0 ... .max))"
        let path = FileManager.default.temporaryDirectory.appending(path: name)
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        folder = path.path
        let made = try Command("/bin/bash", ["-c", Self.script, "make", folder]).run(120)
        guard made.status == 0 else { throw TestLab.Failure("openssl: \(made.error)") }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Leaves that a server must refuse, with the words of its log.
    static let refused: [(name: String, reason: String)] = [
        ("wrong-root", "issued by an authority outside our trust bundle"),
        ("self-signed", "self-signed"),
        ("expired", "expired"),
        ("other-domain", "the peer is spiffe://cluster.local.evil/ns/mesh/sa/client, expected"),
        ("two-names", "it has 2 URI names where exactly one is allowed"),
        ("dns-name", "it has no URI name, so no SPIFFE identity"),
        ("no-name", "it has no URI name, so no SPIFFE identity"),
        ("dots", "it is not of the form spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT"),
        ("slash", "it is not of the form spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT"),
        ("encoded", "it holds a byte outside A-Z a-z 0-9 . _ -"),
        ("upper", "it does not begin with spiffe://"),
        ("server-only", "not meant for this side of TLS"),
        ("authority", "peer certificate"),
    ]

    private static let script = #"""
        set -e
        cd "$1"
        key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }
        request() { openssl req -new -key $1.key -subj "/CN=$1" -out $1.csr; }
        root() { # NAME
            key > $1.key
            request $1
            printf '%s\n' basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign \
                subjectKeyIdentifier=hash > $1.ext
            openssl x509 -req -in $1.csr -signkey $1.key -days 3650 -extfile $1.ext -out $1.crt
            cat $1.crt $1.key > $1.pem
        }
        leaf() { # NAME ISSUER NAMES [DAYS] [USAGE] [CONSTRAINTS]
            key > $1.key
            request $1
            printf '%s\n' "basicConstraints=critical,${6:-CA:FALSE}" \
                keyUsage=critical,digitalSignature "extendedKeyUsage=${5:-serverAuth,clientAuth}" \
                ${3:+"subjectAltName=critical,$3"} > $1.ext
            openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial \
                -days ${4:-30} -extfile $1.ext -out $1.crt
        }
        mesh=spiffe://cluster.local/ns/mesh/sa
        root root
        root stranger
        leaf good root URI:$mesh/client
        leaf other root URI:$mesh/other
        leaf foreign root URI:spiffe://cluster.local/ns/plain/sa/foreign
        leaf wrong-root stranger URI:$mesh/client
        leaf expired root URI:$mesh/client -1
        leaf other-domain root URI:spiffe://cluster.local.evil/ns/mesh/sa/client
        leaf two-names root URI:$mesh/client,URI:$mesh/other
        leaf dns-name root DNS:client.mesh.svc.cluster.local
        leaf no-name root ""
        leaf dots root URI:$mesh/client/../other
        leaf slash root URI:$mesh/client/
        leaf encoded root URI:spiffe://cluster.local/ns/mesh/sa/%63lient
        leaf upper root URI:SPIFFE://cluster.local/ns/mesh/sa/client
        leaf server-only root URI:$mesh/client 30 serverAuth
        leaf authority root URI:$mesh/client 30 clientAuth CA:TRUE
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj / \
            -addext "subjectAltName=critical,URI:$mesh/client" \
            -addext extendedKeyUsage=clientAuth,serverAuth \
            -keyout self-signed.key -out self-signed.crt
        """#
}
