// SPDX-License-Identifier: Apache-2.0
// Runs llhttp over one complete request head and records where its parts are, so that Swift is not called back
// for every header. It decides nothing: what a head means is decided in Sources/HTTP1.
#ifndef CCR_LLHTTP_HEAD_H
#define CCR_LLHTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

// Offsets from the start of the head, lengths in bytes. Values keep the white space after them.
typedef struct {
    uint32_t name_offset, name_length;
    uint32_t value_offset, value_length;
} ccr_http_field;

typedef struct {
    uint32_t target_offset, target_length;
    // The number of fields llhttp saw, which may be above the capacity that was given.
    size_t field_count;
    // A method number of llhttp (HTTP_GET, ...).
    uint8_t method;
    // Flags of llhttp (F_TRANSFER_ENCODING, ...) at its end or at its error.
    uint16_t flags;
} ccr_http_head;

// Returns HPE_PAUSED when llhttp accepts the head, HPE_OK when the head is not complete, else llhttp's error.
int ccr_http_parse_head(const char *bytes, size_t length, ccr_http_field *fields, size_t capacity,
                        ccr_http_head *head);

#endif
