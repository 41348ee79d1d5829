// SPDX-License-Identifier: Apache-2.0
// Records the spans of a request head; see head.h.
#include "head.h"
#include "llhttp.h"

typedef struct {
    const char *base;
    ccr_http_field *fields;
    size_t capacity;
    ccr_http_head *head;
} recorder;

// llhttp may report one span in several pieces; they follow each other without a gap.
static void extend(uint32_t *offset, uint32_t *length, const char *base, const char *at, size_t count) {
    if (*length == 0) *offset = (uint32_t)(at - base);
    *length += (uint32_t)count;
}

static int on_url(llhttp_t *parser, const char *at, size_t length) {
    recorder *r = parser->data;
    extend(&r->head->target_offset, &r->head->target_length, r->base, at, length);
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length) {
    recorder *r = parser->data;
    if (r->head->field_count < r->capacity) {
        ccr_http_field *field = &r->fields[r->head->field_count];
        extend(&field->name_offset, &field->name_length, r->base, at, length);
    }
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length) {
    recorder *r = parser->data;
    if (r->head->field_count < r->capacity) {
        ccr_http_field *field = &r->fields[r->head->field_count];
        extend(&field->value_offset, &field->value_length, r->base, at, length);
    }
    return 0;
}

static int on_header_value_complete(llhttp_t *parser) {
    recorder *r = parser->data;
    r->head->field_count += 1;
    if (r->head->field_count < r->capacity) r->fields[r->head->field_count] = (ccr_http_field){0};
    return 0;
}

// Stops before llhttp turns to the body.
static int on_headers_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

int ccr_http_parse_head(const char *bytes, size_t length, ccr_http_field *fields, size_t capacity,
                        ccr_http_head *head) {
    recorder r = {bytes, fields, capacity, head};
    *head = (ccr_http_head){0};
    if (capacity > 0) fields[0] = (ccr_http_field){0};
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &r;
    int result = llhttp_execute(&parser, bytes, length);
    head->method = parser.method;
    head->flags = parser.flags;
    return result;
}
