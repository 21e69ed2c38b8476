// Between Context.c and Session.c.
#ifndef AMBIT_SESSION_H
#define AMBIT_SESSION_H
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

// The certificate verification of every context: the chain, then the session's judge.
int ambit_session_verify(X509_STORE_CTX *store, void *unused);
// Every context's key log: keeps the session's traffic secrets, which go nowhere else.
void ambit_session_keylog(const SSL *ssl, const char *line);
// Whether sessions of the context stay with libssl's record layer.
int ambit_context_keeps_records(SSL_CTX *context);
#endif
