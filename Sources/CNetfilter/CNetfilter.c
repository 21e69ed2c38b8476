// Header-only: see include/CNetfilter.h.
#include "CNetfilter.h"
