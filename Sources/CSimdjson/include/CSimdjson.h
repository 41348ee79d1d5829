// SPDX-License-Identifier: Apache-2.0
// The first stage of simdjson for C and Swift, which finds the tokens of a JSON text, and a check of its escapes.
// Source: simdjson 3.0, doc/implementation-selection.md and simdjson.h; RFC 8259 section 7.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Memory for the tokens of one text after the other.
typedef struct ccr_json_indexer ccr_json_indexer;

/// Null when there is no memory.
ccr_json_indexer *ccr_json_indexer_create(void);
void ccr_json_indexer_destroy(ccr_json_indexer *indexer);

/// Finds the tokens of a text: the byte offset of every bracket, colon and comma outside strings, of the opening quote
/// of every string and of the first byte of everything else that is no white space. Two more entries behind them hold
/// `size`. UTF-8, control characters in strings and the last closing quote are checked, grammar is not.
/// Returns 0 or a simdjson error_code. `structurals` is valid until the next call. `size` is less than 4 GiB.
int ccr_json_index(
    ccr_json_indexer *indexer, const void *text, size_t size, const uint32_t **structurals, size_t *count);

/// Gives the memory back; the indexer stays usable.
void ccr_json_indexer_release(ccr_json_indexer *indexer);

/// The codes that the caller tells apart, else ccr_json_malformed.
typedef enum {
    ccr_json_malformed,
    ccr_json_empty,
    ccr_json_out_of_memory,
    ccr_json_bad_utf8,
    ccr_json_bad_string,
} ccr_json_fault;

/// Sorts a simdjson error_code.
ccr_json_fault ccr_json_classify(int code);

/// What the escapes of a text are like, and what its strings are without them.
typedef struct {
    /// There is at least one.
    bool any;
    /// Some stand for printable ASCII by its number.
    bool printable;
    /// Some stand for half a surrogate pair, which is no character.
    bool half_pairs;
    /// How many bytes of UTF-8 the strings are shorter than they are written.
    size_t excess;
    /// How many bytes of the decoded strings belong to characters beyond ASCII.
    size_t foreign;
} ccr_json_escapes;

/// Whether every backslash of the text begins an escape of JSON. `found` is written when it does.
bool ccr_json_check_escapes(const void *text, size_t size, ccr_json_escapes *found);

#ifdef __cplusplus
}
#endif
