// HPACK as libnghttp2 publishes it (nghttp2_hd_*); nothing else of the library is used.
#ifndef AMBIT_CNGHTTP2_H
#define AMBIT_CNGHTTP2_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdint.h>

// 1.60 renamed the calls that return ssize_t; the old names may go away. Debian bookworm has 1.52,
// trixie 1.64, and one source must build on both.
#define AMBIT_NGHTTP2_1_60 0x013c00

// Decodes one step of a header block. Returns the bytes consumed, or a negative nghttp2 error.
static inline int64_t ambit_hd_inflate(nghttp2_hd_inflater *inflater, nghttp2_nv *field,
                                       int *flags, const uint8_t *input, size_t length) {
#if NGHTTP2_VERSION_NUM >= AMBIT_NGHTTP2_1_60
  return (int64_t)nghttp2_hd_inflate_hd3(inflater, field, flags, input, length, 1);
#else
  return (int64_t)nghttp2_hd_inflate_hd2(inflater, field, flags, input, length, 1);
#endif
}

// Encodes a whole header block. Returns the bytes written, or a negative nghttp2 error.
static inline int64_t ambit_hd_deflate(nghttp2_hd_deflater *deflater, uint8_t *output,
                                       size_t capacity, const nghttp2_nv *fields, size_t count) {
#if NGHTTP2_VERSION_NUM >= AMBIT_NGHTTP2_1_60
  return (int64_t)nghttp2_hd_deflate_hd2(deflater, output, capacity, fields, count);
#else
  return (int64_t)nghttp2_hd_deflate_hd(deflater, output, capacity, fields, count);
#endif
}

#endif
