// SPDX-License-Identifier: Apache-2.0
// simdjson's check of UTF-8 behind a C function.
// Source: simdjson.h 3.0.

#include "CSimdjson.h"

#include <simdjson.h>

bool ccr_utf8_is_valid(const void *text, size_t size) {
    return simdjson::validate_utf8(static_cast<const char *>(text), size);
}
