// Contexts: what every session of an identity and role has in common.
#include "COpenSSL.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "Revocation.h"
#include "Session.h"

enum {
    // A leaf, two intermediates and a root of RSA-4096 are under 8 KiB.
    certificate_list_bytes_max = 32 * 1024,
    chain_depth_max = 4,
    library_3_2 = 0x30200000,
};
// Since OpenSSL 3.2, so not in the headers we build against: SSL_OP_NO_TX_ and _RX_.
static const uint64_t no_certificate_compression = (1ull << 32) | (1ull << 33);

static const unsigned char alpn_h2[] = {2, 'h', '2'};

unsigned long ambit_library_version(void) { return OpenSSL_version_num(); }

size_t ambit_error_text(char *text, size_t room) {
    size_t used = 0;
    if (room == 0) return 0;
    text[0] = 0;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        char line[160];
        const char *reason = ERR_reason_error_string(code);
        if (reason == NULL) {
            ERR_error_string_n(code, line, sizeof line);
            reason = line;
        }
        size_t length = strlen(reason), gap = used > 0 ? 2 : 0;
        if (used + gap + length + 1 > room) continue;
        memcpy(text + used, "; ", gap);
        memcpy(text + used + gap, reason, length + 1);
        used += gap + length;
    }
    return used;
}
void ambit_error_clear(void) { ERR_clear_error(); }

// MARK: trust

X509_STORE *ambit_trust_make(void) {
    ERR_clear_error();
    X509_STORE *trust = X509_STORE_new();
    // Each member of the bundle is an anchor, also an intermediate without its root.
    if (trust != NULL) X509_STORE_set_flags(trust, X509_V_FLAG_PARTIAL_CHAIN);
    return trust;
}
void ambit_trust_free(X509_STORE *trust) { X509_STORE_free(trust); }
int ambit_trust_add(X509_STORE *trust, X509 *root) {
    ERR_clear_error();
    return X509_STORE_add_cert(trust, root) == 1;
}

static int verify_at(X509_STORE_CTX *check, int64_t at, int *depth) {
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(check);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)at);
    X509_VERIFY_PARAM_set_depth(parameters, chain_depth_max);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    if (X509_STORE_CTX_set_default(check, "ssl_server") != 1) return X509_V_ERR_UNSPECIFIED;
    if (X509_verify_cert(check) == 1) return X509_V_OK;
    *depth = X509_STORE_CTX_get_error_depth(check);
    int error = X509_STORE_CTX_get_error(check);
    return error != X509_V_OK ? error : X509_V_ERR_UNSPECIFIED;
}

static void name_chain(STACK_OF(X509) *chain, ambit_chain_keys *keys) {
    for (int i = 0; i + 1 < sk_X509_num(chain) && i < ambit_chain_keys_max; i++) {
        if (!ambit_certificate_revocation_key(sk_X509_value(chain, i), sk_X509_value(chain, i + 1),
                                              keys->keys[i]))
            return;
        keys->count = (size_t)i + 1;
    }
}

int ambit_trust_verify(X509_STORE *trust, X509 *leaf, X509 *const *intermediates, size_t count,
                       int64_t at, int *depth, ambit_chain_keys *keys) {
    ERR_clear_error();
    *depth = 0;
    keys->count = 0;
    int error = X509_V_ERR_OUT_OF_MEM;
    STACK_OF(X509) *others = sk_X509_new_null();
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    int ok = others != NULL && check != NULL;
    for (size_t i = 0; ok && i < count; i++) ok = sk_X509_push(others, intermediates[i]) > 0;
    if (ok && X509_STORE_CTX_init(check, trust, leaf, others) == 1)
        error = verify_at(check, at, depth);
    if (error == X509_V_OK) name_chain(X509_STORE_CTX_get0_chain(check), keys);
    X509_STORE_CTX_free(check);
    sk_X509_free(others);
    ERR_clear_error();
    return error;
}

// MARK: contexts

static int choose_h2(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                     const unsigned char *offered, unsigned offered_length, void *unused) {
    (void)ssl, (void)unused;
    for (unsigned at = 0; at < offered_length; at += 1u + offered[at]) {
        if (offered[at] == 2 && at + 2 < offered_length && memcmp(offered + at + 1, "h2", 2) == 0) {
            *chosen = alpn_h2 + 1;
            *length = 2;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// OpenSSL asks choose_h2 only when the client sent ALPN at all.
static int demand_alpn(SSL *ssl, int *alert, void *unused) {
    (void)unused;
    const unsigned char *bytes;
    size_t length;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                  &length))
        return SSL_CLIENT_HELLO_SUCCESS;
    // The version is the better reason to give a client of before TLS 1.3.
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &bytes, &length))
        return SSL_CLIENT_HELLO_SUCCESS;
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_APPLICATION_PROTOCOL);
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int set_groups(SSL_CTX *context) {
    // Key shares for both of the first two: a peer without the hybrid needs no second round.
    if (OpenSSL_version_num() >= 0x30500000 &&
        SSL_CTX_set1_groups_list(context, "?*X25519MLKEM768:*X25519:P-256:P-384") == 1)
        return 1;
    ERR_clear_error();
    if (SSL_CTX_set1_groups_list(context, "X25519MLKEM768:X25519:P-256:P-384") == 1) return 1;
    ERR_clear_error();
    return SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

static int set_algorithms(SSL_CTX *context) {
    SSL_CTX_set_security_level(context, 2); // RSA from 2048 bits, no SHA-1
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context,
                                    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
           set_groups(context) &&
           // RSA+… without PSS is for signatures on certificates only.
           SSL_CTX_set1_sigalgs_list(context,
                                     "ECDSA+SHA256:ECDSA+SHA384:ed25519:RSA-PSS+SHA256:"
                                     "RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:"
                                     "RSA+SHA512") == 1;
}

static void set_limits(SSL_CTX *context) {
    uint64_t options = SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                       SSL_OP_CIPHER_SERVER_PREFERENCE;
    if (OpenSSL_version_num() >= library_3_2) options |= no_certificate_compression;
    SSL_CTX_set_options(context, options);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_recv_max_early_data(context, 0);
    SSL_CTX_set_max_cert_list(context, certificate_list_bytes_max);
    SSL_CTX_set_verify_depth(context, chain_depth_max);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
}

SSL_CTX *ambit_context_make(int server, X509_STORE *trust) {
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context == NULL) return NULL;
    set_limits(context);
    int ok = set_algorithms(context);
    if (server) {
        SSL_CTX_set_alpn_select_cb(context, choose_h2, NULL);
        SSL_CTX_set_client_hello_cb(context, demand_alpn, NULL);
    } else {
        ok = ok && SSL_CTX_set_alpn_protos(context, alpn_h2, sizeof alpn_h2) == 0;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context, ambit_session_verify, NULL);
    SSL_CTX_set1_cert_store(context, trust);
    SSL_CTX_set_keylog_callback(context, ambit_session_keylog);
    if (ok) return context;
    SSL_CTX_free(context);
    return NULL;
}
void ambit_context_free(SSL_CTX *context) { SSL_CTX_free(context); }

int ambit_context_identity(SSL_CTX *context, EVP_PKEY *key, X509 *leaf,
                           X509 *const *intermediates, size_t count) {
    ERR_clear_error();
    if (SSL_CTX_use_certificate(context, leaf) != 1) return 0;
    if (SSL_CTX_use_PrivateKey(context, key) != 1) return 0;
    for (size_t i = 0; i < count; i++)
        if (SSL_CTX_add1_chain_cert(context, intermediates[i]) != 1) return 0;
    return SSL_CTX_check_private_key(context) == 1;
}

int ambit_context_is_post_quantum(SSL_CTX *context) {
    // Asked of a copy, as the list cannot be read back.
    SSL *ssl = SSL_new(context);
    int found = ssl != NULL && SSL_set1_groups_list(ssl, "X25519MLKEM768") == 1;
    SSL_free(ssl);
    ERR_clear_error();
    return found;
}

static char keeps_records; // its address is the mark
void ambit_context_keep_records(SSL_CTX *context) {
    SSL_CTX_set_app_data(context, &keeps_records);
}
int ambit_context_keeps_records(SSL_CTX *context) {
    return SSL_CTX_get_app_data(context) == &keeps_records;
}

static int accept_any(X509_STORE_CTX *store, void *unused) {
    (void)store, (void)unused;
    return 1;
}

int ambit_context_loosen(SSL_CTX *context, int version, const uint8_t *alpn, unsigned alpn_length,
                         const char *groups, const char *suites) {
    ERR_clear_error();
    SSL_CTX_set_cert_verify_callback(context, accept_any, NULL);
    if (alpn_length == 0) {
        SSL_CTX_set_client_hello_cb(context, NULL, NULL);
        SSL_CTX_set_alpn_select_cb(context, NULL, NULL);
    }
    SSL_CTX_clear_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 2);
    if (version != 0 && (SSL_CTX_set_min_proto_version(context, version) != 1 ||
                         SSL_CTX_set_max_proto_version(context, version) != 1))
        return 0;
    if (SSL_CTX_set_alpn_protos(context, alpn, alpn_length) != 0) return 0;
    if (suites != NULL && SSL_CTX_set_ciphersuites(context, suites) != 1) return 0;
    return groups == NULL || SSL_CTX_set1_groups_list(context, groups) == 1;
}
