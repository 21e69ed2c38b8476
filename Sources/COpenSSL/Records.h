// The record layer of TLS 1.3 after the handshake (RFC 8446 §5), between Records.c and Session.c.
//
// libssl does the handshake; its two application traffic secrets then come here and the SSL object
// is freed. That saves two copies of every byte and 15 to 30 KB a connection.
#ifndef AMBIT_RECORDS_H
#define AMBIT_RECORDS_H
#include "COpenSSL.h"

enum { ambit_secret_bytes_max = 48 };

typedef struct ambit_records ambit_records;

// Takes up both directions at sequence number 0; secrets have 32 bytes (AES-128-GCM, SHA-256) or
// 48 (AES-256-GCM, SHA-384). NULL when memory is out.
ambit_records *ambit_records_make(const uint8_t *send_secret, const uint8_t *receive_secret,
                                  size_t secret_bytes, int is_server);
void ambit_records_free(ambit_records *records);

// What a read or write came to, besides bytes.
typedef struct {
    int outcome;      // AMBIT_NEED_MORE, AMBIT_BYTES, AMBIT_CLOSED, AMBIT_FAILED
    int alert;        // the peer's alert that ended it, or -1
    int output_full;
    const char *text; // why it failed, static
} ambit_records_result;

// A record's ciphertext without its header, at most (RFC 8446 §5.2).
enum { ambit_ciphertext_bytes_max = 16384 + 256 };

// Opens the next record with data from *window, which moves on. *plain is where its *got bytes lie:
// in the window, or, for one that came in pieces, in scratch, which has ambit_ciphertext_bytes_max.
ambit_records_result ambit_records_read(ambit_records *records, uint8_t **window,
                                        size_t *window_length, uint8_t *scratch,
                                        uint8_t **plain, size_t *got, ambit_output *output);
// Whether so many records can be sealed before the keys must change.
int ambit_records_may_seal(const ambit_records *records, size_t count);
// Seals a record where it lies: 5 bytes for the header, `length` of content, 17 for type and tag.
int ambit_records_seal(ambit_records *records, uint8_t *record, size_t length);
// Seals everything; 1, 0 when we closed or sealing failed, -1 when the output is full.
int ambit_records_write(ambit_records *records, const uint8_t *bytes, size_t length,
                        ambit_output *output);
// Appends close_notify; nothing may be written after it.
void ambit_records_close(ambit_records *records, ambit_output *output);
// Changes our keys and asks the peer to change its own; 1 or 0.
int ambit_records_update_keys(ambit_records *records, ambit_output *output);
#endif
