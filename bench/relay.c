// SPDX-License-Identifier: Apache-2.0
// relay.c - byte relay, the floor for "one hop" and for "two hops" (front and worker). It is not HTTP aware:
// one upstream connection per client connection.
//
//   relay LISTEN CONNECT      each is a TCP port on 127.0.0.1 or the path of a Unix socket
//   RELAY_BUF=BYTES           sets the buffers of the Unix sockets
//
// One hop:  relay 9201 9100.  Two hops:  relay 9202 /run/x.sock  and  relay /run/x.sock 9100
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Side {
    int fd;
    struct Side *peer;
    char *b;
    size_t n, o;
    int dead, ev, paused;
    struct Side *g;
} Side;

static int bufsz; // RELAY_BUF: socket buffer size for unix sockets, 0 = default
static int ep;
static Side *grave;

static void big(int fd) {
    if (bufsz) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bufsz, sizeof bufsz);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bufsz, sizeof bufsz);
    }
}

static int mk(const char *s, int lis) {
    int fd;
    if (s[0] == '/' || s[0] == '.') {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strncpy(a.sun_path, s, sizeof a.sun_path - 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        big(fd);
        if (lis) {
            unlink(s);
            if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) {
                perror(s);
                exit(1);
            }
        } else if (connect(fd, (void *)&a, sizeof a)) {
            close(fd);
            return -1;
        }
    } else {
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_port = htons(atoi(s)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int one = 1;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (lis) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
            if (bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) {
                perror(s);
                exit(1);
            }
        } else if (connect(fd, (void *)&a, sizeof a) && errno != EINPROGRESS) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

static void set(Side *s, int ev) {
    if (s->paused) ev &= ~(EPOLLIN | EPOLLRDHUP);
    if (s->dead || s->ev == ev) return;
    struct epoll_event e = {.events = ev, .data.ptr = s};
    epoll_ctl(ep, s->ev < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, s->fd, &e);
    s->ev = ev;
}

static void kill2(Side *s) {
    Side *p = s->peer;
    if (s->dead) return;
    s->dead = p->dead = 1;
    close(s->fd);
    close(p->fd);
    free(s->b);
    free(p->b);
    s->b = p->b = 0;
    s->g = grave;
    p->g = s;
    grave = p;
}

static int drain(Side *s) { // write what is queued for s
    while (s->o < s->n) {
        ssize_t r = send(s->fd, s->b + s->o, s->n - s->o, MSG_NOSIGNAL);
        if (r < 0) {
            if (errno == EAGAIN || errno == ENOTCONN) {
                set(s, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
                return 0;
            }
            kill2(s);
            return -1;
        }
        s->o += r;
    }
    free(s->b);
    s->b = 0;
    s->o = s->n = 0;
    set(s, EPOLLIN | EPOLLRDHUP);
    Side *p = s->peer;
    if (p->paused) {
        p->paused = 0;
        set(p, EPOLLIN | EPOLLRDHUP | (p->n ? EPOLLOUT : 0));
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    if (getenv("RELAY_BUF")) bufsz = atoi(getenv("RELAY_BUF"));
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    int ls = mk(argv[1], 1);
    ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = 0};
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    static char rb[65536];
    struct epoll_event ev[256];
    for (;;) {
        int k = epoll_wait(ep, ev, 256, -1);
        for (int i = 0; i < k; i++) {
            Side *s = ev[i].data.ptr;
            if (!s) {
                for (;;) {
                    int fd = accept4(ls, 0, 0, SOCK_NONBLOCK);
                    if (fd < 0) break;
                    int one = 1;
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    if (argv[1][0] == '/') big(fd);
                    int u = mk(argv[2], 0);
                    if (u < 0) {
                        close(fd);
                        continue;
                    }
                    Side *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
                    a->fd = fd;
                    b->fd = u;
                    a->peer = b;
                    b->peer = a;
                    a->ev = b->ev = -1;
                    set(a, EPOLLIN | EPOLLRDHUP);
                    set(b, EPOLLIN | EPOLLRDHUP);
                }
                continue;
            }
            if (s->dead) continue;
            if (ev[i].events & EPOLLOUT && drain(s) < 0) continue;
            if (ev[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                Side *p = s->peer;
                if (p->n) {
                    if (ev[i].events & (EPOLLHUP | EPOLLERR)) kill2(s);
                    continue;
                }
                ssize_t r = recv(s->fd, rb, sizeof rb, 0);
                if (r == 0 || (r < 0 && errno != EAGAIN)) {
                    kill2(s);
                    continue;
                }
                if (r < 0) continue;
                ssize_t w = send(p->fd, rb, r, MSG_NOSIGNAL);
                if (w < 0) {
                    if (errno != EAGAIN && errno != ENOTCONN) {
                        kill2(s);
                        continue;
                    }
                    w = 0;
                }
                if (w < r) {
                    p->b = malloc(r - w);
                    memcpy(p->b, rb + w, r - w);
                    p->n = r - w;
                    p->o = 0;
                    set(p, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
                    s->paused = 1;
                    set(s, s->n ? EPOLLOUT : 0);
                }
            }
        }
        while (grave) {
            Side *g = grave->g;
            free(grave);
            grave = g;
        }
    }
}
