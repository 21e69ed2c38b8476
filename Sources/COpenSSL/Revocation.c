// Certificate revocation lists (RFC 5280 §5): what they say, who signed them, and making them.
#include "Revocation.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

enum {
    // The key of an RSA authority of 16384 bits, the most OpenSSL verifies with, and a serial.
    key_input_bytes_max = 2560,
};

// MARK: keys of certificates

static int digest(const uint8_t *bytes, size_t length, uint8_t *key) {
    uint8_t whole[SHA256_DIGEST_LENGTH];
    if (SHA256(bytes, length, whole) == NULL) return 0;
    memcpy(key, whole, ambit_revocation_key_bytes);
    return 1;
}

int ambit_revocation_key(X509 *issuer, const ASN1_INTEGER *serial, uint8_t *key) {
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(issuer);
    int key_length = bits != NULL ? ASN1_STRING_length(bits) : 0;
    int serial_length = serial != NULL ? ASN1_STRING_length(serial) : 0;
    uint8_t bytes[key_input_bytes_max];
    if (key_length <= 0 || serial_length < 0 ||
        (size_t)key_length + (size_t)serial_length + 1 > sizeof bytes)
        return 0;
    memcpy(bytes, ASN1_STRING_get0_data(bits), (size_t)key_length);
    size_t used = (size_t)key_length;
    if (serial != NULL) {
        bytes[used++] = (uint8_t)ASN1_STRING_type(serial); // positive or negative
        memcpy(bytes + used, ASN1_STRING_get0_data(serial), (size_t)serial_length);
        used += (size_t)serial_length;
    }
    return digest(bytes, used, key);
}

int ambit_certificate_revocation_key(X509 *certificate, X509 *issuer, uint8_t *key) {
    return ambit_revocation_key(issuer, X509_get0_serialNumber(certificate), key);
}
int ambit_certificate_authority_key(X509 *authority, uint8_t *key) {
    return ambit_revocation_key(authority, NULL, key);
}

int ambit_certificate_is_signed_by(X509 *certificate, X509 *authority) {
    ERR_clear_error();
    EVP_PKEY *key = X509_get0_pubkey(authority);
    int good = X509_check_issued(authority, certificate) == X509_V_OK && key != NULL &&
               X509_verify(certificate, key) == 1;
    ERR_clear_error();
    return good;
}

// MARK: reading

X509_CRL *ambit_crl_read_pem(const uint8_t *pem, size_t length, size_t *offset) {
    ERR_clear_error();
    if (*offset > length || length - *offset > INT_MAX) return NULL;
    BIO *bio = BIO_new_mem_buf(pem + *offset, (int)(length - *offset));
    if (bio == NULL) return NULL;
    // "": a password prompt would hang a daemon.
    X509_CRL *list = PEM_read_bio_X509_CRL(bio, NULL, NULL, "");
    if (list == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error();
    long left = BIO_ctrl_pending(bio);
    *offset = length - (left > 0 ? (size_t)left : 0);
    BIO_free(bio);
    return list;
}
void ambit_crl_free(X509_CRL *list) { X509_CRL_free(list); }

static int64_t unix_time(const ASN1_TIME *time) {
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return (int64_t)timegm(&parts);
}

// Extensions of the list: its number and its issuer's key are understood, nothing else that counts.
static int extensions_fault(X509_CRL *list) {
    int count = X509_CRL_get_ext_count(list);
    for (int i = 0; i < count; i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(list, i);
        int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        if (kind == NID_crl_number || kind == NID_authority_key_identifier) continue;
        if (kind == NID_delta_crl) return AMBIT_CRL_IS_DELTA;
        if (kind == NID_issuing_distribution_point) return AMBIT_CRL_IS_PARTIAL;
        if (X509_EXTENSION_get_critical(extension)) return AMBIT_CRL_UNKNOWN_EXTENSION;
    }
    return AMBIT_CRL_GOOD;
}

static int entries_fault(X509_CRL *list) {
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(list);
    for (int i = 0; i < sk_X509_REVOKED_num(all); i++) {
        const X509_REVOKED *entry = sk_X509_REVOKED_value(all, i);
        int count = X509_REVOKED_get_ext_count(entry);
        for (int j = 0; j < count; j++) {
            X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, j);
            // certificateIssuer, for one: then the entry is about another authority.
            if (X509_EXTENSION_get_critical(extension)) return AMBIT_CRL_UNKNOWN_EXTENSION;
        }
    }
    return AMBIT_CRL_GOOD;
}

static int number_fault(X509_CRL *list, ambit_crl_facts *facts) {
    int critical = 0;
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(list, NID_crl_number, &critical, NULL);
    if (number == NULL) return critical == -1 ? AMBIT_CRL_GOOD : AMBIT_CRL_BAD_NUMBER;
    int length = ASN1_STRING_length(number);
    int fault = AMBIT_CRL_BAD_NUMBER;
    if (ASN1_STRING_type(number) == V_ASN1_INTEGER && length >= 0 &&
        (size_t)length <= sizeof facts->number) {
        facts->has_number = 1;
        facts->number_length = (size_t)length;
        memcpy(facts->number, ASN1_STRING_get0_data(number), (size_t)length);
        fault = AMBIT_CRL_GOOD;
    }
    ASN1_INTEGER_free(number);
    return fault;
}

static int digest_fault(X509_CRL *list) {
    int hash = NID_undef, key = NID_undef;
    if (OBJ_find_sigid_algs(X509_CRL_get_signature_nid(list), &hash, &key) != 1)
        return AMBIT_CRL_WEAK;
    int good = hash == NID_sha256 || hash == NID_sha384 || hash == NID_sha512 ||
               (hash == NID_undef && key == NID_ED25519);
    return good ? AMBIT_CRL_GOOD : AMBIT_CRL_WEAK;
}

void ambit_crl_read_facts(X509_CRL *list, ambit_crl_facts *facts) {
    ERR_clear_error();
    memset(facts, 0, sizeof *facts);
    facts->this_update = unix_time(X509_CRL_get0_lastUpdate(list));
    facts->next_update = unix_time(X509_CRL_get0_nextUpdate(list));
    int count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list)); // -1 when there is none
    facts->count = count > 0 ? (size_t)count : 0;
    facts->fault = digest_fault(list);
    if (facts->fault == AMBIT_CRL_GOOD) facts->fault = extensions_fault(list);
    if (facts->fault == AMBIT_CRL_GOOD) facts->fault = number_fault(list, facts);
    if (facts->fault == AMBIT_CRL_GOOD) facts->fault = entries_fault(list);
    ERR_clear_error();
}

static size_t take_text(const char *from, char *text, size_t room) {
    size_t length = strlen(from);
    if (room == 0) return length;
    size_t take = length < room - 1 ? length : room - 1;
    memcpy(text, from, take);
    text[take] = 0;
    return length;
}

size_t ambit_crl_issuer(X509_CRL *list, char *text, size_t room) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    size_t length = 0;
    char *data = NULL;
    if (X509_NAME_print_ex(bio, X509_CRL_get_issuer(list), 0, XN_FLAG_RFC2253) >= 0 &&
        BIO_write(bio, "", 1) == 1 && BIO_get_mem_data(bio, &data) > 0)
        length = take_text(data, text, room);
    BIO_free(bio);
    ERR_clear_error();
    return length;
}

int ambit_crl_names_issuer(X509_CRL *list, X509 *authority) {
    return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0;
}

int ambit_crl_is_signed_by(X509_CRL *list, X509 *authority) {
    ERR_clear_error();
    // All bits are set for a certificate without the extension.
    if (!(X509_get_key_usage(authority) & KU_CRL_SIGN)) return 0;
    EVP_PKEY *key = X509_get0_pubkey(authority);
    int good = key != NULL && X509_CRL_verify(list, key) == 1;
    ERR_clear_error();
    return good;
}

int ambit_crl_entry(X509_CRL *list, size_t index, X509 *authority, ambit_crl_revoked *revoked) {
    memset(revoked, 0, sizeof *revoked);
    if (index > INT_MAX) return 0;
    const X509_REVOKED *entry =
        sk_X509_REVOKED_value(X509_CRL_get_REVOKED(list), (int)index); // NULL beyond the end
    if (entry == NULL) return 0;
    const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(entry);
    revoked->revoked_at = unix_time(X509_REVOKED_get0_revocationDate(entry));
    BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;
    int good = hex != NULL && ambit_revocation_key(authority, serial, revoked->key);
    if (good) take_text(hex, revoked->serial, sizeof revoked->serial);
    OPENSSL_free(hex);
    BN_free(number);
    ERR_clear_error();
    return good;
}

// MARK: making

X509_CRL *ambit_crl_make(X509 *authority, int64_t this_update, int64_t next_update,
                         const uint8_t *number, size_t number_length) {
    ERR_clear_error();
    if (number_length > INT_MAX) return NULL;
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)this_update);
    ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)next_update);
    BIGNUM *value = BN_bin2bn(number, (int)number_length, NULL);
    ASN1_INTEGER *sequence = value != NULL ? BN_to_ASN1_INTEGER(value, NULL) : NULL;
    int good = list != NULL && from != NULL && until != NULL && sequence != NULL &&
               X509_CRL_set_version(list, 1) == 1 &&
               X509_CRL_set_issuer_name(list, X509_get_subject_name(authority)) == 1 &&
               X509_CRL_set1_lastUpdate(list, from) == 1 &&
               X509_CRL_set1_nextUpdate(list, until) == 1 &&
               X509_CRL_add1_ext_i2d(list, NID_crl_number, sequence, 0, 0) == 1;
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_INTEGER_free(sequence);
    BN_free(value);
    if (good) return list;
    X509_CRL_free(list);
    return NULL;
}

int ambit_crl_add(X509_CRL *list, const char *serial, int64_t revoked_at) {
    ERR_clear_error();
    BIGNUM *number = NULL;
    if (BN_hex2bn(&number, serial) == 0) return 0;
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *value = BN_to_ASN1_INTEGER(number, NULL);
    ASN1_TIME *time = ASN1_TIME_set(NULL, (time_t)revoked_at);
    int good = entry != NULL && value != NULL && time != NULL &&
               X509_REVOKED_set_serialNumber(entry, value) == 1 &&
               X509_REVOKED_set_revocationDate(entry, time) == 1 &&
               X509_CRL_add0_revoked(list, entry) == 1;
    if (!good) X509_REVOKED_free(entry);
    ASN1_INTEGER_free(value);
    ASN1_TIME_free(time);
    BN_free(number);
    return good;
}

int ambit_crl_sign(X509_CRL *list, EVP_PKEY *key) {
    ERR_clear_error();
    return X509_CRL_sort(list) == 1 && X509_CRL_sign(list, key, EVP_sha256()) > 0;
}

size_t ambit_crl_write_pem(X509_CRL *list, uint8_t *pem, size_t room) {
    ERR_clear_error();
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    char *data = NULL;
    long length = PEM_write_bio_X509_CRL(bio, list) == 1 ? BIO_get_mem_data(bio, &data) : 0;
    if (length < 0) length = 0;
    if (length > 0 && (size_t)length <= room) memcpy(pem, data, (size_t)length);
    BIO_free(bio);
    return (size_t)length;
}
