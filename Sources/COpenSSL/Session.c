// Sessions: libssl between a borrowed window of ciphertext and a growable output for the handshake,
// then our own record layer.
#include "COpenSSL.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Records.h"
#include "Revocation.h"
#include "Session.h"

enum { record_bytes_max = 16384, record_overhead_max = 64 };

typedef struct {
    uint8_t bytes[ambit_secret_bytes_max];
    size_t length; // 0 while unknown
} traffic_secret;

struct ambit_session {
    SSL *ssl;               // NULL once `records` took over
    ambit_records *records; // NULL during the handshake
    traffic_secret client_secret;
    traffic_secret server_secret;
    const char *version, *cipher, *group; // of the context's or the library's memory
    uint8_t *window; // not owned
    size_t window_length;
    ambit_output *output; // not owned, set during a call
    void *owner; // not owned, set during the handshake's calls
    ambit_judge judge;
    int server;
    int is_done;   // the handshake was reported
    int is_failed; // failure below is filled and final
    int output_is_full;
    int verify_error;
    int verify_depth;
    int judged_bad;
    STACK_OF(X509) *chain; // not owned, set during the judge's call
    uint8_t *chain_keys;   // of the peer's certificates below the anchor, 16 bytes each
    size_t chain_count;
    ambit_failure failure;
};

// MARK: the BIO

static int window_read(BIO *bio, char *bytes, size_t room, size_t *got) {
    ambit_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t take = session->window_length < room ? session->window_length : room;
    if (take == 0) {
        BIO_set_retry_read(bio);
        *got = 0;
        return 0;
    }
    memcpy(bytes, session->window, take);
    session->window += take;
    session->window_length -= take;
    *got = take;
    return 1;
}

static int output_write(BIO *bio, const char *bytes, size_t length, size_t *taken) {
    ambit_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *taken = 0;
    ambit_output *output = session->output;
    if (output == NULL || !ambit_output_reserve(output, length)) {
        session->output_is_full = 1;
        return 0;
    }
    memcpy(output->bytes + output->used, bytes, length);
    output->used += length;
    *taken = length;
    return 1;
}

static long pipe_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *pipe_method;
static CRYPTO_ONCE pipe_once = CRYPTO_ONCE_STATIC_INIT;
static void pipe_prepare(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ambit");
    if (method == NULL) return;
    BIO_meth_set_read_ex(method, window_read);
    BIO_meth_set_write_ex(method, output_write);
    BIO_meth_set_ctrl(method, pipe_control);
    pipe_method = method;
}

// MARK: making

ambit_session *ambit_session_make(SSL_CTX *context, int server, ambit_judge judge) {
    ERR_clear_error();
    if (!CRYPTO_THREAD_run_once(&pipe_once, pipe_prepare) || pipe_method == NULL) return NULL;
    ambit_session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    session->judge = judge;
    session->server = server;
    session->ssl = SSL_new(context);
    BIO *bio = session->ssl != NULL ? BIO_new(pipe_method) : NULL;
    if (bio == NULL) {
        ambit_session_free(session);
        return NULL;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_app_data(session->ssl, session);
    if (server) {
        SSL_set_accept_state(session->ssl);
    } else {
        SSL_set_connect_state(session->ssl);
    }
    return session;
}

void ambit_session_free(ambit_session *session) {
    if (session == NULL) return;
    SSL_free(session->ssl);
    ambit_records_free(session->records);
    free(session->chain_keys);
    OPENSSL_cleanse(session, sizeof *session);
    free(session);
}

// MARK: verification

// Keeps what names the peer's certificates to revocation: all that is needed of them later.
static int keep_chain_keys(ambit_session *session, STACK_OF(X509) *chain) {
    int count = sk_X509_num(chain) - 1;
    if (count < 1 || count > ambit_chain_keys_max) return count == 0;
    free(session->chain_keys);
    session->chain_count = 0;
    session->chain_keys = malloc((size_t)count * ambit_revocation_key_bytes);
    if (session->chain_keys == NULL) return 0;
    for (int i = 0; i < count; i++) {
        uint8_t *key = session->chain_keys + (size_t)i * ambit_revocation_key_bytes;
        if (!ambit_certificate_revocation_key(sk_X509_value(chain, i), sk_X509_value(chain, i + 1),
                                              key))
            return 0;
    }
    session->chain_count = (size_t)count;
    return 1;
}

size_t ambit_session_chain_count(const ambit_session *session) { return session->chain_count; }

void ambit_session_chain_key(const ambit_session *session, size_t index, uint8_t *key) {
    if (index < session->chain_count)
        memcpy(key, session->chain_keys + index * ambit_revocation_key_bytes,
               ambit_revocation_key_bytes);
}

int ambit_session_chain_issuer_key(const ambit_session *session, size_t index, uint8_t *key) {
    if (session->chain == NULL || index >= session->chain_count) return 0;
    return ambit_certificate_authority_key(sk_X509_value(session->chain, (int)index + 1), key);
}

int ambit_session_verify(X509_STORE_CTX *store, void *unused) {
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    ambit_session *session = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
    if (session == NULL) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    // OpenSSL would call its issuer unknown.
    if (leaf != NULL && (X509_get_extension_flags(leaf) & EXFLAG_INVALID)) {
        session->verify_error = X509_V_ERR_INVALID_EXTENSION;
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_EXTENSION);
        return 0;
    }
    if (X509_verify_cert(store) != 1) {
        session->verify_error = X509_STORE_CTX_get_error(store);
        session->verify_depth = X509_STORE_CTX_get_error_depth(store);
        if (session->verify_error == X509_V_OK) session->verify_error = X509_V_ERR_UNSPECIFIED;
        return 0;
    }
    session->chain = X509_STORE_CTX_get0_chain(store);
    int verdict = leaf != NULL && keep_chain_keys(session, session->chain)
                      ? session->judge(session->owner, leaf)
                      : 0;
    session->chain = NULL;
    if (verdict == 1) return 1;
    session->judged_bad = 1;
    // Told to the peer as certificate_revoked or bad_certificate.
    X509_STORE_CTX_set_error(store,
                             verdict < 0 ? X509_V_ERR_CERT_REVOKED : X509_V_ERR_CERT_REJECTED);
    return 0;
}

// MARK: taking over from libssl

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The line is LABEL CLIENT-RANDOM SECRET, in hexadecimal.
void ambit_session_keylog(const SSL *ssl, const char *line) {
    ambit_session *session = SSL_get_app_data(ssl);
    const char *end = strchr(line, ' ');
    if (session == NULL || end == NULL) return;
    traffic_secret *secret = NULL;
    size_t label = (size_t)(end - line);
    if (label == 23 && memcmp(line, "CLIENT_TRAFFIC_SECRET_0", label) == 0)
        secret = &session->client_secret;
    if (label == 23 && memcmp(line, "SERVER_TRAFFIC_SECRET_0", label) == 0)
        secret = &session->server_secret;
    const char *hex = strchr(end + 1, ' ');
    if (secret == NULL || hex == NULL) return;
    secret->length = 0;
    for (hex++; hex_digit(hex[0]) >= 0 && hex_digit(hex[1]) >= 0; hex += 2) {
        if (secret->length == sizeof secret->bytes) return;
        secret->bytes[secret->length++] =
            (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
    }
}

static size_t secret_bytes(const SSL *ssl) {
    switch (SSL_CIPHER_get_id(SSL_get_current_cipher(ssl))) {
    case TLS1_3_CK_AES_128_GCM_SHA256: return 32;
    case TLS1_3_CK_AES_256_GCM_SHA384: return 48;
    default: return 0;
    }
}

// Right after the handshake neither side has used its application keys, and libssl, which reads
// record by record, holds nothing back: sequence numbers begin at 0. Where that is in doubt, or
// smaller records were agreed on, the session stays with libssl.
static void take_over(ambit_session *session) {
    SSL *ssl = session->ssl;
    session->version = SSL_get_version(ssl);
    session->cipher = SSL_get_cipher_name(ssl);
    const char *group = SSL_group_to_name(ssl, (int)SSL_get_negotiated_group(ssl));
    session->group = group != NULL ? group : "";
    uint8_t fragment = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl));
    size_t length = secret_bytes(ssl);
    const traffic_secret *client = &session->client_secret, *server = &session->server_secret;
    if (length != 0 && client->length == length && server->length == length &&
        SSL_has_pending(ssl) == 0 && !SSL_session_reused(ssl) &&
        !(session->server && SSL_get_num_tickets(ssl) != 0) && // they go out under the new keys
        !(fragment >= 1 && fragment <= 4) && !ambit_context_keeps_records(SSL_get_SSL_CTX(ssl)))
        session->records = ambit_records_make((session->server ? server : client)->bytes,
                                              (session->server ? client : server)->bytes, length,
                                              session->server);
    OPENSSL_cleanse(&session->client_secret, sizeof session->client_secret);
    OPENSSL_cleanse(&session->server_secret, sizeof session->server_secret);
    if (session->records == NULL) return;
    SSL_free(ssl);
    session->ssl = NULL;
}

// MARK: failing

static int is_version_reason(int reason) {
    return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW ||
           reason == SSL_R_NO_PROTOCOLS_AVAILABLE || reason == SSL_R_UNKNOWN_PROTOCOL ||
           reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION || reason == SSL_R_WRONG_SSL_VERSION ||
           reason == SSL_R_INAPPROPRIATE_FALLBACK;
}

static int kind_of(const ambit_session *session, unsigned long code) {
    if (session->output_is_full) return AMBIT_FAILURE_OUTPUT;
    if (session->judged_bad) return AMBIT_FAILURE_JUDGED;
    if (session->verify_error != X509_V_OK) return AMBIT_FAILURE_UNTRUSTED;
    if (ERR_GET_LIB(code) != ERR_LIB_SSL) return AMBIT_FAILURE_PROTOCOL;
    int reason = ERR_GET_REASON(code);
    if (is_version_reason(reason)) return AMBIT_FAILURE_VERSION;
    if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) return AMBIT_FAILURE_NO_CERTIFICATE;
    if (reason == SSL_R_NO_APPLICATION_PROTOCOL) return AMBIT_FAILURE_ALPN;
    if (reason >= SSL_AD_REASON_OFFSET) return AMBIT_FAILURE_ALERT;
    if (session->is_done) return AMBIT_FAILURE_PROTOCOL;
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
        reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
        return AMBIT_FAILURE_NOT_TLS;
    return AMBIT_FAILURE_PROTOCOL;
}

static void fail(ambit_session *session) {
    if (session->is_failed) return;
    session->is_failed = 1;
    session->window = NULL;
    session->window_length = 0;
    unsigned long code = ERR_peek_error();
    ambit_failure *failure = &session->failure;
    failure->kind = kind_of(session, code);
    if (failure->kind == AMBIT_FAILURE_ALERT)
        failure->alert = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET;
    failure->verify_error = session->verify_error;
    failure->verify_depth = session->verify_depth;
    ambit_error_text(failure->text, sizeof failure->text);
}

static void fail_as(ambit_session *session, int kind) {
    fail(session);
    session->failure.kind = kind;
}

void ambit_session_failure(const ambit_session *session, ambit_failure *failure) {
    *failure = session->failure;
}

// MARK: reading and writing

void ambit_session_feed(ambit_session *session, void *bytes, size_t length) {
    session->window = bytes;
    session->window_length = length;
}
size_t ambit_session_unread(const ambit_session *session) { return session->window_length; }

static int has_agreed_h2(SSL *ssl) {
    const unsigned char *name = NULL;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl, &name, &length);
    return length == 2 && memcmp(name, "h2", 2) == 0;
}

static int go_on_with_handshake(ambit_session *session) {
    int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        if (!has_agreed_h2(session->ssl)) {
            SSL_shutdown(session->ssl);
            fail_as(session, AMBIT_FAILURE_ALPN);
            return AMBIT_FAILED;
        }
        session->is_done = 1;
        take_over(session);
        return AMBIT_HANDSHAKE_DONE;
    }
    if (!session->output_is_full &&
        SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ)
        return AMBIT_NEED_MORE;
    fail(session);
    return AMBIT_FAILED;
}

static int read_records(ambit_session *session, uint8_t *scratch, uint8_t **plain, size_t *got,
                        ambit_output *output) {
    ambit_records_result result =
        ambit_records_read(session->records, &session->window, &session->window_length, scratch,
                           plain, got, output);
    if (result.outcome == AMBIT_CLOSED) session->window_length = 0;
    if (result.outcome != AMBIT_FAILED) return result.outcome;
    session->output_is_full = result.output_full;
    ERR_clear_error(); // `text` says it better than the cipher, and what is older is another's
    fail(session);
    if (result.alert >= 0) {
        session->failure.kind = AMBIT_FAILURE_ALERT;
        session->failure.alert = result.alert;
    } else if (result.text != NULL) {
        snprintf(session->failure.text, sizeof session->failure.text, "%s", result.text);
    }
    return AMBIT_FAILED;
}

static int read_ssl(ambit_session *session, uint8_t *bytes, size_t room, size_t *got) {
    int outcome = AMBIT_NEED_MORE;
    while (*got < room) {
        size_t count = 0;
        int result = SSL_read_ex(session->ssl, bytes + *got, room - *got, &count);
        if (result == 1) {
            *got += count;
            continue;
        }
        int error = SSL_get_error(session->ssl, result);
        if (error == SSL_ERROR_WANT_READ) break;
        if (error == SSL_ERROR_ZERO_RETURN) {
            session->window_length = 0;
            outcome = AMBIT_CLOSED;
            break;
        }
        fail(session);
        outcome = AMBIT_FAILED;
        break;
    }
    // What came before the end is handed out first; the end is told again by the next call.
    return *got > 0 ? AMBIT_BYTES : outcome;
}

int ambit_session_read(ambit_session *session, void *owner, void *scratch, size_t room,
                       uint8_t **plain, size_t *got, ambit_output *output) {
    *got = 0;
    if (session->is_failed || room < ambit_ciphertext_bytes_max) return AMBIT_FAILED;
    // Records report their own errors; what the cipher leaves in the queue is cleared on failure.
    if (session->records != NULL) return read_records(session, scratch, plain, got, output);
    ERR_clear_error();
    session->output = output;
    int outcome;
    if (session->is_done) {
        *plain = scratch;
        outcome = read_ssl(session, scratch, room, got);
    } else {
        session->owner = owner;
        outcome = go_on_with_handshake(session);
        session->owner = NULL;
    }
    session->output = NULL;
    return outcome;
}

int ambit_session_may_seal(const ambit_session *session, size_t count) {
    return !session->is_failed && session->records != NULL &&
           ambit_records_may_seal(session->records, count);
}

int ambit_session_seal(ambit_session *session, void *record, size_t length) {
    if (session->is_failed || session->records == NULL) return 0;
    if (ambit_records_seal(session->records, record, length)) return 1;
    fail(session);
    return 0;
}

int ambit_session_write(ambit_session *session, const void *bytes, size_t length,
                        ambit_output *output) {
    if (session->is_failed) return 0;
    if (length == 0) return 1;
    if (session->records != NULL) {
        int outcome = ambit_records_write(session->records, bytes, length, output);
        if (outcome == 1) return 1;
        session->output_is_full = outcome < 0;
        fail(session);
        return 0;
    }
    ERR_clear_error();
    // Room for the whole batch at once, so that libssl never stops half-way.
    size_t records = length / record_bytes_max + 2;
    if (!ambit_output_reserve(output, length + records * record_overhead_max)) {
        session->output_is_full = 1;
        fail(session);
        return 0;
    }
    session->output = output;
    size_t written = 0;
    int result = SSL_write_ex(session->ssl, bytes, length, &written);
    session->output = NULL;
    if (result == 1 && written == length) return 1;
    fail(session);
    return 0;
}

void ambit_session_close(ambit_session *session, ambit_output *output) {
    if (session->is_failed || !session->is_done) return;
    ERR_clear_error();
    if (session->records != NULL) {
        ambit_records_close(session->records, output);
        return;
    }
    session->output = output;
    SSL_shutdown(session->ssl);
    session->output = NULL;
    ERR_clear_error();
}

// MARK: facts

const char *ambit_session_version(const ambit_session *session) {
    return session->is_done ? session->version : "";
}
const char *ambit_session_cipher(const ambit_session *session) {
    return session->is_done ? session->cipher : "";
}
const char *ambit_session_group(const ambit_session *session) {
    return session->is_done ? session->group : "";
}
int ambit_session_has_own_records(const ambit_session *session) {
    return session->records != NULL;
}
int ambit_session_was_resumed(const ambit_session *session) {
    return session->ssl != NULL && SSL_session_reused(session->ssl);
}
int ambit_session_update_keys(ambit_session *session, ambit_output *output) {
    if (session->is_failed || !session->is_done) return 0;
    ERR_clear_error();
    if (session->records != NULL) return ambit_records_update_keys(session->records, output);
    session->output = output;
    int ok = SSL_key_update(session->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
             SSL_do_handshake(session->ssl) == 1;
    session->output = NULL;
    return ok;
}
