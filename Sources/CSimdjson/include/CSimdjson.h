// SPDX-License-Identifier: Apache-2.0
// simdjson's DOM tape for C and Swift: one call parses, everything else is read in place.
// Source: simdjson 3.0, doc/tape.md and doc/dom.md; simdjson.h (dom::parser, dom::document).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A reusable parser with its buffers.
typedef struct ccr_json_parser ccr_json_parser;

/// What the last successful parse left behind; valid until the next parse or release.
typedef struct {
    /// Words of the tape; word 0 is the root.
    const uint64_t *tape;
    /// Decoded strings: a 32-bit length, the bytes, a zero byte.
    const uint8_t *strings;
    /// Byte offsets of every bracket, colon, comma, opening quote and first byte of another scalar.
    const uint32_t *structurals;
    size_t structural_count;
    /// The text that was parsed: the caller's bytes, or the parser's copy of them.
    const uint8_t *source;
} ccr_json_document;

/// Bytes that must be readable behind a text that is parsed without copying.
extern const size_t ccr_json_padding;

/// Null when there is no memory. `maximum_bytes` bounds a document, `maximum_depth` its nesting.
ccr_json_parser *ccr_json_create(size_t maximum_bytes, size_t maximum_depth);
void ccr_json_destroy(ccr_json_parser *parser);

/// Parses one document. `padded`: ccr_json_padding bytes behind the text are readable; otherwise it is copied.
/// Returns 0 and fills `document`, or a simdjson error_code.
int ccr_json_parse(ccr_json_parser *parser, const void *bytes, size_t size, bool padded, ccr_json_document *document);

/// Gives all buffers back; the parser stays usable.
void ccr_json_release(ccr_json_parser *parser);

/// The codes that the caller tells apart, else ccr_json_malformed.
typedef enum {
    ccr_json_malformed,
    ccr_json_empty,
    ccr_json_too_large,
    ccr_json_out_of_memory,
    ccr_json_too_deep,
    ccr_json_bad_utf8,
    ccr_json_bad_string,
    ccr_json_bad_number,
} ccr_json_fault;

/// Sorts a simdjson error_code.
ccr_json_fault ccr_json_classify(int code);

#ifdef __cplusplus
}
#endif
