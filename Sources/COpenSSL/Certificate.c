// Certificates, requests and keys: reading what they say, and making them.
#include "COpenSSL.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

int ambit_random(uint8_t *bytes, size_t count) {
    return count <= INT_MAX && RAND_bytes(bytes, (int)count) == 1;
}

// MARK: encodings

static BIO *text_reader(const uint8_t *text, size_t length) {
    ERR_clear_error();
    return length <= INT_MAX ? BIO_new_mem_buf(text, (int)length) : NULL;
}

// Moves what a memory BIO holds into the caller's buffer and frees the BIO.
static size_t take_written(BIO *bio, int ok, uint8_t *bytes, size_t room) {
    char *data = NULL;
    long length = ok ? BIO_get_mem_data(bio, &data) : 0;
    if (length < 0) length = 0;
    if (length > 0 && (size_t)length <= room) memcpy(bytes, data, (size_t)length);
    BIO_free(bio);
    return (size_t)length;
}

// Copies a text with its terminator as far as it fits; returns its whole length.
static size_t take_text(const char *from, size_t length, char *text, size_t room) {
    if (room == 0) return length;
    size_t take = length < room - 1 ? length : room - 1;
    memcpy(text, from, take);
    text[take] = 0;
    return length;
}

// A password prompt would hang a daemon: there is no password.
static int no_password(char *text, int room, int writing, void *unused) {
    (void)text, (void)room, (void)writing, (void)unused;
    return -1;
}

// MARK: keys

EVP_PKEY *ambit_key_make(void) {
    ERR_clear_error();
    return EVP_EC_gen("P-256");
}
EVP_PKEY *ambit_key_make_kind(const char *curve, unsigned rsa_bits) {
    ERR_clear_error();
    return curve != NULL ? EVP_EC_gen(curve) : EVP_RSA_gen(rsa_bits);
}
void ambit_key_free(EVP_PKEY *key) { EVP_PKEY_free(key); }

EVP_PKEY *ambit_key_read_pem(const uint8_t *pem, size_t length) {
    BIO *bio = text_reader(pem, length);
    if (bio == NULL) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return key;
}
size_t ambit_key_write_pem(EVP_PKEY *key, uint8_t *pem, size_t room) {
    ERR_clear_error();
    BIO *bio = BIO_new(BIO_s_secmem());
    if (bio == NULL) return 0;
    int ok = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    return take_written(bio, ok, pem, room);
}

int ambit_key_is_acceptable(EVP_PKEY *key) {
    if (EVP_PKEY_is_a(key, "RSA")) {
        int bits = EVP_PKEY_get_bits(key);
        return bits >= 2048 && bits <= 4096;
    }
    char name[32];
    size_t length = 0;
    if (!EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_group_name(key, name, sizeof name, &length) != 1) {
        ERR_clear_error();
        return 0;
    }
    return strcmp(name, "prime256v1") == 0 || strcmp(name, "secp384r1") == 0;
}

int ambit_key_is_p256(EVP_PKEY *key) {
    return ambit_key_is_acceptable(key) && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_bits(key) == 256;
}

// MARK: reading certificates

X509 *ambit_certificate_read_pem(const uint8_t *pem, size_t length, size_t *offset) {
    if (*offset > length) return NULL;
    BIO *bio = text_reader(pem + *offset, length - *offset);
    if (bio == NULL) return NULL;
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    if (certificate == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error();
    long left = BIO_ctrl_pending(bio);
    *offset = length - (left > 0 ? (size_t)left : 0);
    BIO_free(bio);
    return certificate;
}
X509 *ambit_certificate_read_der(const uint8_t *der, size_t length) {
    ERR_clear_error();
    if (length > LONG_MAX) return NULL;
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, (long)length);
    if (certificate != NULL && at != der + length) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}
void ambit_certificate_free(X509 *certificate) { X509_free(certificate); }
void ambit_certificate_retain(X509 *certificate) { X509_up_ref(certificate); }

size_t ambit_certificate_write_der(X509 *certificate, uint8_t *der, size_t room) {
    ERR_clear_error();
    int length = i2d_X509(certificate, NULL);
    if (length <= 0) return 0;
    if ((size_t)length <= room) i2d_X509(certificate, &der);
    return (size_t)length;
}
size_t ambit_certificate_write_pem(X509 *certificate, uint8_t *pem, size_t room) {
    ERR_clear_error();
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    int ok = PEM_write_bio_X509(bio, certificate) == 1;
    return take_written(bio, ok, pem, room);
}

static int64_t unix_time(const ASN1_TIME *time) {
    struct tm parts;
    if (time == NULL || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return (int64_t)timegm(&parts);
}

static size_t uri_total(const GENERAL_NAMES *names) {
    size_t total = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        if (sk_GENERAL_NAME_value(names, i)->type == GEN_URI) total++;
    return total;
}

static size_t uri_at(const GENERAL_NAMES *names, size_t index, uint8_t *bytes, size_t room) {
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI || index-- != 0) continue;
        const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
        int length = ASN1_STRING_length(uri);
        if (length <= 0) return 0;
        if ((size_t)length <= room) memcpy(bytes, ASN1_STRING_get0_data(uri), (size_t)length);
        return (size_t)length;
    }
    return 0;
}

int ambit_certificate_read_facts(X509 *certificate, ambit_certificate_facts *facts) {
    ERR_clear_error();
    memset(facts, 0, sizeof *facts);
    facts->not_before = unix_time(X509_get0_notBefore(certificate));
    facts->not_after = unix_time(X509_get0_notAfter(certificate));
    facts->may_sign = X509_check_ca(certificate) != 0;
    uint32_t flags = X509_get_extension_flags(certificate);
    facts->claims_authority = facts->may_sign || (flags & EXFLAG_CA) != 0;
    if (flags & EXFLAG_INVALID) facts->names_unreadable = 1;
    if (flags & EXFLAG_XKUSAGE) {
        uint32_t usage = X509_get_extended_key_usage(certificate);
        facts->has_extended_usage = 1;
        facts->allows_server = (usage & XKU_SSL_SERVER) != 0;
        facts->allows_client = (usage & XKU_SSL_CLIENT) != 0;
    }
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    if (names == NULL) {
        // -1: there is none; -2: twice; otherwise it is there but malformed.
        if (critical != -1) facts->names_unreadable = 1;
    } else {
        facts->name_count = (size_t)sk_GENERAL_NAME_num(names);
        facts->uri_count = uri_total(names);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return 1;
}

size_t ambit_certificate_uri(X509 *certificate, size_t index, uint8_t *bytes, size_t room) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t length = names != NULL ? uri_at(names, index, bytes, room) : 0;
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return length;
}

size_t ambit_certificate_serial(X509 *certificate, char *text, size_t room) {
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;
    size_t length = hex != NULL ? take_text(hex, strlen(hex), text, room) : 0;
    OPENSSL_free(hex);
    BN_free(number);
    return length;
}

static size_t name_text(const X509_NAME *name, char *text, size_t room) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    char *data = NULL;
    long length = 0;
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
        length = BIO_get_mem_data(bio, &data);
    size_t result = length > 0 ? take_text(data, (size_t)length, text, room) : 0;
    BIO_free(bio);
    ERR_clear_error();
    return result;
}
size_t ambit_certificate_subject(X509 *certificate, char *text, size_t room) {
    return name_text(X509_get_subject_name(certificate), text, room);
}
size_t ambit_certificate_issuer(X509 *certificate, char *text, size_t room) {
    return name_text(X509_get_issuer_name(certificate), text, room);
}
int ambit_certificate_matches_key(X509 *certificate, EVP_PKEY *key) {
    int same = X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    return same;
}

// MARK: making

static X509_EXTENSION *make_extension(X509V3_CTX *context, const ambit_extension *extension) {
    ASN1_OBJECT *object = OBJ_txt2obj(extension->name, 0);
    if (object == NULL) return NULL;
    X509_EXTENSION *made = NULL;
    if (extension->text != NULL) {
        made = X509V3_EXT_conf_nid(NULL, context, OBJ_obj2nid(object), extension->text);
        if (made != NULL) X509_EXTENSION_set_critical(made, extension->critical);
    } else if (extension->der_length <= INT_MAX) {
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        if (value != NULL &&
            ASN1_OCTET_STRING_set(value, extension->der, (int)extension->der_length) == 1)
            made = X509_EXTENSION_create_by_OBJ(NULL, object, extension->critical, value);
        ASN1_OCTET_STRING_free(value);
    }
    ASN1_OBJECT_free(object);
    return made;
}

static int set_common_name(X509_NAME *name, const char *common_name) {
    return common_name == NULL ||
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1,
                                      -1, 0) == 1;
}

static int set_serial(X509 *certificate, const uint8_t *serial) {
    BIGNUM *number = BN_bin2bn(serial, 16, NULL);
    int ok = number != NULL &&
             BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return ok;
}

static int set_time(ASN1_TIME *time, int64_t seconds) {
    return ASN1_TIME_set(time, (time_t)seconds) != NULL;
}

static int fill_certificate(X509 *certificate, EVP_PKEY *subject_key, const char *common_name,
                            X509 *issuer, int64_t not_before, int64_t not_after,
                            const uint8_t *serial, int version) {
    X509_NAME *name = X509_get_subject_name(certificate);
    return set_common_name(name, common_name) && set_serial(certificate, serial) &&
           X509_set_version(certificate, version - 1) == 1 &&
           X509_set_pubkey(certificate, subject_key) == 1 &&
           X509_set_issuer_name(certificate,
                                issuer != NULL ? X509_get_subject_name(issuer) : name) == 1 &&
           set_time(X509_getm_notBefore(certificate), not_before) &&
           set_time(X509_getm_notAfter(certificate), not_after);
}

// An authority may have no key identifier, which OpenSSL then cannot repeat and peers do not miss.
static int lacks_issuer_key(const ambit_extension *extension, X509 *issuer) {
    return strcmp(extension->name, SN_authority_key_identifier) == 0 && issuer != NULL &&
           X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) < 0;
}

X509 *ambit_certificate_make(EVP_PKEY *subject_key, const char *common_name, X509 *issuer,
                             EVP_PKEY *issuer_key, int64_t not_before, int64_t not_after,
                             const uint8_t *serial, int version,
                             const ambit_extension *extensions, size_t count) {
    ERR_clear_error();
    X509 *certificate = X509_new();
    if (certificate == NULL) return NULL;
    int ok = fill_certificate(certificate, subject_key, common_name, issuer, not_before, not_after,
                              serial, version);
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer != NULL ? issuer : certificate, certificate, NULL, NULL, 0);
    for (size_t i = 0; ok && i < count; i++) {
        if (lacks_issuer_key(&extensions[i], issuer)) continue;
        X509_EXTENSION *extension = make_extension(&context, &extensions[i]);
        ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
    }
    if (ok && X509_sign(certificate, issuer_key, EVP_sha256()) > 0) return certificate;
    X509_free(certificate);
    return NULL;
}

// MARK: requests

X509_REQ *ambit_request_make(EVP_PKEY *key, const ambit_extension *extensions, size_t count) {
    ERR_clear_error();
    X509_REQ *request = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    int ok = request != NULL && list != NULL && X509_REQ_set_version(request, 0) == 1 &&
             X509_REQ_set_pubkey(request, key) == 1;
    X509V3_CTX context;
    X509V3_set_ctx(&context, NULL, NULL, request, NULL, 0);
    for (size_t i = 0; ok && i < count; i++) {
        X509_EXTENSION *extension = make_extension(&context, &extensions[i]);
        ok = extension != NULL && sk_X509_EXTENSION_push(list, extension) > 0;
        if (!ok) X509_EXTENSION_free(extension);
    }
    ok = ok && X509_REQ_add_extensions(request, list) == 1 &&
         X509_REQ_sign(request, key, EVP_sha256()) > 0;
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    if (ok) return request;
    X509_REQ_free(request);
    return NULL;
}

X509_REQ *ambit_request_read_pem(const uint8_t *pem, size_t length) {
    BIO *bio = text_reader(pem, length);
    if (bio == NULL) return NULL;
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return request;
}
void ambit_request_free(X509_REQ *request) { X509_REQ_free(request); }

size_t ambit_request_write_pem(X509_REQ *request, uint8_t *pem, size_t room) {
    ERR_clear_error();
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    int ok = PEM_write_bio_X509_REQ(bio, request) == 1;
    return take_written(bio, ok, pem, room);
}

EVP_PKEY *ambit_request_proven_key(X509_REQ *request) {
    ERR_clear_error();
    EVP_PKEY *key = X509_REQ_get_pubkey(request);
    if (key != NULL && ambit_key_is_acceptable(key) && X509_REQ_verify(request, key) == 1)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

// The subjectAltName a request asks for; *count_or_error is -1 when malformed or there twice.
static GENERAL_NAMES *requested_names(X509_REQ *request, long *count_or_error) {
    STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(request);
    int critical = 0;
    GENERAL_NAMES *names = X509V3_get_d2i(list, NID_subject_alt_name, &critical, NULL);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    ERR_clear_error();
    *count_or_error = names != NULL ? (long)uri_total(names) : (critical == -1 ? 0 : -1);
    return names;
}

long ambit_request_uri_count(X509_REQ *request) {
    long count = 0;
    GENERAL_NAMES *names = requested_names(request, &count);
    // Names of other types are nothing a workload may ask for.
    if (names != NULL && count != sk_GENERAL_NAME_num(names)) count = -1;
    GENERAL_NAMES_free(names);
    return count;
}
size_t ambit_request_uri(X509_REQ *request, size_t index, uint8_t *bytes, size_t room) {
    long count = 0;
    GENERAL_NAMES *names = requested_names(request, &count);
    size_t length = names != NULL ? uri_at(names, index, bytes, room) : 0;
    GENERAL_NAMES_free(names);
    return length;
}
