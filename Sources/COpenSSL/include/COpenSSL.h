#ifndef AMBIT_COPENSSL_H
#define AMBIT_COPENSSL_H
#endif
