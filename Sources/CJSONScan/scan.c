// SPDX-License-Identifier: Apache-2.0
// The tokens and the escapes of a JSON text in one pass, 64 bytes at a time, as they arrive. Nearly all of a conversation
// is the inside of long strings, where nothing is looked for but their end, escapes and control characters.
// Source: RFC 8259; Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1; Clang's vectors of bool.

#include "CJSONScan.h"

#include <stdlib.h>
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
    const uint8_t *text, const uint8_t *place, const uint8_t *end, ccr_json_scan *found) {
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
    uint64_t units, const uint8_t *block, const uint8_t *text, size_t start, const uint8_t *end, ccr_json_scan *found) {
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

/// One bit for every byte in which an odd number of the bits up to its own is set.
static inline uint64_t prefix_xor(uint64_t bits) {
    for (int shift = 1; shift < width; shift *= 2) {
        bits ^= bits << shift;
    }
    return bits;
}

/// Room for the tokens of a block and for the end behind them.
static bool reserve(ccr_json_scan *self) {
    if (self->capacity - self->count > width) {
        return true;
    }
    size_t capacity = self->capacity * 2 + 16 * width;
    uint32_t *offsets = realloc(self->offsets, capacity * sizeof *offsets);
    if (!offsets) {
        return false;
    }
    self->offsets = offsets;
    self->capacity = capacity;
    return true;
}

/// Notes where the tokens of a block begin, of which at least one byte is not inside of a string.
static ALWAYS_INLINE void take_tokens(ccr_json_scan *self, const uint8_t *block, uint64_t quotes, uint64_t inside) {
    block_bytes content = content_of(block);
    // Brackets and braces differ in one bit, like a letter's case.
    block_bytes folded = content | 0x20;
    uint64_t marks = BITS((folded == (block_bytes)'{') | (folded == (block_bytes)'}') | (content == (block_bytes)':')
                          | (content == (block_bytes)','));
    uint64_t spaces = BITS((content == (block_bytes)' ') | (content == (block_bytes)'\n') | (content == (block_bytes)'\r')
                           | (content == (block_bytes)'\t'));
    uint64_t others = ~(marks | spaces);
    uint64_t plain = others & ~quotes;
    uint64_t follows = plain << 1 | self->after_plain;
    self->after_plain = plain >> 63;
    uint64_t starts = (marks | (others & ~follows)) & ~(inside ^ quotes);
    size_t count = self->count;
    for (; starts; starts &= starts - 1) {
        self->offsets[count++] = (uint32_t)self->position + (uint32_t)__builtin_ctzll(starts);
    }
    self->count = count;
}

/// Looks at the text from `position` to `limit`; `size` bytes of it are there.
FOR_EVERY_PROCESSOR
void ccr_json_scan_range(ccr_json_scan *self, const uint8_t *text, size_t size, size_t limit) {
    const uint8_t *end = text + size;
    // In a copy, which the compiler may keep where it likes.
    ccr_json_scan scan = *self;
    for (; scan.position < limit && !scan.fault; scan.position += width) {
        const uint8_t *block = text + scan.position;
        uint8_t last[width];
        if (limit - scan.position < width) {
            memset(last, ' ', width);
            memcpy(last, block, limit - scan.position);
            block = last;
        }
        block_bytes content = content_of(block);
        uint64_t foreign = BITS((block_signed_bytes)content < 0);
        uint64_t backslashes = BITS(content == (block_bytes)'\\');
        uint64_t quotes = BITS(content == (block_bytes)'"');
        uint64_t controls = BITS(content < (block_bytes)0x20);
        scan.is_foreign |= foreign != 0;
        scan.foreign += (size_t)__builtin_popcountll(foreign);
        if (backslashes | scan.escapes_next) {
            uint64_t escaped = escaped_by(backslashes, &scan.escapes_next);
            scan.excess += (size_t)__builtin_popcountll(escaped);
            scan.any = true;
            // Nearly all of them are these three.
            uint64_t rare = escaped & ~(backslashes | quotes | BITS(content == (block_bytes)'n'));
            quotes &= ~escaped;
            if (rare) {
                uint64_t units = rare & BITS(content == (block_bytes)'u');
                if ((units && !check_units(units, block, text, scan.position, end, &scan))
                    || (rare & ~units && strangers(rare & ~units, block))) {
                    scan.fault = ccr_json_bad_string;
                }
            }
        }
        uint64_t inside = ~(uint64_t)0;
        if (quotes | ~scan.in_string) {
            if (!reserve(&scan)) {
                scan.fault = ccr_json_out_of_memory;
                break;
            }
            inside = prefix_xor(quotes) ^ scan.in_string;
            scan.in_string = inside >> 63 ? ~(uint64_t)0 : 0;
            take_tokens(&scan, block, quotes, inside);
        }
        if (controls & inside) {
            scan.fault = ccr_json_bad_string;
        }
    }
    *self = scan;
}

/// What a block's last escape may need to be seen of the text behind it: two `\uXXXX`.
enum { lookahead = 16 };

void ccr_json_scan_blocks(ccr_json_scan *self, const void *text, size_t size) {
    size_t limit = size < lookahead ? 0 : (size - lookahead) / width * width;
    if (limit > self->position) {
        ccr_json_scan_range(self, text, size, limit);
    }
}

void ccr_json_scan_end(ccr_json_scan *self, const void *text, size_t size) {
    ccr_json_scan_range(self, text, size, size);
    if (!self->fault && !reserve(self)) {
        self->fault = ccr_json_out_of_memory;
    }
    if (self->fault) {
        return;
    }
    self->offsets[self->count] = (uint32_t)size;
    if (self->escapes_next || self->in_string) {
        self->fault = ccr_json_bad_string;
    }
}

void ccr_json_scan_restart(ccr_json_scan *self) {
    *self = (ccr_json_scan){.offsets = self->offsets, .capacity = self->capacity};
}

void ccr_json_scan_release(ccr_json_scan *self) {
    free(self->offsets);
    *self = (ccr_json_scan){0};
}
