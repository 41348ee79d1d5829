// SPDX-License-Identifier: Apache-2.0
// handoff.c - the floor for ccr's shape: a front process that reads a request and hands it over together with its
// connection, and a worker process that asks the upstream by libcurl and answers the client itself. It does what that
// shape cannot do without, and nothing else: no JSON, no routing, no metering, no log, no limits, no error but the end.
//
//   handoff LISTEN UPSTREAM   ports on 127.0.0.1; requests of at most 60 KiB with Content-Length
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LIMIT = 60 << 10, EVENTS = 256 };

static void check(int good, const char *what) {
    if (good) return;
    perror(what);
    exit(1);
}

static void watch(int ep, int fd, unsigned events, void *of) {
    struct epoll_event e = {.events = events, .data.ptr = of};
    if (epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e)) check(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
}

// Front: one buffer a connection, one message a request, one message back when it is answered.

typedef struct {
    int fd, busy;
    size_t used;
    char bytes[LIMIT];
} Connection;

static void hand_over(int channel, Connection *c) {
    struct iovec parts[] = {{&c, sizeof c}, {c->bytes, c->used}};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &c->fd, sizeof(int));
    check(sendmsg(channel, &m, MSG_NOSIGNAL) > 0, "sendmsg");
    c->busy = 1;
}

static void read_request(int channel, Connection *c) {
    ssize_t n = recv(c->fd, c->bytes + c->used, LIMIT - c->used, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        close(c->fd);
        free(c);
        return;
    }
    c->used += n;
    char *end = memmem(c->bytes, c->used, "\r\n\r\n", 4);
    if (!end) return;
    size_t body = 0;
    for (char *line = c->bytes; line < end; line = (char *)memchr(line, '\n', end + 2 - line) + 1)
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, 0, 10);
    check(end + 4 - c->bytes + body <= LIMIT, "request too large");
    if (c->used >= end + 4 - c->bytes + body) hand_over(channel, c);
}

static void front(int port, int channel) {
    int ep = epoll_create1(0), one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(!bind(listener, (void *)&at, sizeof at) && !listen(listener, 4096), "listen");
    watch(ep, listener, EPOLLIN, &listener);
    watch(ep, channel, EPOLLIN, &channel);
    for (struct epoll_event ev[EVENTS];;) {
        int n = epoll_wait(ep, ev, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ev[i].data.ptr == &listener) {
                Connection *c = calloc(1, sizeof *c);
                c->fd = accept(listener, 0, 0);
                check(c->fd >= 0, "accept");
                setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                watch(ep, c->fd, EPOLLIN | EPOLLET, c);
            } else if (ev[i].data.ptr == &channel) {
                Connection *done;
                ssize_t got;
                while ((got = recv(channel, &done, sizeof done, MSG_DONTWAIT)) > 0) {
                    done->busy = 0;
                    done->used = 0;
                    read_request(channel, done);
                }
                if (got == 0) return;
            } else if (!((Connection *)ev[i].data.ptr)->busy) {
                read_request(channel, ev[i].data.ptr);
            }
        }
    }
}

// Worker: libcurl's multi interface on epoll, with handles that are used again.

typedef struct Exchange {
    struct Exchange *next;
    CURL *easy;
    struct curl_slist *headers;
    void *tag;
    int client;
    size_t head, body;
    char request[LIMIT], answer_head[4096], answer[LIMIT];
} Exchange;

static int worker_ep, timer_due;
static CURLM *multi;

static size_t got_header(char *p, size_t one, size_t n, void *of) {
    Exchange *x = of;
    if (n > 2 && strncasecmp(p, "content-length:", 15) && strncasecmp(p, "connection:", 11)) {
        check(x->head + n < sizeof x->answer_head, "answer head");
        memcpy(x->answer_head + x->head, p, n);
        x->head += n;
    }
    return one * n;
}

static size_t got_body(char *p, size_t one, size_t n, void *of) {
    Exchange *x = of;
    check(x->body + n < sizeof x->answer, "answer");
    memcpy(x->answer + x->body, p, n);
    x->body += n;
    return one * n;
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *of, void *known) {
    (void)easy, (void)of;
    // What libcurl lets go of stays registered: the same connection is used again.
    if (what == CURL_POLL_REMOVE || known == (void *)(long)what) return 0;
    unsigned events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    watch(worker_ep, fd, events, (void *)(long)fd);
    curl_multi_assign(multi, fd, (void *)(long)what);
    return 0;
}

static int timer_changed(CURLM *m, long msec, void *of) {
    (void)m, (void)of;
    if (msec == 0) timer_due = 1;
    return 0;
}

static Exchange *new_exchange(const char *url) {
    Exchange *x = malloc(sizeof *x);
    x->easy = curl_easy_init();
    curl_easy_setopt(x->easy, CURLOPT_URL, url);
    curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, got_header);
    curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, got_body);
    curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
    x->headers = curl_slist_append(0, "content-type: application/json");
    x->headers = curl_slist_append(x->headers, "authorization: Bearer sk-mock");
    x->headers = curl_slist_append(x->headers, "accept: */*");
    x->headers = curl_slist_append(x->headers, "expect:");
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    return x;
}

static void begin(int channel, const char *url, Exchange **idle) {
    for (;;) {
        Exchange *x = *idle ? *idle : new_exchange(url);
        if (x == *idle) *idle = x->next;
        struct iovec parts[] = {{&x->tag, sizeof x->tag}, {x->request, sizeof x->request}};
        char control[CMSG_SPACE(sizeof(int))];
        struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(channel, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n <= 0) {
            if (n == 0) exit(0);
            x->next = *idle;
            *idle = x;
            return;
        }
        memcpy(&x->client, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
        x->head = x->body = 0;
        n -= sizeof x->tag;
        char *body = (char *)memmem(x->request, n, "\r\n\r\n", 4) + 4;
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE, (long)(x->request + n - body));
        curl_multi_add_handle(multi, x->easy);
    }
}

static void finish(int channel, Exchange **idle) {
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(multi, &left));) {
        check(m->data.result == CURLE_OK, curl_easy_strerror(m->data.result));
        Exchange *x;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
        curl_multi_remove_handle(multi, x->easy);
        char length[64];
        int digits = snprintf(length, sizeof length, "content-length: %zu\r\n\r\n", x->body);
        struct iovec parts[] = {{x->answer_head, x->head}, {length, digits}, {x->answer, x->body}};
        struct msghdr answer = {.msg_iov = parts, .msg_iovlen = 3};
        ssize_t sent = sendmsg(x->client, &answer, MSG_NOSIGNAL);
        if (sent < 0) check(errno == EPIPE || errno == ECONNRESET, "answer");
        else check(sent == (ssize_t)(x->head + digits + x->body), "whole answer");
        check(send(channel, &x->tag, sizeof x->tag, MSG_NOSIGNAL) > 0, "done");
        close(x->client);
        x->next = *idle;
        *idle = x;
    }
}

static void worker(const char *upstream, int channel) {
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%s/v1/chat/completions", upstream);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 512L);
    worker_ep = epoll_create1(0);
    watch(worker_ep, channel, EPOLLIN, (void *)(long)channel);
    Exchange *idle = 0;
    for (struct epoll_event ev[EVENTS];;) {
        int n = epoll_wait(worker_ep, ev, EVENTS, 1000), running;
        for (int i = 0; i < n; i++) {
            int fd = (long)ev[i].data.ptr;
            if (fd == channel) {
                begin(channel, url, &idle);
                continue;
            }
            int mask = (ev[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) | (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
            if (ev[i].events & (EPOLLHUP | EPOLLERR)) mask |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
            curl_multi_socket_action(multi, fd, mask, &running);
            finish(channel, &idle);
        }
        if (n == 0) timer_due = 1;
        while (timer_due) {
            timer_due = 0;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
            finish(channel, &idle);
        }
    }
}

int main(int argc, char **argv) {
    int pair[2], size = 4 << 20;
    if (argc < 3) return 2;
    check(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), "socketpair");
    for (int i = 0; i < 2; i++) setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    pid_t child = fork();
    check(child >= 0, "fork");
    close(pair[child ? 1 : 0]);
    if (child) front(atoi(argv[1]), pair[0]);
    else worker(argv[2], pair[1]);
}
