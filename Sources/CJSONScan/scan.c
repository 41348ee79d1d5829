// SPDX-License-Identifier: Apache-2.0
// The tokens and the escapes of a JSON text in one pass, 64 bytes at a time, as they arrive. Nearly all of a conversation
// is the inside of long strings, where nothing is looked for but their end, escapes and control characters. That is done for
// many blocks without a branch that depends on the text, and what is rare is looked at behind them: where it stands,
// no processor can foresee.
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

enum {
    width = 64,
    /// Blocks that are looked at before what is rare in them; a bit each in 64.
    batch = 64,
    /// Tokens of a block that are noted without a branch in between, and `\uXXXX` of one, which are fewer.
    token_step = 8,
    unit_step = 3,
    /// `\uXXXX` that are looked at at once, of four digits each.
    lanes = width / 4,
};

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
    return digit_value(digits[0]) * 0x1000 | digit_value(digits[1]) * 0x100 | digit_value(digits[2]) * 0x10
        | digit_value(digits[3]);
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

/// Looks at every `\uXXXX` whose `u` is at one of `places`: 16 at a time, and what halves of pairs and ASCII by its number need
/// one by one.
static ALWAYS_INLINE bool check_units(
    const uint32_t *places, size_t count, const uint8_t *text, size_t size, ccr_json_scan *found) {
    // The first of four bits each.
    const uint64_t every = 0x1111111111111111;
    bool is_valid = true;
    for (; count > 0; count -= count < lanes ? count : lanes, places += lanes) {
        size_t used = count < lanes ? count : lanes;
        uint32_t written[lanes] = {0};
        for (size_t lane = 0; lane < used; lane++) {
            // What is cut off stays zero, which is no digit.
            if (size - places[lane] > sizeof *written) {
                memcpy(written + lane, text + places[lane] + 1, sizeof *written);
            }
        }
        block_bytes content = content_of(written);
        block_bytes letters = content | 0x20;
        uint64_t digits = BITS((content - (block_bytes)'0' < (block_bytes)10) | (letters - (block_bytes)'a' < (block_bytes)6));
        uint64_t zeros = BITS(content == (block_bytes)'0');
        uint64_t below_8 = BITS((content & (block_bytes)0xF8) == (block_bytes)'0');
        uint64_t surrogates = BITS(letters == (block_bytes)'d') & ~(below_8 >> 1) & every;
        uint64_t ascii = zeros & zeros >> 1 & below_8 >> 2 & every;
        uint64_t units = every >> 4 * (lanes - used);
        is_valid &= !(units & ~(digits & digits >> 1 & digits >> 2 & digits >> 3));
        uint64_t of_two = zeros & below_8 >> 1 & every & ~ascii;
        size_t twos = (size_t)__builtin_popcountll(of_two);
        size_t threes = used - twos - (size_t)__builtin_popcountll(surrogates | ascii);
        found->excess += 3 * twos + 2 * threes;
        found->foreign += 2 * twos + 3 * threes;
        for (uint64_t single = (surrogates | ascii) & units; single; single &= single - 1) {
            is_valid &= check_unit(text, text + places[__builtin_ctzll(single) / 4], text + size, found);
        }
    }
    return is_valid;
}

/// The bits of `rare` whose bytes are no letters of escapes, `u` left out.
static ALWAYS_INLINE uint64_t strangers(uint64_t rare, const uint8_t *block) {
    block_bytes content = content_of(block);
    return rare
        & ~BITS((content == (block_bytes)'r') | (content == (block_bytes)'/') | (content == (block_bytes)'b')
                | (content == (block_bytes)'f'));
}

/// One bit for every byte in which an odd number of the bits up to its own is set.
static inline uint64_t prefix_xor(uint64_t bits) {
    for (int shift = 1; shift < width; shift *= 2) {
        bits ^= bits << shift;
    }
    return bits;
}

/// Room for the tokens of `blocks` blocks, for what `note` writes behind them and for the end.
static bool reserve(ccr_json_scan *self, size_t blocks) {
    if (self->capacity - self->count > blocks * width + token_step) {
        return true;
    }
    size_t capacity = self->capacity * 2 + 2 * batch * width;
    uint32_t *offsets = realloc(self->offsets, capacity * sizeof *offsets);
    if (!offsets) {
        return false;
    }
    self->offsets = offsets;
    self->capacity = capacity;
    return true;
}

/// Notes the places of the bits of a block in a text, `step` at a time; what is noted behind the last one, the next ones
/// overwrite.
static ALWAYS_INLINE void note(uint64_t bits, size_t position, uint32_t *places, int step) {
    for (; bits; places += step) {
        for (int place = 0; place < step; place++) {
            places[place] = (uint32_t)position + (bits ? (uint32_t)__builtin_ctzll(bits) : 0);
            bits &= bits - 1;
        }
    }
}

/// Notes where the tokens of the block at `position` begin, of which at least one byte is not inside of a string.
static ALWAYS_INLINE void take_tokens(
    ccr_json_scan *self, const uint8_t *block, size_t position, uint64_t quotes, uint64_t inside) {
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
    note(starts, position, self->offsets + self->count, token_step);
    self->count += (size_t)__builtin_popcountll(starts);
}

/// The control characters of a block, which stand outside of strings only: there some are white space, and the others begin no
/// value.
static ALWAYS_INLINE uint64_t controls(const uint8_t *block) { return BITS(content_of(block) < (block_bytes)0x20); }

/// Looks at the `count` blocks at `position`, at most `batch`.
static ALWAYS_INLINE void scan_blocks(
    ccr_json_scan *self, const uint8_t *blocks, size_t count, const uint8_t *text, size_t size) {
    uint64_t rare[batch], quotes[batch];
    // By place in a block, the least byte of all blocks.
    block_bytes least = (block_bytes)0xFF;
    uint64_t escapes_next = self->escapes_next;
    size_t foreign = 0, excess = 0;
    for (size_t number = 0; number < count; number++) {
        block_bytes content = content_of(blocks + number * width);
        uint64_t backslashes = BITS(content == (block_bytes)'\\');
        uint64_t escaped = escaped_by(backslashes, &escapes_next);
        uint64_t every_quote = BITS(content == (block_bytes)'"');
        quotes[number] = every_quote & ~escaped;
        // Nearly all that is escaped is one of these or of the two letters.
        rare[number] = escaped & ~(backslashes | every_quote)
            & BITS((content != (block_bytes)'n') & (content != (block_bytes)'t'));
        least = __builtin_elementwise_min(least, content);
        excess += (size_t)__builtin_popcountll(escaped);
        foreign += (size_t)__builtin_popcountll(BITS((block_signed_bytes)content < 0));
    }
    uint64_t with_rare = 0, with_quotes = 0;
    for (size_t number = 0; number < count; number++) {
        with_rare |= (uint64_t)(rare[number] != 0) << number;
        with_quotes |= (uint64_t)(quotes[number] != 0) << number;
    }
    bool is_valid = true;
    // A backslash and a letter each, in a text that is none.
    uint32_t places[batch * width / 2 + unit_step];
    size_t units_found = 0;
    for (; with_rare; with_rare &= with_rare - 1) {
        size_t number = (size_t)__builtin_ctzll(with_rare);
        const uint8_t *block = blocks + number * width;
        uint64_t units = rare[number] & BITS(content_of(block) == (block_bytes)'u');
        if (rare[number] != units) {
            is_valid &= !strangers(rare[number] & ~units, block);
        }
        note(units, self->position + number * width, places + units_found, unit_step);
        units_found += (size_t)__builtin_popcountll(units);
    }
    is_valid &= check_units(places, units_found, text, size, self);
    size_t controls_outside = 0;
    for (size_t number = 0; number < count; number++) {
        if (self->in_string) {
            // On to the next quote.
            uint64_t ahead = with_quotes >> number;
            if (!ahead) {
                break;
            }
            number += (size_t)__builtin_ctzll(ahead);
        }
        size_t offset = number * width;
        uint64_t inside = prefix_xor(quotes[number]) ^ self->in_string;
        self->in_string = inside >> 63 ? ~(uint64_t)0 : 0;
        take_tokens(self, blocks + offset, self->position + offset, quotes[number], inside);
        controls_outside += (size_t)__builtin_popcountll(controls(blocks + offset) & ~inside);
    }
    if (BITS(least < (block_bytes)0x20)) {
        size_t all = 0;
        for (size_t number = 0; number < count; number++) {
            all += (size_t)__builtin_popcountll(controls(blocks + number * width));
        }
        is_valid &= all == controls_outside;
    }
    self->escapes_next = escapes_next;
    self->is_foreign |= foreign != 0;
    self->any |= (excess | escapes_next) != 0;
    self->foreign += foreign;
    self->excess += excess;
    self->position += count * width;
    if (!is_valid) {
        self->fault = ccr_json_bad_string;
    }
}

/// Looks at the text from `position` to `limit`; `size` bytes of it are there.
FOR_EVERY_PROCESSOR
void ccr_json_scan_range(ccr_json_scan *self, const uint8_t *text, size_t size, size_t limit) {
    while (self->position < limit && !self->fault) {
        size_t left = limit - self->position;
        size_t count = left / width < batch ? left / width : batch;
        const uint8_t *blocks = text + self->position;
        uint8_t last[width];
        if (count == 0) {
            memset(last, ' ', width);
            memcpy(last, blocks, left);
            blocks = last;
            count = 1;
        }
        if (!reserve(self, count)) {
            self->fault = ccr_json_out_of_memory;
            break;
        }
        scan_blocks(self, blocks, count, text, size);
    }
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
    if (!self->fault && !reserve(self, 0)) {
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
