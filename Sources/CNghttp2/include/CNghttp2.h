#ifndef AMBIT_CNGHTTP2_H
#define AMBIT_CNGHTTP2_H
#endif
