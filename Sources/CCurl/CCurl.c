// See CCurl.h.
#include "CCurl.h"

#include <sys/socket.h>
#include <unistd.h>

static struct ccr_curl_callbacks callbacks;

void ccr_curl_install(const struct ccr_curl_callbacks *table) { callbacks = *table; }

static size_t on_header(char *bytes, size_t size, size_t count, void *owner) {
    callbacks.header(owner, bytes, size * count);
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *owner) {
    switch (callbacks.body(owner, bytes, size * count)) {
    case 0: return size * count;
    case 1: return CURL_WRITEFUNC_PAUSE;
    default: return CURL_WRITEFUNC_ERROR;
    }
}

static size_t on_read(char *buffer, size_t size, size_t count, void *owner) {
    return callbacks.read(owner, buffer, size * count);
}

static int on_seek(void *owner, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    return callbacks.seek(owner, offset) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static curl_socket_t on_open(void *owner, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    callbacks.opening(owner, fd);
    return fd;
}

static int on_close(void *owner, curl_socket_t fd) {
    callbacks.closing(owner, fd);
    return close(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *socket_owner) {
    (void)easy;
    (void)socket_owner;
    callbacks.socket(owner, fd, what);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *owner) {
    (void)multi;
    callbacks.timer(owner, timeout_ms);
    return 0;
}

CURL *ccr_easy_init(void) {
    CURL *easy = curl_easy_init();
    if (!easy) return NULL;
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    return easy;
}

void ccr_easy_set_owner(CURL *easy, void *owner, void *multi_owner) {
    curl_easy_setopt(easy, CURLOPT_PRIVATE, owner);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, owner);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, owner);
    curl_easy_setopt(easy, CURLOPT_READDATA, owner);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, owner);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, multi_owner);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, multi_owner);
}

void *ccr_easy_owner(CURL *easy) {
    char *owner = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    return owner;
}

CURLcode ccr_easy_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

CURLcode ccr_easy_set_long(CURL *easy, CURLoption option, long value) { return curl_easy_setopt(easy, option, value); }

CURLcode ccr_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
    return curl_easy_setopt(easy, option, list);
}

CURLcode ccr_easy_set_body(CURL *easy, const void *bytes, int64_t size) {
    CURLcode result = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    // Without POSTFIELDS the body of a POST comes from the read callback.
    return result == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bytes) : result;
}

long ccr_easy_response_code(CURL *easy) {
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

int ccr_easy_socket(CURL *easy) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    return fd;
}

long ccr_easy_proxy_answer(CURL *easy) {
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &code);
    return code;
}

long ccr_easy_new_connections(CURL *easy) {
    long count = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &count);
    return count;
}

int64_t ccr_easy_uploaded(CURL *easy) {
    curl_off_t bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &bytes);
    return bytes;
}

CURLM *ccr_multi_init(void *owner, long idle_connections) {
    CURLM *multi = curl_multi_init();
    if (!multi) return NULL;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, owner);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, owner);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, idle_connections);
    // Not CURLPIPE_MULTIPLEX: one paused stream would keep all others of its connection waiting (libcurl 7.88).
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return multi;
}

static curl_socket_t refuse_to_open(void *owner, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)owner;
    (void)purpose;
    (void)address;
    return CURL_SOCKET_BAD;
}

void ccr_multi_close_unused(CURLM *multi, long seconds) {
    CURL *easy = curl_easy_init();
    if (!easy) return;
    curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1/");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, refuse_to_open);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, seconds);
    if (curl_multi_add_handle(multi, easy) == CURLM_OK) {
        int running = 0;
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        curl_multi_remove_handle(multi, easy);
    }
    curl_easy_cleanup(easy);
}

CURL *ccr_multi_next_done(CURLM *multi, CURLcode *result) {
    int remaining = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &remaining))) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}
