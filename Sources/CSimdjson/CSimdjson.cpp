// SPDX-License-Identifier: Apache-2.0
// simdjson's DOM parser behind C functions. No exception leaves this file: simdjson is used with error codes only.
// Source: simdjson.h 3.0 (dom::parser, internal::dom_parser_implementation).

#include "CSimdjson.h"

#include <cstring>
#include <memory>
#include <new>

#include <simdjson.h>

using simdjson::dom::parser;

struct ccr_json_parser {
    parser dom;
    std::unique_ptr<uint8_t[]> copy;
    size_t copy_capacity = 0;
    size_t maximum_bytes;
    size_t maximum_depth;

    ccr_json_parser(size_t bytes, size_t depth) : dom(bytes), maximum_bytes(bytes), maximum_depth(depth) {}
};

extern "C" {

const size_t ccr_json_padding = simdjson::SIMDJSON_PADDING;

ccr_json_parser *ccr_json_create(size_t maximum_bytes, size_t maximum_depth) {
    return new (std::nothrow) ccr_json_parser(maximum_bytes, maximum_depth);
}

void ccr_json_destroy(ccr_json_parser *self) {
    delete self;
}

int ccr_json_parse(ccr_json_parser *self, const void *bytes, size_t size, bool padded, ccr_json_document *document) {
    if (size > self->maximum_bytes) {
        return simdjson::CAPACITY;
    }
    // Left to itself simdjson would grow to the exact size every time, and allow a depth of 1024.
    if (self->dom.capacity() < size || !self->dom.implementation) {
        size_t capacity = size + size / 4 + 4096;
        auto error = self->dom.allocate(capacity, self->maximum_depth);
        if (!error) {
            error = self->dom.doc.allocate(capacity);
        }
        if (error) {
            self->dom = parser(self->maximum_bytes);
            return error;
        }
    }
    auto source = static_cast<const uint8_t *>(bytes);
    if (!padded) {
        if (self->copy_capacity < size + ccr_json_padding) {
            size_t capacity = size + size / 4 + 4096 + ccr_json_padding;
            self->copy.reset(new (std::nothrow) uint8_t[capacity]);
            self->copy_capacity = self->copy ? capacity : 0;
            if (!self->copy) {
                return simdjson::MEMALLOC;
            }
        }
        if (size > 0) {
            std::memcpy(self->copy.get(), bytes, size);
        }
        std::memset(self->copy.get() + size, 0, ccr_json_padding);
        source = self->copy.get();
    }
    auto error = self->dom.parse(source, size, false).error();
    if (error) {
        return error;
    }
    document->tape = self->dom.doc.tape.get();
    document->strings = self->dom.doc.string_buf.get();
    document->structurals = self->dom.implementation->structural_indexes.get();
    document->structural_count = self->dom.implementation->n_structural_indexes;
    document->source = source;
    return simdjson::SUCCESS;
}

void ccr_json_release(ccr_json_parser *self) {
    self->dom = parser(self->maximum_bytes);
    self->copy.reset();
    self->copy_capacity = 0;
}

ccr_json_fault ccr_json_classify(int code) {
    switch (code) {
    case simdjson::EMPTY: return ccr_json_empty;
    case simdjson::CAPACITY: return ccr_json_too_large;
    case simdjson::MEMALLOC: return ccr_json_out_of_memory;
    case simdjson::DEPTH_ERROR: return ccr_json_too_deep;
    case simdjson::UTF8_ERROR: return ccr_json_bad_utf8;
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING: return ccr_json_bad_string;
    case simdjson::NUMBER_ERROR:
    case simdjson::NUMBER_OUT_OF_RANGE: return ccr_json_bad_number;
    default: return ccr_json_malformed;
    }
}
}
