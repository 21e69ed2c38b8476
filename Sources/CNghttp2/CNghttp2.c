// Header-only: see include/CNghttp2.h.
#include "CNghttp2.h"
