#include "CBoringSSL.h"

#include <CCryptoBoringSSL_aead.h>
#include <CCryptoBoringSSL_mem.h>

struct ambit_cipher {
    EVP_AEAD_CTX context;
};

ambit_cipher *ambit_cipher_make(const uint8_t *key, size_t key_bytes) {
    if (key_bytes != 16 && key_bytes != 32) return NULL;
    const EVP_AEAD *aead = key_bytes == 32 ? EVP_aead_aes_256_gcm() : EVP_aead_aes_128_gcm();
    ambit_cipher *cipher = OPENSSL_malloc(sizeof *cipher);
    if (cipher == NULL) return NULL;
    if (EVP_AEAD_CTX_init(&cipher->context, aead, key, key_bytes, ambit_cipher_tag_bytes, NULL))
        return cipher;
    OPENSSL_free(cipher);
    return NULL;
}

void ambit_cipher_free(ambit_cipher *cipher) {
    if (cipher == NULL) return;
    EVP_AEAD_CTX_cleanup(&cipher->context);
    OPENSSL_free(cipher); // which clears it
}

int ambit_cipher_seal(const ambit_cipher *cipher, const uint8_t *nonce, const uint8_t *header,
                      size_t header_bytes, const uint8_t *content, size_t length, uint8_t last,
                      uint8_t *out) {
    size_t behind = 0;
    return EVP_AEAD_CTX_seal_scatter(&cipher->context, out, out + length, &behind,
                                     1 + ambit_cipher_tag_bytes, nonce, ambit_cipher_nonce_bytes,
                                     content, length, &last, 1, header, header_bytes) == 1 &&
           behind == 1 + ambit_cipher_tag_bytes;
}

int ambit_cipher_open(const ambit_cipher *cipher, const uint8_t *nonce, const uint8_t *header,
                      size_t header_bytes, const uint8_t *content, size_t length, uint8_t *out) {
    return EVP_AEAD_CTX_open_gather(&cipher->context, out, nonce, ambit_cipher_nonce_bytes, content,
                                    length, content + length, ambit_cipher_tag_bytes, header,
                                    header_bytes) == 1;
}
