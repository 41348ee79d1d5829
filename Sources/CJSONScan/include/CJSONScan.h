// SPDX-License-Identifier: Apache-2.0
// Where the tokens of a JSON text begin, whether its escapes are right, and how long its strings are without them. Grammar
// and UTF-8 are not looked at.
// Source: RFC 8259 section 7.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Why a text is none.
typedef enum {
    ccr_json_fine,
    /// A string is not closed, holds a control character or a wrong escape, or a backslash stands outside of strings.
    ccr_json_bad_string,
    ccr_json_out_of_memory,
} ccr_json_scan_fault;

/// One text, which may come piece by piece. All zero at the start.
typedef struct {
    /// The byte offset of every bracket, colon and comma outside of strings, of the opening quote of every string and of the
    /// first byte of everything else that is no white space. Behind the last one stands the size of the text.
    uint32_t *offsets;
    size_t count;
    size_t capacity;
    /// How many bytes have been looked at; whole blocks of 64 until the end.
    size_t position;
    ccr_json_scan_fault fault;
    /// There is at least one escape.
    bool any;
    /// Some stand for printable ASCII by its number.
    bool printable;
    /// Some stand for half a surrogate pair, which is no character.
    bool half_pairs;
    /// There are bytes beyond ASCII.
    bool is_foreign;
    /// How many bytes of UTF-8 the strings are shorter than they are written.
    size_t excess;
    /// How many bytes of the decoded strings belong to characters beyond ASCII.
    size_t foreign;
    /// The last byte escapes the next one.
    uint64_t escapes_next;
    /// All ones when the next byte is inside of a string.
    uint64_t in_string;
    /// The last byte belongs to something that is neither a mark nor white space nor a string.
    uint64_t after_plain;
} ccr_json_scan;

/// Looks at what has come of a text, as far as that is possible without the rest. `text` may be in another place each time.
void ccr_json_scan_blocks(ccr_json_scan *scan, const void *text, size_t size);

/// Looks at the rest of a text, of which `size` bytes are all; less than 4 GiB.
void ccr_json_scan_end(ccr_json_scan *scan, const void *text, size_t size);

/// Begins with another text, in the same memory.
void ccr_json_scan_restart(ccr_json_scan *scan);

/// Gives the memory back and begins with another text.
void ccr_json_scan_release(ccr_json_scan *scan);

/// What the first two do, of a part of the text; for them alone.
void ccr_json_scan_range(ccr_json_scan *scan, const uint8_t *text, size_t size, size_t limit);
