// SPDX-License-Identifier: Apache-2.0
// The first stage of simdjson behind C functions. No exception leaves this file: simdjson is used with error codes only.
// Source: simdjson.h 3.0 (internal::dom_parser_implementation).

#include "CSimdjson.h"

#include <memory>
#include <new>

#include <simdjson.h>

using simdjson::internal::dom_parser_implementation;

struct ccr_json_indexer {
    std::unique_ptr<dom_parser_implementation> stage;
};

extern "C" {

ccr_json_indexer *ccr_json_indexer_create(void) {
    return new (std::nothrow) ccr_json_indexer();
}

void ccr_json_indexer_destroy(ccr_json_indexer *self) {
    delete self;
}

int ccr_json_index(ccr_json_indexer *self, const void *text, size_t size, const uint32_t **structurals, size_t *count) {
    if (!self->stage || self->stage->capacity() < size) {
        // Some room to grow, else every text that is a little larger than all before would allocate anew. The depth
        // belongs to the second stage, which is not used.
        self->stage.reset();
        auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
            size + size / 4 + 4096, 1, self->stage);
        if (error) {
            self->stage.reset();
            return error;
        }
    }
    auto error = self->stage->stage1(static_cast<const uint8_t *>(text), size, simdjson::stage1_mode::regular);
    *structurals = self->stage->structural_indexes.get();
    *count = self->stage->n_structural_indexes;
    return error;
}

void ccr_json_indexer_release(ccr_json_indexer *self) {
    self->stage.reset();
}

ccr_json_fault ccr_json_classify(int code) {
    switch (code) {
    case simdjson::EMPTY: return ccr_json_empty;
    case simdjson::MEMALLOC: return ccr_json_out_of_memory;
    case simdjson::UTF8_ERROR: return ccr_json_bad_utf8;
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING: return ccr_json_bad_string;
    default: return ccr_json_malformed;
    }
}
}
