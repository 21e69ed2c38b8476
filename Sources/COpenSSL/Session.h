// Between Context.c and Session.c.
#ifndef AMBIT_SESSION_H
#define AMBIT_SESSION_H
#include <openssl/x509_vfy.h>

// The certificate verification of every context: the chain, then the session's judge.
int ambit_session_verify(X509_STORE_CTX *store, void *unused);
#endif
