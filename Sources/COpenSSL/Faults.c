// Words and kinds for the codes of a failed session.
#include "COpenSSL.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

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
