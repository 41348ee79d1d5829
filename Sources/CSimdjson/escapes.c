// SPDX-License-Identifier: Apache-2.0
// The escapes of a JSON text, and how long its strings are without them, 64 bytes at a time: source code in a conversation
// has one in every twenty bytes, so that a search from each to the next would take most of the time that a text is looked
// at.
// Source: RFC 8259 section 7; Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1.1 (runs of
// backslashes); Clang's vectors of bool.

#include "CSimdjson.h"

#include <string.h>

// The processor's widest vectors, chosen when the program starts; Debian compiles for the first 64-bit ones.
#if defined(__x86_64__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

// So that a function is compiled for the processor of its caller.
#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { width = 64 };

typedef uint8_t block_bytes __attribute__((ext_vector_type(width)));
/// The same where nothing is aligned, or of another type.
typedef block_bytes block_bytes_anywhere __attribute__((aligned(1), may_alias));
typedef int8_t block_signed_bytes __attribute__((ext_vector_type(width)));
typedef _Bool block_bits __attribute__((ext_vector_type(width)));

/// One bit for every byte of which a comparison is true.
#define BITS(comparison) bits_of(__builtin_convertvector(comparison, block_bits))

static ALWAYS_INLINE uint64_t bits_of(block_bits bits) {
    uint64_t mask;
    memcpy(&mask, &bits, sizeof mask);
    return mask;
}

/// The 64 bytes that begin at `block`.
#define content_of(block) (*(const block_bytes_anywhere *)(block))

/// One bit for every byte that a backslash escapes. `carry`: the last byte of the block before escapes the first one.
static inline uint64_t escaped_by(uint64_t backslashes, uint64_t *carry) {
    if (!(backslashes & (backslashes << 1 | *carry))) {
        // No backslash stands behind another one, as nearly always, and no block waits for the one before.
        uint64_t escaped = backslashes << 1 | *carry;
        *carry = backslashes >> 63;
        return escaped;
    }
    const uint64_t even = 0x5555555555555555;
    backslashes &= ~*carry;
    uint64_t follows = backslashes << 1 | *carry;
    uint64_t odd_starts = backslashes & ~even & ~follows;
    unsigned long long runs;
    *carry = __builtin_uaddll_overflow(odd_starts, backslashes, &runs);
    return (even ^ (uint64_t)runs << 1) & follows;
}

/// The value of a hexadecimal digit, or -1.
static inline int32_t digit_value(uint8_t digit) {
    uint8_t letter = digit | 0x20;
    return digit >= '0' && digit <= '9' ? digit - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// The code unit of four hexadecimal digits, or a negative number. `end` bounds what may be read.
static inline int32_t code_unit(const uint8_t *digits, const uint8_t *end) {
    if (end - digits < 4) {
        return -1;
    }
    // The sign of one that is none stays.
    return digit_value(digits[0]) << 12 | digit_value(digits[1]) << 8 | digit_value(digits[2]) << 4 | digit_value(digits[3]);
}

static inline bool is_surrogate(int32_t unit) { return (unit & 0xF800) == 0xD800; }
static inline bool is_high(int32_t unit) { return (unit & 0xFC00) == 0xD800; }
static inline bool is_low(int32_t unit) { return (unit & 0xFC00) == 0xDC00; }

/// Whether the surrogate whose `u` is at `place` has its other half.
static bool is_paired(int32_t unit, const uint8_t *text, const uint8_t *place, const uint8_t *end) {
    if (is_high(unit)) {
        return end - place > 6 && place[5] == '\\' && place[6] == 'u' && is_low(code_unit(place + 7, end));
    }
    // `\u` and four digits in front of its backslash; an escaped backslash there makes it no pair.
    bool follows = place - text >= 7 && place[-7] == '\\' && place[-6] == 'u' && is_high(code_unit(place - 5, end));
    size_t run = 0;
    while (follows && place - 7 - run > text && place[-8 - (ptrdiff_t)run] == '\\') {
        run++;
    }
    return follows && run % 2 == 0;
}

/// Looks at the `\uXXXX` whose `u` is at `place`.
static inline bool check_unit(
    const uint8_t *text, const uint8_t *place, const uint8_t *end, ccr_json_escapes *found) {
    int32_t unit = code_unit(place + 1, end);
    if (unit < 0) {
        return false;
    }
    size_t length = unit < 0x80 ? 1 : unit < 0x800 || is_surrogate(unit) ? 2 : 3;
    // Of six bytes; one of them counts as every backslash does.
    found->excess += 5 - length;
    found->foreign += length > 1 ? length : 0;
    found->printable |= unit >= 0x20 && unit < 0x7F;
    if (is_surrogate(unit)) {
        found->half_pairs |= !is_paired(unit, text, place, end);
    }
    return true;
}

/// Looks at the `\uXXXX` of a block whose `u` are the bits of `units`. What stands across its end, and what halves of pairs
/// and ASCII by its number need, is looked at one by one.
static ALWAYS_INLINE bool check_units(
    uint64_t units, const uint8_t *block, const uint8_t *text, size_t start, const uint8_t *end, ccr_json_escapes *found) {
    block_bytes content = content_of(block);
    block_bytes letters = content | 0x20;
    uint64_t digits = BITS((content - (block_bytes)'0' < (block_bytes)10) | (letters - (block_bytes)'a' < (block_bytes)6));
    uint64_t zeros = BITS(content == (block_bytes)'0');
    uint64_t below_8 = BITS((content & (block_bytes)0xF8) == (block_bytes)'0');
    uint64_t surrogates = BITS(letters == (block_bytes)'d') >> 1 & ~(below_8 >> 2);
    uint64_t ascii = zeros >> 1 & zeros >> 2 & below_8 >> 3;
    uint64_t within = units & UINT64_MAX >> 4;
    bool is_valid = !(within & ~(digits >> 1 & digits >> 2 & digits >> 3 & digits >> 4));
    uint64_t single = units & ~(within & ~(surrogates | ascii));
    uint64_t of_two = units & ~single & zeros >> 1 & below_8 >> 2;
    size_t twos = (size_t)__builtin_popcountll(of_two);
    size_t threes = (size_t)__builtin_popcountll(units & ~single & ~of_two);
    found->excess += 3 * twos + 2 * threes;
    found->foreign += 2 * twos + 3 * threes;
    while (single) {
        is_valid &= check_unit(text, text + start + __builtin_ctzll(single), end, found);
        single &= single - 1;
    }
    return is_valid;
}

/// The bits of `escaped` whose bytes are no letters of escapes, `u` left out.
static ALWAYS_INLINE uint64_t strangers(uint64_t escaped, const uint8_t *block) {
    block_bytes content = content_of(block);
    return escaped
        & ~BITS((content == (block_bytes)'t') | (content == (block_bytes)'r') | (content == (block_bytes)'/')
                | (content == (block_bytes)'b') | (content == (block_bytes)'f'));
}

FOR_EVERY_PROCESSOR
bool ccr_json_check_escapes(const void *bytes, size_t size, ccr_json_escapes *result) {
    const uint8_t *text = bytes, *end = text + size;
    uint64_t carry = 0;
    ccr_json_escapes found = {0};
    for (size_t start = 0; start < size; start += width) {
        const uint8_t *block = text + start;
        uint8_t last[width];
        if (size - start < width) {
            memset(last, 0, width);
            memcpy(last, block, size - start);
            block = last;
        }
        block_bytes content = content_of(block);
        found.foreign += (size_t)__builtin_popcountll(BITS((block_signed_bytes)content < 0));
        uint64_t backslashes = BITS(content == (block_bytes)'\\');
        if (!(backslashes | carry)) {
            continue;
        }
        uint64_t escaped = escaped_by(backslashes, &carry);
        found.excess += (size_t)__builtin_popcountll(escaped);
        found.any = true;
        // Nearly all of them are these three.
        escaped &= ~(backslashes | BITS((content == (block_bytes)'n') | (content == (block_bytes)'"')));
        if (!escaped) {
            continue;
        }
        uint64_t units = escaped & BITS(content == (block_bytes)'u');
        if (units && !check_units(units, block, text, start, end, &found)) {
            return false;
        }
        if (escaped & ~units && strangers(escaped & ~units, block)) {
            return false;
        }
    }
    *result = found;
    return !carry;
}
