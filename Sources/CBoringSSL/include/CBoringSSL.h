// AES-GCM of BoringSSL, for records of TLS 1.3 (RFC 8446 §5.2).
//
// libssl makes the keys, BoringSSL uses them: on x86-64 without AVX-512 its AES-GCM is twice as
// fast as that of OpenSSL 3.5, and one call a record takes what five do there (bench/README.md). It
// comes with swift-crypto, which the control plane's client brings along; its functions have a
// prefix of their own and do not meet OpenSSL's. swift-crypto promises nothing for them: only
// Cipher.c would have to change.
#ifndef AMBIT_CBORINGSSL_H
#define AMBIT_CBORINGSSL_H
#include <stddef.h>
#include <stdint.h>

enum { ambit_cipher_nonce_bytes = 12, ambit_cipher_tag_bytes = 16 };

// A key. Any thread may use it, one at a time; it belongs to who made it.
typedef struct ambit_cipher ambit_cipher;

// AES-128-GCM for 16 bytes, AES-256-GCM for 32; NULL for others and when memory is out.
ambit_cipher *ambit_cipher_make(const uint8_t *key, size_t key_bytes);
// Forgets the key; NULL is fine.
void ambit_cipher_free(ambit_cipher *cipher);
// Encrypts content and a last byte behind it into out, which has room for both and the tag and
// either is the content or does not overlap it; 1, or 0 with out cleared.
int ambit_cipher_seal(const ambit_cipher *cipher, const uint8_t *nonce, const uint8_t *header,
                      size_t header_bytes, const uint8_t *content, size_t length, uint8_t last,
                      uint8_t *out);
// Decrypts `length` bytes with their tag behind them into out, which either is the content or does
// not overlap it; 1, or 0 with out cleared when anything was changed on the way.
int ambit_cipher_open(const ambit_cipher *cipher, const uint8_t *nonce, const uint8_t *header,
                      size_t header_bytes, const uint8_t *content, size_t length, uint8_t *out);
#endif
