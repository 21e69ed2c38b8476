// Header-only: see include/COpenSSL.h.
#include "COpenSSL.h"
