// SPDX-License-Identifier: Apache-2.0
// simdjson's check of UTF-8 for C and Swift.
// Source: simdjson 3.0, doc/implementation-selection.md and simdjson.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Whether a text is UTF-8 (RFC 3629).
bool ccr_utf8_is_valid(const void *text, size_t size);

#ifdef __cplusplus
}
#endif
