#include "Records.h"

#include <CBoringSSL.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum {
    header_bytes = 5,
    tag_bytes = ambit_cipher_tag_bytes,
    nonce_bytes = ambit_cipher_nonce_bytes,
    content_bytes_max = 16384,
    ciphertext_bytes_max = ambit_ciphertext_bytes_max,
    type_change_cipher_spec = 20,
    type_alert = 21,
    type_handshake = 22,
    type_application_data = 23,
    handshake_new_session_ticket = 4,
    handshake_key_update = 24,
    alert_close_notify = 0,
    alert_unexpected_message = 10,
    alert_bad_record_mac = 20,
    alert_record_overflow = 22,
    alert_illegal_parameter = 47,
    alert_decode_error = 50,
    alert_internal_error = 80,
    alert_user_canceled = 90,
    // Records in a row that bring no data: what an honest peer never sends (ATTACKS 5.8).
    idle_records_max = 32,
    ticket_bytes_max = 16384,
};
// AES-GCM is good for 2^24.5 records a key (RFC 8446 §5.5).
static const uint64_t records_per_key_max = 1u << 23;

typedef struct {
    ambit_cipher *cipher;
    uint64_t sequence;
    uint8_t iv[nonce_bytes];
    uint8_t secret[ambit_secret_bytes_max];
} direction;

struct ambit_records {
    direction sending;
    direction receiving;
    size_t secret_bytes;
    int is_server;
    int is_closed_by_us;
    int is_closed_by_peer;
    int idle_records;
    // A record that came in part: its header, then the whole of it.
    uint8_t header[header_bytes];
    size_t header_used;
    uint8_t *part;
    size_t part_used;
    size_t part_total;
    // A handshake message that came in part: its header, then what is left of its body.
    uint8_t message[4];
    size_t message_used;
    size_t message_left;
};

// MARK: keys

// HKDF-Expand-Label with an empty context (RFC 8446 §7.1); one block of the hash is enough.
static int expand_label(const uint8_t *secret, size_t secret_bytes, const char *label,
                        uint8_t *out, size_t out_bytes) {
    uint8_t info[64], block[EVP_MAX_MD_SIZE];
    size_t label_bytes = strlen(label), at = 0;
    unsigned block_bytes = 0;
    info[at++] = (uint8_t)(out_bytes >> 8);
    info[at++] = (uint8_t)out_bytes;
    info[at++] = (uint8_t)(6 + label_bytes);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_bytes);
    at += 6 + label_bytes;
    info[at++] = 0;
    info[at++] = 1;
    const EVP_MD *digest = secret_bytes == 48 ? EVP_sha384() : EVP_sha256();
    if (HMAC(digest, secret, (int)secret_bytes, info, at, block, &block_bytes) == NULL ||
        block_bytes < out_bytes)
        return 0;
    memcpy(out, block, out_bytes);
    OPENSSL_cleanse(block, sizeof block);
    return 1;
}

static int take_up_key(direction *side, size_t secret_bytes) {
    uint8_t key[32];
    size_t key_bytes = secret_bytes == 48 ? 32 : 16;
    side->sequence = 0;
    ambit_cipher_free(side->cipher);
    side->cipher = NULL;
    if (expand_label(side->secret, secret_bytes, "key", key, key_bytes) &&
        expand_label(side->secret, secret_bytes, "iv", side->iv, nonce_bytes))
        side->cipher = ambit_cipher_make(key, key_bytes);
    OPENSSL_cleanse(key, sizeof key);
    return side->cipher != NULL;
}

static int next_key(direction *side, size_t secret_bytes) {
    uint8_t next[ambit_secret_bytes_max];
    if (!expand_label(side->secret, secret_bytes, "traffic upd", next, secret_bytes)) return 0;
    memcpy(side->secret, next, secret_bytes);
    OPENSSL_cleanse(next, sizeof next);
    return take_up_key(side, secret_bytes);
}

static int begin(direction *side, const uint8_t *secret, size_t secret_bytes) {
    memcpy(side->secret, secret, secret_bytes);
    return take_up_key(side, secret_bytes);
}

ambit_records *ambit_records_make(const uint8_t *send_secret, const uint8_t *receive_secret,
                                  size_t secret_bytes, int is_server) {
    if (secret_bytes != 32 && secret_bytes != 48) return NULL;
    ambit_records *records = calloc(1, sizeof *records);
    if (records == NULL) return NULL;
    records->secret_bytes = secret_bytes;
    records->is_server = is_server;
    if (begin(&records->sending, send_secret, secret_bytes) &&
        begin(&records->receiving, receive_secret, secret_bytes))
        return records;
    ambit_records_free(records);
    return NULL;
}

void ambit_records_free(ambit_records *records) {
    if (records == NULL) return;
    ambit_cipher_free(records->sending.cipher);
    ambit_cipher_free(records->receiving.cipher);
    free(records->part);
    OPENSSL_cleanse(records, sizeof *records);
    free(records);
}

static void make_nonce(const direction *side, uint8_t *nonce) {
    memcpy(nonce, side->iv, nonce_bytes);
    for (int i = 0; i < 8; i++)
        nonce[nonce_bytes - 1 - i] ^= (uint8_t)(side->sequence >> (8 * i));
}

// MARK: sending

// Seals one record into memory with room for it; the content may lie there already.
static int seal_record(direction *side, uint8_t type, const uint8_t *bytes, size_t length,
                       uint8_t *record) {
    uint8_t nonce[nonce_bytes];
    make_nonce(side, nonce);
    uint8_t *body = record + header_bytes;
    size_t sealed = length + 1 + tag_bytes;
    record[0] = type_application_data;
    record[1] = 3;
    record[2] = 3;
    record[3] = (uint8_t)(sealed >> 8);
    record[4] = (uint8_t)sealed;
    int ok = side->cipher != NULL && ambit_cipher_seal(side->cipher, nonce, record, header_bytes,
                                                       bytes, length, type, body);
    if (ok) side->sequence++;
    return ok;
}

// Seals one record; the output has room for it.
static int seal(direction *side, uint8_t type, const uint8_t *bytes, size_t length,
                ambit_output *output) {
    if (!seal_record(side, type, bytes, length, output->bytes + output->used)) return 0;
    output->used += header_bytes + length + 1 + tag_bytes;
    return 1;
}

int ambit_records_may_seal(const ambit_records *records, size_t count) {
    return !records->is_closed_by_us && count <= records_per_key_max &&
           records->sending.sequence <= records_per_key_max - count;
}

int ambit_records_seal(ambit_records *records, uint8_t *record, size_t length) {
    return length <= content_bytes_max && ambit_records_may_seal(records, 1) &&
           seal_record(&records->sending, type_application_data, record + header_bytes, length,
                       record);
}

static int seal_small(ambit_records *records, uint8_t type, const uint8_t *bytes, size_t length,
                      ambit_output *output) {
    return ambit_output_reserve(output, header_bytes + length + 1 + tag_bytes) &&
           seal(&records->sending, type, bytes, length, output);
}

static int send_key_update(ambit_records *records, int asks_peer, ambit_output *output) {
    uint8_t message[5] = {handshake_key_update, 0, 0, 1, (uint8_t)asks_peer};
    return seal_small(records, type_handshake, message, sizeof message, output) &&
           next_key(&records->sending, records->secret_bytes);
}

// Room for so many bytes in full records and one that is not.
static int reserve(size_t length, ambit_output *output) {
    size_t count = length / content_bytes_max + 1;
    return ambit_output_reserve(output, length + count * (header_bytes + 1 + tag_bytes));
}

int ambit_records_write(ambit_records *records, const uint8_t *bytes, size_t length,
                        ambit_output *output) {
    if (records->is_closed_by_us) return 0;
    if (!reserve(length, output)) return -1;
    while (length > 0) {
        if (records->sending.sequence >= records_per_key_max) {
            if (!send_key_update(records, 0, output)) return 0;
            if (!reserve(length, output)) return -1;
        }
        size_t take = length < content_bytes_max ? length : content_bytes_max;
        if (!seal(&records->sending, type_application_data, bytes, take, output)) return 0;
        bytes += take;
        length -= take;
    }
    return 1;
}

static void send_alert(ambit_records *records, uint8_t level, uint8_t alert,
                       ambit_output *output) {
    uint8_t message[2] = {level, alert};
    if (records->is_closed_by_us) return;
    records->is_closed_by_us = 1;
    seal_small(records, type_alert, message, sizeof message, output);
}
void ambit_records_close(ambit_records *records, ambit_output *output) {
    send_alert(records, 1, alert_close_notify, output);
}
int ambit_records_update_keys(ambit_records *records, ambit_output *output) {
    return !records->is_closed_by_us && send_key_update(records, 1, output);
}

// MARK: receiving

static const ambit_records_result need_more = {AMBIT_NEED_MORE, -1, 0, NULL};
static const ambit_records_result go_on = {AMBIT_BYTES, -1, 0, NULL};

static ambit_records_result fail(ambit_records *records, uint8_t alert, const char *text,
                                 ambit_output *output) {
    send_alert(records, 2, alert, output);
    return (ambit_records_result){AMBIT_FAILED, -1, 0, text};
}

static size_t body_length(const uint8_t *header) { return (size_t)header[3] << 8 | header[4]; }

static ambit_records_result check_header(ambit_records *records, const uint8_t *header,
                                         ambit_output *output) {
    size_t length = body_length(header);
    if (header[0] != type_application_data)
        return fail(records, alert_unexpected_message, "an unprotected record", output);
    if (length > ciphertext_bytes_max)
        return fail(records, alert_record_overflow, "a record longer than allowed", output);
    if (length < tag_bytes + 1)
        return fail(records, alert_decode_error, "a record too short to be one", output);
    return go_on;
}

// Decrypts the record into out, its own place or one with room for all but header and tag; 0 when
// it is forged.
static int open_record(direction *side, uint8_t *record, uint8_t *out) {
    uint8_t nonce[nonce_bytes];
    make_nonce(side, nonce);
    size_t length = body_length(record) - tag_bytes;
    uint8_t *body = record + header_bytes;
    // Nothing unauthenticated is ever seen: what is forged is cleared.
    int ok = side->cipher != NULL && ambit_cipher_open(side->cipher, nonce, record, header_bytes,
                                                       body, length, out);
    side->sequence++;
    return ok;
}

static ambit_records_result handle_alert(ambit_records *records, const uint8_t *bytes,
                                         size_t length, ambit_output *output) {
    if (length != 2) return fail(records, alert_decode_error, "a malformed alert", output);
    if (bytes[1] == alert_user_canceled) return go_on;
    records->is_closed_by_peer = 1;
    if (bytes[1] == alert_close_notify)
        return (ambit_records_result){AMBIT_CLOSED, -1, 0, NULL};
    return (ambit_records_result){AMBIT_FAILED, bytes[1], 0, "alert"};
}

static ambit_records_result take_key_update(ambit_records *records, uint8_t request, int is_last,
                                            ambit_output *output) {
    if (request > 1) return fail(records, alert_illegal_parameter, "a bad KeyUpdate", output);
    if (!is_last)
        return fail(records, alert_unexpected_message, "data behind a KeyUpdate", output);
    if (!next_key(&records->receiving, records->secret_bytes))
        return fail(records, alert_internal_error, "cannot change keys", output);
    if (request == 0 || records->is_closed_by_us) return go_on;
    if (!send_key_update(records, 0, output))
        return (ambit_records_result){AMBIT_FAILED, -1, 1, "output"};
    return go_on;
}

// Only NewSessionTicket (of foreign servers, skipped) and KeyUpdate come after the handshake.
static ambit_records_result handle_handshake(ambit_records *records, const uint8_t *bytes,
                                             size_t length, ambit_output *output) {
    for (size_t at = 0; at < length;) {
        if (records->message_used < 4) {
            records->message[records->message_used++] = bytes[at++];
            if (records->message_used < 4) continue;
            const uint8_t *head = records->message;
            records->message_left = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
            int is_ticket = head[0] == handshake_new_session_ticket && !records->is_server &&
                            records->message_left <= ticket_bytes_max;
            int is_update = head[0] == handshake_key_update && records->message_left == 1;
            if (!is_ticket && !is_update)
                return fail(records, alert_unexpected_message, "a handshake message out of place",
                            output);
            if (records->message_left == 0) records->message_used = 0;
            continue;
        }
        if (records->message[0] == handshake_key_update) {
            records->message_used = 0;
            ambit_records_result result =
                take_key_update(records, bytes[at], at + 1 == length, output);
            if (result.outcome != AMBIT_BYTES) return result;
            at++;
            continue;
        }
        size_t skip = length - at < records->message_left ? length - at : records->message_left;
        at += skip;
        records->message_left -= skip;
        if (records->message_left == 0) records->message_used = 0;
    }
    return go_on;
}

// Opens a whole record into out; *got counts data, which is there.
static ambit_records_result take_record(ambit_records *records, uint8_t *record, uint8_t *out,
                                        size_t *got, ambit_output *output) {
    size_t length = body_length(record) - tag_bytes;
    if (!open_record(&records->receiving, record, out))
        return fail(records, alert_bad_record_mac, "a forged or damaged record", output);
    while (length > 0 && out[length - 1] == 0) length--;
    if (length == 0)
        return fail(records, alert_unexpected_message, "a record without a type", output);
    uint8_t type = out[--length];
    if (length > content_bytes_max)
        return fail(records, alert_record_overflow, "a record longer than allowed", output);
    if (type == type_application_data && records->message_used > 0)
        return fail(records, alert_unexpected_message, "data within a message", output);
    if (type == type_application_data && length > 0) {
        records->idle_records = 0;
        *got = length;
        return go_on;
    }
    if (++records->idle_records > idle_records_max)
        return fail(records, alert_unexpected_message, "too many records without data", output);
    if (type == type_alert) return handle_alert(records, out, length, output);
    if (type == type_handshake && length > 0)
        return handle_handshake(records, out, length, output);
    if (type == type_application_data) return go_on;
    return fail(records, alert_unexpected_message, "a record of an unknown type", output);
}

static size_t move(uint8_t *target, size_t *used, size_t total, uint8_t **window,
                   size_t *window_length) {
    size_t take = total - *used < *window_length ? total - *used : *window_length;
    memcpy(target + *used, *window, take);
    *used += take;
    *window += take;
    *window_length -= take;
    return *used == total;
}

// Gathers a record that comes in pieces; AMBIT_BYTES when `part` holds the whole of it.
static ambit_records_result gather(ambit_records *records, uint8_t **window,
                                   size_t *window_length, ambit_output *output) {
    if (records->part == NULL) {
        if (!move(records->header, &records->header_used, header_bytes, window, window_length))
            return need_more;
        ambit_records_result result = check_header(records, records->header, output);
        if (result.outcome != AMBIT_BYTES) return result;
        records->part_total = header_bytes + body_length(records->header);
        records->part = malloc(records->part_total);
        if (records->part == NULL)
            return fail(records, alert_internal_error, "out of memory", output);
        memcpy(records->part, records->header, header_bytes);
        records->part_used = header_bytes;
    }
    return move(records->part, &records->part_used, records->part_total, window, window_length)
               ? go_on
               : need_more;
}

ambit_records_result ambit_records_read(ambit_records *records, uint8_t **window,
                                        size_t *window_length, uint8_t *scratch,
                                        uint8_t **plain, size_t *got, ambit_output *output) {
    *got = 0;
    while (*got == 0) {
        if (records->is_closed_by_peer) return (ambit_records_result){AMBIT_CLOSED, -1, 0, NULL};
        ambit_records_result result;
        int is_whole = records->header_used == 0 && *window_length >= header_bytes &&
                       *window_length - header_bytes >= body_length(*window);
        if (is_whole) {
            uint8_t *record = *window;
            result = check_header(records, record, output);
            if (result.outcome != AMBIT_BYTES) return result;
            *window += header_bytes + body_length(record);
            *window_length -= header_bytes + body_length(record);
            *plain = record + header_bytes;
            result = take_record(records, record, *plain, got, output);
        } else {
            result = gather(records, window, window_length, output);
            if (result.outcome != AMBIT_BYTES) return result;
            uint8_t *record = records->part;
            records->part = NULL;
            records->header_used = 0;
            *plain = scratch;
            result = take_record(records, record, scratch, got, output);
            free(record);
        }
        if (result.outcome != AMBIT_BYTES) return result;
    }
    return go_on;
}
