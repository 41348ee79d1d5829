// SPDX-License-Identifier: Apache-2.0
// The escapes of a JSON text, 64 bytes at a time: source code in a conversation has one in every twenty bytes, so that
// a search from each to the next would take most of the time that a text is looked at.
// Source: RFC 8259 section 7; Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1.1 (runs of
// backslashes); Clang's vectors of bool.

#include "CSimdjson.h"

#include <string.h>

enum { width = 64 };

typedef uint8_t block_bytes __attribute__((ext_vector_type(width)));
typedef _Bool block_bits __attribute__((ext_vector_type(width)));

/// One bit for every byte that is a backslash.
static inline uint64_t backslashes_of(const uint8_t *block) {
    block_bytes bytes;
    memcpy(&bytes, block, width);
    block_bits bits = __builtin_convertvector(bytes == (block_bytes)'\\', block_bits);
    uint64_t mask;
    memcpy(&mask, &bits, sizeof mask);
    return mask;
}

/// One bit for every byte that a backslash escapes. `carry`: the last byte of the block before escapes the first one.
static inline uint64_t escaped_by(uint64_t backslashes, uint64_t *carry) {
    const uint64_t even = 0x5555555555555555;
    backslashes &= ~*carry;
    uint64_t follows = backslashes << 1 | *carry;
    uint64_t odd_starts = backslashes & ~even & ~follows;
    unsigned long long runs;
    *carry = __builtin_uaddll_overflow(odd_starts, backslashes, &runs);
    return (even ^ (uint64_t)runs << 1) & follows;
}

static inline bool is_escape(uint8_t byte) {
    switch (byte) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': case 'u': return true;
    default: return false;
    }
}

/// The code unit of four hexadecimal digits, or -1. `end` bounds what may be read.
static int32_t code_unit(const uint8_t *digits, const uint8_t *end) {
    if (end - digits < 4) {
        return -1;
    }
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t digit = digits[i], letter = digit | 0x20;
        if (digit >= '0' && digit <= '9') {
            unit = unit << 4 | (digit - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            unit = unit << 4 | (letter - 'a' + 10);
        } else {
            return -1;
        }
    }
    return unit;
}

static inline bool is_high(int32_t unit) { return (unit & 0xFC00) == 0xD800; }
static inline bool is_low(int32_t unit) { return (unit & 0xFC00) == 0xDC00; }

/// Looks at the `\uXXXX` whose `u` is at `place`.
static bool check_unit(const uint8_t *text, const uint8_t *place, const uint8_t *end, ccr_json_escapes *found) {
    int32_t unit = code_unit(place + 1, end);
    if (unit < 0) {
        return false;
    }
    found->printable |= unit >= 0x20 && unit < 0x7F;
    if (is_high(unit)) {
        bool is_followed = end - place > 6 && place[5] == '\\' && place[6] == 'u';
        found->half_pairs |= !is_followed || !is_low(code_unit(place + 7, end));
    } else if (is_low(unit)) {
        // `\u` and four digits in front of its backslash; an escaped backslash there makes it no pair.
        bool follows = place - text >= 7 && place[-7] == '\\' && place[-6] == 'u' && is_high(code_unit(place - 5, end));
        size_t run = 0;
        while (follows && place - 7 - run > text && place[-8 - (ptrdiff_t)run] == '\\') {
            run++;
        }
        found->half_pairs |= !follows || run % 2 == 1;
    }
    return true;
}

bool ccr_json_check_escapes(const void *bytes, size_t size, ccr_json_escapes *found) {
    const uint8_t *text = bytes, *end = text + size;
    uint64_t carry = 0;
    *found = (ccr_json_escapes){0};
    for (size_t start = 0; start < size; start += width) {
        const uint8_t *block = text + start;
        uint8_t last[width];
        if (size - start < width) {
            memset(last, 0, width);
            memcpy(last, block, size - start);
            block = last;
        }
        uint64_t backslashes = backslashes_of(block);
        if (!(backslashes | carry)) {
            continue;
        }
        found->any = true;
        uint64_t escaped = escaped_by(backslashes, &carry);
        bool is_valid = true;
        while (escaped) {
            int place = __builtin_ctzll(escaped);
            escaped &= escaped - 1;
            is_valid &= is_escape(block[place]);
            if (block[place] == 'u') {
                is_valid &= check_unit(text, text + start + place, end, found);
            }
        }
        if (!is_valid) {
            return false;
        }
    }
    return !carry;
}
