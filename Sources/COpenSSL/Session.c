// Sessions: libssl between a borrowed window of ciphertext and a growable output.
#include "COpenSSL.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "Session.h"

enum { record_bytes_max = 16384, record_overhead_max = 64, output_room_first = 64 * 1024 };

struct ambit_session {
    SSL *ssl;
    const uint8_t *window; // not owned
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
    ambit_failure failure;
};

// MARK: output

int ambit_output_reserve(ambit_output *output, size_t more) {
    if (more > output->room_max || output->used > output->room_max - more) return 0;
    size_t needed = output->used + more;
    if (needed <= output->room) return 1;
    size_t room = output->room < output_room_first ? output_room_first : output->room * 2;
    if (room < needed) room = needed;
    if (room > output->room_max) room = output->room_max;
    uint8_t *bytes = realloc(output->bytes, room);
    if (bytes == NULL) return 0;
    output->bytes = bytes;
    output->room = room;
    return 1;
}

void ambit_output_free(ambit_output *output) {
    free(output->bytes);
    output->bytes = NULL;
    output->used = 0;
    output->room = 0;
}

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
    free(session);
}

// MARK: verification

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
    if (leaf == NULL || session->judge(session->owner, leaf) != 1) {
        session->judged_bad = 1;
        // Told to the peer as bad_certificate.
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    return 1;
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

const char *ambit_verify_text(int verify_error) {
    return X509_verify_cert_error_string(verify_error);
}

// In the order of TrustFault: other, expired, notYetValid, unknownIssuer, selfSigned, badSignature,
// badAuthority, tooLong, wrongPurpose, nameConstraint, weak, revoked, malformed.
int ambit_verify_fault(int verify_error) {
    switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return 1;
    case X509_V_ERR_CERT_NOT_YET_VALID: return 2;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return 3;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return 4;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE: return 5;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_NO_ISSUER_PUBLIC_KEY: return 6;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED: return 7;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_CERT_UNTRUSTED: return 8;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX: return 9;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS: return 10;
    case X509_V_ERR_CERT_REVOKED: return 11;
    case X509_V_ERR_INVALID_EXTENSION:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: return 12;
    default: return 0;
    }
}

const char *ambit_alert_text(int alert) { return SSL_alert_desc_string_long(alert); }

// MARK: reading and writing

void ambit_session_feed(ambit_session *session, const void *bytes, size_t length) {
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
        return AMBIT_HANDSHAKE_DONE;
    }
    if (!session->output_is_full &&
        SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ)
        return AMBIT_NEED_MORE;
    fail(session);
    return AMBIT_FAILED;
}

int ambit_session_read(ambit_session *session, void *owner, void *bytes, size_t room, size_t *got,
                       ambit_output *output) {
    *got = 0;
    if (session->is_failed) return AMBIT_FAILED;
    ERR_clear_error();
    session->output = output;
    int outcome = AMBIT_NEED_MORE;
    if (!session->is_done) {
        session->owner = owner;
        outcome = go_on_with_handshake(session);
        session->owner = NULL;
        session->output = NULL;
        return outcome;
    }
    while (*got < room) {
        size_t count = 0;
        int result = SSL_read_ex(session->ssl, (uint8_t *)bytes + *got, room - *got, &count);
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
    session->output = NULL;
    // What came before the end is handed out first; the end is told again by the next call.
    return *got > 0 ? AMBIT_BYTES : outcome;
}

int ambit_session_write(ambit_session *session, const void *bytes, size_t length,
                        ambit_output *output) {
    if (session->is_failed) return 0;
    if (length == 0) return 1;
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
    session->output = output;
    SSL_shutdown(session->ssl);
    session->output = NULL;
    ERR_clear_error();
}

// MARK: facts

const char *ambit_session_version(const ambit_session *session) {
    return session->is_done ? SSL_get_version(session->ssl) : "";
}
const char *ambit_session_cipher(const ambit_session *session) {
    return session->is_done ? SSL_get_cipher_name(session->ssl) : "";
}
const char *ambit_session_group(const ambit_session *session) {
    if (!session->is_done) return "";
    const char *name =
        SSL_group_to_name(session->ssl, (int)SSL_get_negotiated_group(session->ssl));
    return name != NULL ? name : "";
}
int ambit_session_was_resumed(const ambit_session *session) {
    return SSL_session_reused(session->ssl);
}
int ambit_session_update_keys(ambit_session *session) {
    return SSL_key_update(session->ssl, SSL_KEY_UPDATE_REQUESTED);
}
