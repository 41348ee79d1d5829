// libcurl with typed functions in place of its variadic ones. No policy: each function is one call of the library.
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What libcurl reports. One table serves the process; `owner` is the pointer set on the handle.
struct ccr_curl_callbacks {
    /// One line of the response head, with its line end.
    void (*header)(void *owner, const char *bytes, size_t size);
    /// Body bytes: 0 taken, 1 not taken and the transfer pauses, 2 give the transfer up.
    int (*body)(void *owner, const char *bytes, size_t size);
    /// Fills `buffer` with the next bytes of the request body; 0 at its end.
    size_t (*read)(void *owner, char *buffer, size_t size);
    /// Moves to an offset of the request body; false when that is impossible.
    bool (*seek)(void *owner, int64_t offset);
    /// Multi handle: a socket's wanted events, CURL_POLL_*.
    void (*socket)(void *owner, int fd, int what);
    /// Multi handle: act after this many milliseconds; -1 cancels.
    void (*timer)(void *owner, long timeout_ms);
    /// Multi handle: libcurl has opened a socket for a connection. It may have had the same number as one that
    /// libcurl closed without a word, which it does while a connection is not made yet.
    void (*opening)(void *owner, int fd);
    /// Multi handle: libcurl is about to close this socket.
    void (*closing)(void *owner, int fd);
};

/// Must be called once before any other function.
void ccr_curl_install(const struct ccr_curl_callbacks *callbacks);

/// A handle for POST requests over HTTP, without signals, redirects or other protocols.
CURL *ccr_easy_init(void);
/// The owner of the handle's callbacks, and the owner told when its connection's socket opens and closes.
void ccr_easy_set_owner(CURL *easy, void *owner, void *multi_owner);
void *ccr_easy_owner(CURL *easy);
CURLcode ccr_easy_set_string(CURL *easy, CURLoption option, const char *value);
CURLcode ccr_easy_set_long(CURL *easy, CURLoption option, long value);
CURLcode ccr_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *list);
/// The body is these bytes, which must stay valid until the transfer ends; NULL reads it from the read callback.
CURLcode ccr_easy_set_body(CURL *easy, const void *bytes, int64_t size);
long ccr_easy_response_code(CURL *easy);
/// The socket of the handle's connection, which stays libcurl's; -1 when there is none.
int ccr_easy_socket(CURL *easy);
/// The status with which a proxy answered the transfer's last CONNECT; 0 when there was none.
long ccr_easy_proxy_answer(CURL *easy);
/// How many connections the transfer has made, beside the kept ones that it used.
long ccr_easy_new_connections(CURL *easy);
/// Bytes of the request body that have been sent so far.
int64_t ccr_easy_uploaded(CURL *easy);

CURLM *ccr_multi_init(void *owner, long idle_connections);
/// Closes connections that nobody has used for more than this many whole seconds, and those that the peer has closed.
/// libcurl does so only when a request looks for a connection, so this starts one that is refused a socket of its own;
/// at most once a second it has an effect. Other transfers may finish meanwhile.
void ccr_multi_close_unused(CURLM *multi, long seconds);
/// The next finished transfer, or NULL.
CURL *ccr_multi_next_done(CURLM *multi, CURLcode *result);
