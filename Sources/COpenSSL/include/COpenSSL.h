// What Ambit needs of OpenSSL (3.0 to build, 3.5 at best to run), behind functions of one prefix.
//
// libssl's API is macros, STACK_OF and callbacks, which Swift does not see; so the glue stands in
// C here, and every decision (what to trust, which identity to accept) stands in Swift. OpenSSL's
// own headers are not included: Swift sees its objects as opaque pointers.
//
// Functions that return int say 1 for success and 0 for failure unless told otherwise; the reason
// is then in the calling thread's error queue, which ambit_error_text drains.
#ifndef AMBIT_COPENSSL_H
#define AMBIT_COPENSSL_H
#include <stddef.h>
#include <stdint.h>

struct ssl_ctx_st;
struct x509_st;
struct x509_store_st;
struct X509_req_st;
struct evp_pkey_st;
struct X509_crl_st;

// MARK: errors

// Empties the calling thread's error queue into text (always terminated), "; " between entries.
// Returns the length, 0 when the queue was empty.
size_t ambit_error_text(char *text, size_t room);
void ambit_error_clear(void);
// The library in use at run time, as OPENSSL_VERSION_NUMBER has it (0xMNN00PP0).
unsigned long ambit_library_version(void);

// MARK: keys

// A new P-256 key; NULL on failure. ambit_key_make_kind takes an OpenSSL curve name, or RSA bits.
struct evp_pkey_st *ambit_key_make(void);
struct evp_pkey_st *ambit_key_make_kind(const char *curve, unsigned rsa_bits);
void ambit_key_free(struct evp_pkey_st *key);
struct evp_pkey_st *ambit_key_read_pem(const uint8_t *pem, size_t length);
// Writes PKCS#8 PEM; returns the length, or 0 (then nothing was written).
size_t ambit_key_write_pem(struct evp_pkey_st *key, uint8_t *pem, size_t room);

// MARK: certificates and requests

// Reads the certificate at *offset or later in the text and moves *offset behind it. NULL with
// an empty error queue at the end of the text, NULL with errors when the text is bad.
struct x509_st *ambit_certificate_read_pem(const uint8_t *pem, size_t length, size_t *offset);
struct x509_st *ambit_certificate_read_der(const uint8_t *der, size_t length);
void ambit_certificate_free(struct x509_st *certificate);
// Takes one more reference, to be freed too.
void ambit_certificate_retain(struct x509_st *certificate);
// Encodings go through a caller's buffer: the length needed, or 0 on failure; nothing is written
// when room is too small.
size_t ambit_certificate_write_der(struct x509_st *certificate, uint8_t *der, size_t room);
size_t ambit_certificate_write_pem(struct x509_st *certificate, uint8_t *pem, size_t room);

// What a verifier wants to know of one certificate.
typedef struct {
    int64_t not_before;  // Unix seconds
    int64_t not_after;
    int may_sign;           // certificates, by any of the ways OpenSSL knows
    int claims_authority;   // may_sign, or says CA:TRUE though its key usage forbids to sign
    int has_extended_usage; // an extendedKeyUsage extension is there
    int allows_server;      // serverAuth among them
    int allows_client;      // clientAuth among them
    int names_unreadable;   // subjectAltName malformed or there twice
    size_t name_count;      // general names of every type
    size_t uri_count;       // of type uniformResourceIdentifier
} ambit_certificate_facts;
int ambit_certificate_read_facts(struct x509_st *certificate, ambit_certificate_facts *facts);
// The bytes of the URI name at this index among the URI names, NULs and all; the length needed,
// or 0 when there is none. Nothing is written when room is too small.
size_t ambit_certificate_uri(struct x509_st *certificate, size_t index, uint8_t *bytes,
                             size_t room);
// Hex of the serial number, and one-line forms (RFC 2253, escaped) of the two names.
size_t ambit_certificate_serial(struct x509_st *certificate, char *text, size_t room);
size_t ambit_certificate_subject(struct x509_st *certificate, char *text, size_t room);
size_t ambit_certificate_issuer(struct x509_st *certificate, char *text, size_t room);
int ambit_certificate_matches_key(struct x509_st *certificate, struct evp_pkey_st *key);

// One extension to put into a certificate: by OpenSSL's configuration text, or as raw DER of the
// value when text is NULL. name is a short name or dotted OID. The text is never from outside.
typedef struct {
    const char *name;
    const char *text;
    const uint8_t *der;
    size_t der_length;
    int critical;
} ambit_extension;
// Makes and signs a certificate; issuer NULL means self-signed. common_name may be NULL.
// version is 3 (or 1, for tests). serial is 16 bytes. Digest SHA-256.
struct x509_st *ambit_certificate_make(struct evp_pkey_st *subject_key, const char *common_name,
                                       struct x509_st *issuer, struct evp_pkey_st *issuer_key,
                                       int64_t not_before, int64_t not_after,
                                       const uint8_t *serial, int version,
                                       const ambit_extension *extensions, size_t count);
// A request for the key with an empty subject and the extensions, signed by it.
struct X509_req_st *ambit_request_make(struct evp_pkey_st *key, const ambit_extension *extensions,
                                       size_t count);
struct X509_req_st *ambit_request_read_pem(const uint8_t *pem, size_t length);
void ambit_request_free(struct X509_req_st *request);
size_t ambit_request_write_pem(struct X509_req_st *request, uint8_t *pem, size_t room);
// The requested key, proven to be the requester's by the signature; NULL otherwise.
struct evp_pkey_st *ambit_request_proven_key(struct X509_req_st *request);
// 1 when the key is on P-256 or P-384 by name, or RSA of 2048 to 4096 bits.
int ambit_key_is_acceptable(struct evp_pkey_st *key);
int ambit_key_is_p256(struct evp_pkey_st *key);
// As for certificates: URI names among the requested extensions; -1 when unreadable.
long ambit_request_uri_count(struct X509_req_st *request);
size_t ambit_request_uri(struct X509_req_st *request, size_t index, uint8_t *bytes, size_t room);
int ambit_random(uint8_t *bytes, size_t count);

// MARK: trust

struct x509_store_st *ambit_trust_make(void);
void ambit_trust_free(struct x509_store_st *trust);
int ambit_trust_add(struct x509_store_st *trust, struct x509_st *root);
// The certificates of a verified chain as revocation names them, the anchor left out.
enum { ambit_chain_keys_max = 6 };
typedef struct {
    size_t count;
    uint8_t keys[ambit_chain_keys_max][16];
} ambit_chain_keys;
// Verifies a leaf as for the server's side of TLS at a time in Unix seconds; 0 when it is good, or
// the X509_V_ERR_* of the certificate at *depth.
int ambit_trust_verify(struct x509_store_st *trust, struct x509_st *leaf,
                       struct x509_st *const *intermediates, size_t count, int64_t at, int *depth,
                       ambit_chain_keys *keys);

// MARK: revocation

enum { ambit_revocation_key_bytes = 16 };
// What names a certificate to revocation: a hash of its issuer's public key and its serial number,
// so that authorities of one name are told apart and no list reaches beyond its signer's own
// certificates. The other names an authority, by its public key alone. 1 or 0.
int ambit_certificate_revocation_key(struct x509_st *certificate, struct x509_st *issuer,
                                     uint8_t *key);
int ambit_certificate_authority_key(struct x509_st *authority, uint8_t *key);
int ambit_certificate_is_signed_by(struct x509_st *certificate, struct x509_st *authority);

enum {
    AMBIT_CRL_GOOD = 0,
    AMBIT_CRL_WEAK = 1,              // signed with a weak or unknown digest
    AMBIT_CRL_IS_DELTA = 2,          // only what changed since another list
    AMBIT_CRL_IS_PARTIAL = 3,        // about a part of the issuer's certificates, or indirect
    AMBIT_CRL_UNKNOWN_EXTENSION = 4, // a critical one, of the list or an entry
    AMBIT_CRL_BAD_NUMBER = 5,        // malformed, negative or above 20 bytes
};
typedef struct {
    int64_t this_update; // Unix seconds, 0 when unreadable
    int64_t next_update; // 0 when there is none
    int fault;           // AMBIT_CRL_*
    int has_number;
    size_t number_length; // big-endian, without leading zeros
    uint8_t number[20];
    size_t count; // entries
} ambit_crl_facts;
// As ambit_certificate_read_pem; what stands between the lists is passed over.
struct X509_crl_st *ambit_crl_read_pem(const uint8_t *pem, size_t length, size_t *offset);
void ambit_crl_free(struct X509_crl_st *list);
void ambit_crl_read_facts(struct X509_crl_st *list, ambit_crl_facts *facts);
size_t ambit_crl_issuer(struct X509_crl_st *list, char *text, size_t room);
int ambit_crl_names_issuer(struct X509_crl_st *list, struct x509_st *authority);
// Whether the signature is the authority's, which must be allowed to sign lists.
int ambit_crl_is_signed_by(struct X509_crl_st *list, struct x509_st *authority);
typedef struct {
    uint8_t key[ambit_revocation_key_bytes];
    char serial[64]; // hexadecimal, cut when longer than any valid one
    int64_t revoked_at;
} ambit_crl_revoked;
int ambit_crl_entry(struct X509_crl_st *list, size_t index, struct x509_st *authority,
                    ambit_crl_revoked *revoked);
// Makes an empty list of an authority; entries are added by hexadecimal serial, then it is signed.
struct X509_crl_st *ambit_crl_make(struct x509_st *authority, int64_t this_update,
                                   int64_t next_update, const uint8_t *number,
                                   size_t number_length);
int ambit_crl_add(struct X509_crl_st *list, const char *serial, int64_t revoked_at);
int ambit_crl_sign(struct X509_crl_st *list, struct evp_pkey_st *key);
size_t ambit_crl_write_pem(struct X509_crl_st *list, uint8_t *pem, size_t room);

// MARK: contexts

// TLS 1.3 with a mandatory peer certificate, ALPN h2, and no resumption of any kind.
struct ssl_ctx_st *ambit_context_make(int server, struct x509_store_st *trust);
void ambit_context_free(struct ssl_ctx_st *context);
// The certificate to show: the leaf, then its intermediates, and the leaf's key.
int ambit_context_identity(struct ssl_ctx_st *context, struct evp_pkey_st *key,
                           struct x509_st *leaf, struct x509_st *const *intermediates,
                           size_t count);
// 1 when the context offers X25519MLKEM768.
int ambit_context_is_post_quantum(struct ssl_ctx_st *context);
// For tests of what the other side refuses: protocol versions (0x0303, 0x0304; 0 leaves it),
// ALPN in wire form (length 0 removes it), groups and cipher suites (NULL leaves them), no
// verification of the peer, and tickets given.
int ambit_context_loosen(struct ssl_ctx_st *context, int version, const uint8_t *alpn,
                         unsigned alpn_length, const char *groups, const char *suites);
// For tests: its sessions keep libssl's record layer after the handshake.
void ambit_context_keep_records(struct ssl_ctx_st *context);

// MARK: sessions

// Where ciphertext goes: appended to bytes[used..<room], grown up to room_max, never shrunk here.
typedef struct {
    uint8_t *bytes;
    size_t used;
    size_t room;
    size_t room_max;
} ambit_output;
// Makes room for `more` bytes; 0 when that passes room_max or memory is out.
int ambit_output_reserve(ambit_output *output, size_t more);
void ambit_output_free(ambit_output *output);
// Bytes of the C heap in use, for tests of what a session costs: mallinfo2, which Glibc's module
// does not have.
size_t ambit_heap_used(void);

typedef struct ambit_session ambit_session;
// Asked once per handshake, after the chain was found good: 1 accepts the leaf's identity, 0
// refuses it, -1 says that a certificate of the chain is revoked.
typedef int (*ambit_judge)(void *owner, struct x509_st *leaf);
ambit_session *ambit_session_make(struct ssl_ctx_st *context, int server, ambit_judge judge);
void ambit_session_free(ambit_session *session);
// How many certificates the peer's verified chain has below its anchor, and what names each to
// revocation; known from the judge's call on. The issuer's key is known during that call only.
size_t ambit_session_chain_count(const ambit_session *session);
void ambit_session_chain_key(const ambit_session *session, size_t index, uint8_t *key);
int ambit_session_chain_issuer_key(const ambit_session *session, size_t index, uint8_t *key);

// Lends ciphertext to the session until a read returns AMBIT_NEED_MORE or fails; it is decrypted
// where it lies.
void ambit_session_feed(ambit_session *session, void *bytes, size_t length);
size_t ambit_session_unread(const ambit_session *session);

enum {
    AMBIT_NEED_MORE = 0,
    AMBIT_BYTES = 1,
    AMBIT_HANDSHAKE_DONE = 2,
    AMBIT_CLOSED = 3,
    AMBIT_FAILED = 4,
};
// Goes on with the handshake or opens what was fed, at least one record with data at a time. The
// `got` bytes lie at `plain`: in the lent ciphertext or in `scratch`, which has at least 16640
// bytes. The judge is given the owner.
int ambit_session_read(ambit_session *session, void *owner, void *scratch, size_t room,
                       uint8_t **plain, size_t *got, ambit_output *output);
// Whether so many records can be sealed with ambit_session_seal; where not, write them.
int ambit_session_may_seal(const ambit_session *session, size_t count);
// Seals a record where it lies: 5 bytes for the header, `length` of content up to 16384, 17 for
// type and tag; 1 or 0.
int ambit_session_seal(ambit_session *session, void *record, size_t length);
// Seals all of the bytes in records of up to 16384 bytes; 1 or 0.
int ambit_session_write(ambit_session *session, const void *bytes, size_t length,
                        ambit_output *output);
// Appends close_notify; what comes in is still readable.
void ambit_session_close(ambit_session *session, ambit_output *output);

enum {
    AMBIT_FAILURE_PROTOCOL = 0,       // anything else
    AMBIT_FAILURE_NOT_TLS = 1,        // the first bytes are not a TLS record
    AMBIT_FAILURE_VERSION = 2,        // TLS 1.3 is not common ground
    AMBIT_FAILURE_NO_CERTIFICATE = 3, // the client sent none
    AMBIT_FAILURE_UNTRUSTED = 4,      // chain or leaf refused, see verify_error
    AMBIT_FAILURE_JUDGED = 5,         // the judge refused
    AMBIT_FAILURE_ALERT = 6,          // the peer refused us, see alert
    AMBIT_FAILURE_ALPN = 7,           // h2 was not agreed
    AMBIT_FAILURE_OUTPUT = 8,         // the output's limit was met
};
typedef struct {
    int kind;
    int alert;                // RFC 8446 §6 number
    int verify_error;         // X509_V_ERR_*
    int verify_depth;         // 0 is the leaf
    char text[256];           // the library's words, bounded
} ambit_failure;
void ambit_session_failure(const ambit_session *session, ambit_failure *failure);
// The library's words for a verify error and an alert.
const char *ambit_verify_text(int verify_error);
// The verify error's kind, numbered as TLS's TrustFault.
int ambit_verify_fault(int verify_error);
const char *ambit_alert_text(int alert);
// What was negotiated; static strings, "" before.
const char *ambit_session_version(const ambit_session *session);
const char *ambit_session_cipher(const ambit_session *session);
const char *ambit_session_group(const ambit_session *session);
int ambit_session_has_own_records(const ambit_session *session);
int ambit_session_was_resumed(const ambit_session *session);
// Changes our traffic keys and asks the peer to change its own.
int ambit_session_update_keys(ambit_session *session, ambit_output *output);
#endif
