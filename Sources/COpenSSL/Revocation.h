// Between Revocation.c and Session.c.
#ifndef AMBIT_REVOCATION_H
#define AMBIT_REVOCATION_H
#include <openssl/x509.h>

#include "COpenSSL.h"

// The first bytes of SHA-256 over an authority's public key and a serial number, or over the key
// alone; 1 or 0.
int ambit_revocation_key(X509 *issuer, const ASN1_INTEGER *serial, uint8_t *key);
#endif
