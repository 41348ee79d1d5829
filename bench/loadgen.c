// SPDX-License-Identifier: Apache-2.0
// loadgen.c - load generator for LLM gateways: one thread, epoll, HTTP/1.1, Linux only.
//
// Modes (-m):
//   ns     closed loop, non-stream requests over keep-alive connections
//   sse    closed loop, streaming requests (each connection starts its next stream when one ends)
//   rate   open loop at -r req/s (latency counted from the scheduled time: no coordinated omission);
//          -S 1 for streams
//   idle   opens -c slow streams (ramp -R per second), holds them to their end, reports transit and
//          the memory of the proxy
//   abort  opens streams and drops the connection after -k chunks, then polls the mock until no
//          stream is active
//   stall  opens -c streams, reads -k chunks of each, then stops reading for -d seconds (back-pressure):
//          reports the memory of the proxy and how much the upstream could push meanwhile
//
// Output: one JSON object. CPU (utime + stime), RSS, HWM and PSS are read from /proc for -P pid[,pid...]
// (whole trees with -T).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

static Hist lat, ttft, transit;

enum { IDLE, CONNECTING, SENDING, HEADERS, BODY };

enum { B_CL, B_CHUNK_SIZE, B_CHUNK_DATA, B_CHUNK_CRLF, B_TRAILER, B_EOF };

typedef struct {
    int fd, st, bst, fresh, close_after;
    size_t so;
    char hb[8192];
    int hn;
    u64 left;
    char line[24];
    int linen;
    int status;
    u64 t0, tfirst;
    int mk;
    u64 num;
    u64 hash;
    int hskip;
    int bad;
    int nmark;
    u64 bytes;
    char tail[96];
    int tn;
} Conn;

static Conn *cs;
static int ep, NC = 1;
static struct sockaddr_in dst;
static char *req;
static size_t reqn;
static int quickack; // -q: acknowledge at once (shows whether a proxy forgot TCP_NODELAY)
static int streaming, expect_chunks = -1, check_hash, kill_after = -1;
static const char *term = "[DONE]";
static u64 ok, err, http_err, conn_err, chunks, bytes_rx, lost, noterm, aborted, reconnects, t_start, t_end,
    t_last_abort;
static int last_status;
static u64 hash_first;
static int hash_set;
static u64 hash_diff;
static int stopping, inflight, is_stall, nstalled;
static u64 max_req, issued;
static char errsample[400];
static u64 *backlog;
static size_t bl_head, bl_tail, bl_cap;
static int open_loop;
static int *freec, nfree;

static void ctl(Conn *c, int op, int ev) {
    struct epoll_event e = {.events = ev, .data.ptr = c};
    epoll_ctl(ep, op, c->fd, &e);
}

static void start_req(Conn *c, u64 sched);

static void dropfd(Conn *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static void begin(Conn *c) {
    c->so = 0;
    c->hn = 0;
    c->st = SENDING;
    c->mk = 0;
    c->nmark = 0;
    c->hash = 1469598103934665603ull;
    c->hskip = 0;
    c->bad = 0;
    c->tn = 0;
    c->tfirst = 0;
    c->bytes = 0;
    c->close_after = 0;
    c->linen = 0;
}

static void pushout(Conn *c);

static int conn_open(Conn *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) return -1;
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int r = connect(c->fd, (void *)&dst, sizeof dst);
    if (r < 0 && errno != EINPROGRESS) {
        dropfd(c);
        return -1;
    }
    c->fresh = 1;
    ctl(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    return 0;
}

static void release(Conn *c) {
    c->st = IDLE;
    inflight--;
    if (open_loop) {
        if (bl_head != bl_tail) {
            u64 s = backlog[bl_head++ % bl_cap];
            start_req(c, s);
        } else
            freec[nfree++] = c - cs;
        return;
    }
    if (!stopping && (!max_req || issued < max_req)) start_req(c, 0);
}

static void fail(Conn *c, const char *why) {
    err++;
    if (!errsample[0])
        snprintf(errsample, sizeof errsample, "%s st=%d status=%d %.120s", why, c->st, c->status,
                 c->st >= BODY ? c->tail : "");
    dropfd(c);
    release(c);
}

static void start_req(Conn *c, u64 sched) {
    inflight++;
    issued++;
    begin(c);
    c->t0 = sched ? sched : now_ns();
    if (c->fd < 0) {
        reconnects++;
        if (conn_open(c) < 0) {
            conn_err++;
            fail(c, "connect");
            return;
        }
        c->st = CONNECTING;
    } else {
        c->fresh = 0;
        pushout(c);
    }
}

static void pushout(Conn *c) {
    while (c->so < reqn) {
        ssize_t r = send(c->fd, req + c->so, reqn - c->so, MSG_NOSIGNAL);
        if (r < 0) {
            if (errno == EAGAIN) {
                ctl(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
                return;
            }
            if (!c->fresh && c->hn == 0) {
                u64 t = c->t0;
                dropfd(c);
                begin(c);
                c->t0 = t;
                reconnects++;
                if (conn_open(c) == 0) {
                    c->st = CONNECTING;
                    return;
                }
            }
            conn_err++;
            fail(c, "send");
            return;
        }
        c->so += r;
    }
    c->st = HEADERS;
    ctl(c, EPOLL_CTL_MOD, EPOLLIN);
}

static void done(Conn *c) {
    u64 t = now_ns();
    int good = 1;
    if (c->status != 200) {
        http_err++;
        last_status = c->status;
        if (!errsample[0]) snprintf(errsample, sizeof errsample, "status %d: %.90s", c->status, c->tail);
        good = 0;
    } else if (streaming) {
        if (expect_chunks >= 0 && c->nmark != expect_chunks) {
            lost++;
            good = 0;
        } else if (c->bad) {
            lost++;
            good = 0;
        }
        if (!memmem(c->tail, c->tn, term, strlen(term))) {
            noterm++;
            good = 0;
        }
        if (check_hash) {
            if (!hash_set) {
                hash_set = 1;
                hash_first = c->hash;
            } else if (hash_first != c->hash)
                hash_diff++;
        }
    } else if (check_hash) {
        if (!hash_set) {
            hash_set = 1;
            hash_first = c->hash;
        } else if (hash_first != c->hash)
            hash_diff++;
    }
    if (good) {
        ok++;
        hadd(&lat, t - c->t0);
    } else
        err++;
    if (c->close_after) dropfd(c);
    release(c);
}

static int feed(Conn *c, const char *p, size_t n) { // returns 1 when the connection was dropped (abort mode)
    c->bytes += n;
    bytes_rx += n;
    if (n >= sizeof c->tail) {
        memcpy(c->tail, p + n - sizeof c->tail, sizeof c->tail);
        c->tn = sizeof c->tail;
    } else {
        size_t keep = sizeof c->tail - n;
        if ((size_t)c->tn > keep) {
            memmove(c->tail, c->tail + c->tn - keep, keep);
            c->tn = keep;
        }
        memcpy(c->tail + c->tn, p, n);
        c->tn += n;
    }
    if (check_hash) {
        u64 h = c->hash;
        for (size_t i = 0; i < n; i++) {
            unsigned char ch = p[i];
            if (c->hskip == 1) {
                if (ch == ':') c->hskip = 2;
            } else if (c->hskip == 2) {
                if (ch >= '0' && ch <= '9') continue;
                c->hskip = 0;
            } else if (ch == '@')
                c->hskip = 1;
            h = (h ^ ch) * 1099511628211ull;
        }
        c->hash = h;
    }
    if (!streaming) return 0;
    const char *e = p + n;
    while (p < e) {
        if (c->mk == 0) {
            p = memchr(p, '@', e - p);
            if (!p) return 0;
            p++;
            c->mk = 1;
            c->num = 0;
            continue;
        }
        char ch = *p++;
        if (ch >= '0' && ch <= '9') {
            c->num = c->num * 10 + (ch - '0');
            continue;
        }
        if (c->mk == 1 && ch == ':') {
            if ((int)c->num != c->nmark) c->bad = 1;
            c->mk = 2;
            c->num = 0;
            continue;
        }
        if (c->mk == 2 && ch == '@') {
            u64 t = now_ns();
            if (!c->nmark) {
                c->tfirst = t;
                hadd(&ttft, t - c->t0);
            }
            hadd(&transit, t > c->num ? t - c->num : 0);
            c->nmark++;
            chunks++;
            c->mk = 0;
            if (kill_after >= 0 && c->nmark >= kill_after && is_stall) {
                ctl(c, EPOLL_CTL_MOD, 0);
                nstalled++;
                return 1;
            }
            if (kill_after >= 0 && c->nmark >= kill_after) {
                aborted++;
                t_last_abort = t;
                dropfd(c);
                release(c);
                return 1;
            }
            continue;
        }
        c->mk = 0;
    }
    return 0;
}

static void on_read(Conn *c) {
    static char rb[262144];
    int fd0 = c->fd;
    for (;;) {
        ssize_t r = recv(c->fd, rb, sizeof rb, 0);
        if (quickack) {
            int one = 1;
            setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
        }
        if (r < 0) {
            if (errno == EAGAIN || errno == EINTR) return;
            conn_err++;
            fail(c, strerror(errno));
            return;
        }
        if (r == 0) {
            if (c->st == IDLE) {
                dropfd(c);
                return;
            }
            if (c->st == BODY && c->bst == B_EOF) {
                c->close_after = 1;
                done(c);
                return;
            }
            if (c->st == HEADERS && !c->fresh && c->hn == 0) {
                u64 t = c->t0;
                dropfd(c);
                begin(c);
                c->t0 = t;
                reconnects++;
                if (conn_open(c) == 0) {
                    c->st = CONNECTING;
                    return;
                }
            }
            conn_err++;
            fail(c, "eof");
            return;
        }
        char *p = rb;
        size_t n = r;
        if (c->st == IDLE) {
            dropfd(c);
            return;
        }
        while (n) {
            if (c->st == SENDING) c->st = HEADERS; // early answer
            if (c->st == HEADERS) {
                size_t k = sizeof c->hb - 1 - c->hn;
                if (k > n) k = n;
                if (!k) {
                    fail(c, "header too big");
                    return;
                }
                memcpy(c->hb + c->hn, p, k);
                int from = c->hn > 3 ? c->hn - 3 : 0, old = c->hn;
                c->hn += k;
                c->hb[c->hn] = 0;
                char *e = memmem(c->hb + from, c->hn - from, "\r\n\r\n", 4);
                if (!e) {
                    p += k;
                    n -= k;
                    continue;
                }
                int hl = e + 4 - c->hb;
                p += hl - old;
                n -= hl - old;
                *e = 0;
                c->status = atoi(c->hb + 9);
                if (c->status == 100) {
                    c->hn = 0;
                    continue;
                }
                c->st = BODY;
                c->bst = B_EOF;
                for (char *l = strstr(c->hb, "\r\n"); l; l = strstr(l + 2, "\r\n")) {
                    if (!strncasecmp(l + 2, "content-length:", 15)) {
                        c->bst = B_CL;
                        c->left = strtoull(l + 17, 0, 10);
                    } else if (!strncasecmp(l + 2, "transfer-encoding:", 18)) {
                        c->bst = B_CHUNK_SIZE;
                        c->linen = 0;
                    } else if (!strncasecmp(l + 2, "connection: close", 17))
                        c->close_after = 1;
                }
                if (c->bst == B_CL && !c->left) {
                    done(c);
                    return;
                }
                continue;
            }
            if (c->bst == B_CL) {
                size_t k = c->left < n ? c->left : n;
                if (feed(c, p, k)) return;
                p += k;
                n -= k;
                c->left -= k;
                if (!c->left) {
                    done(c);
                    return;
                }
            } else if (c->bst == B_EOF) {
                if (feed(c, p, n)) return;
                n = 0;
            } else if (c->bst == B_CHUNK_SIZE) {
                char ch = *p++;
                n--;
                if (ch == '\n') {
                    c->line[c->linen] = 0;
                    c->left = strtoull(c->line, 0, 16);
                    c->linen = 0;
                    c->bst = c->left ? B_CHUNK_DATA : B_TRAILER;
                } else if (c->linen < 22)
                    c->line[c->linen++] = ch;
            } else if (c->bst == B_CHUNK_DATA) {
                size_t k = c->left < n ? c->left : n;
                if (feed(c, p, k)) return;
                p += k;
                n -= k;
                c->left -= k;
                if (!c->left) c->bst = B_CHUNK_CRLF;
            } else if (c->bst == B_CHUNK_CRLF) {
                char ch = *p++;
                n--;
                if (ch == '\n') c->bst = B_CHUNK_SIZE;
            } else {
                char ch = *p++;
                n--;
                if (ch == '\n') {
                    if (c->linen == 0) {
                        done(c);
                        return;
                    }
                    c->linen = 0;
                } else if (ch != '\r')
                    c->linen++;
            }
            if (c->fd != fd0) return;
        }
        if ((size_t)r < sizeof rb) return;
    }
}

// ---- counters of the mock upstream
static int mock_port = 0;

static long stat_field(const char *key) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(mock_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (void *)&a, sizeof a)) {
        close(fd);
        return -1;
    }
    const char *q = "GET /stats HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n";
    if (write(fd, q, strlen(q)) < 0) {
        close(fd);
        return -1;
    }
    char b[2048];
    int n = 0, r;
    while ((r = read(fd, b + n, sizeof b - 1 - n)) > 0) n += r;
    close(fd);
    b[n] = 0;
    char k[64];
    snprintf(k, sizeof k, "\"%s\":", key);
    char *p = strstr(b, k);
    return p ? atol(p + strlen(k)) : -1;
}

// ---- request body: a Codex/agent-like conversation of about `target` bytes
static char *make_body(const char *path, const char *model, size_t target, int stream, size_t *outn) {
    size_t cap = target + 8192, n = 0;
    char *b = malloc(cap);
    int resp = strstr(path, "/responses") != 0, msg = strstr(path, "/messages") != 0;
    n += sprintf(b, "{\"model\":\"%s\",%s%s\"%s\":[", model, stream ? "\"stream\":true," : "",
                 msg ? "\"max_tokens\":1024," : "", resp ? "input" : "messages");
    static const char *t[] = {
        "Please look at src/server/router.swift and explain why the retry loop\\n\\tdoes not honour "
        "\\\"Retry-After\\\" when the upstream answers 429.\\n",
        "fn main() {\\n    let cfg = Config::load(\\\"/etc/app.toml\\\")?;\\n    for (k, v) in cfg.iter() { "
        "println!(\\\"{k}={v}\\\"); }\\n}\\n",
        "diff --git a/x b/x\\n@@ -1,4 +1,6 @@\\n-let a = 1\\n+let a = 2 \\u00e9\\u4e2d \xe2\x9c\x93\\n"};
    int i = 0;
    int one = 1;
    while (n < target - 300 || one) {
        one = 0;
        n += sprintf(
            b + n, "%s{\"role\":\"%s\",\"content\":%s\"", i ? "," : "", i & 1 ? "assistant" : "user",
            resp ? (i & 1 ? "[{\"type\":\"output_text\",\"text\":" : "[{\"type\":\"input_text\",\"text\":")
                 : "");
        size_t goal = n + (target > 20000 ? 2000 : target - 260);
        if (goal > target - 100) goal = target - 100;
        int j = i;
        do {
            const char *s = t[j++ % 3];
            if (n + strlen(s) > cap - 400) break;
            n += sprintf(b + n, "%s", s);
        } while (n < goal);
        n += sprintf(b + n, "\"%s}", resp ? "}]" : "");
        i++;
    }
    // the last turn must be a user turn for some dialects
    if (!(i & 1))
        n += sprintf(b + n, ",{\"role\":\"user\",\"content\":%s\"go on\"%s}",
                     resp ? "[{\"type\":\"input_text\",\"text\":" : "", resp ? "}]" : "");
    n += sprintf(b + n, "]}");
    *outn = n;
    return b;
}

int main(int argc, char **argv) {
    int port = 9100, o;
    const char *mode = "ns", *path = "/v1/chat/completions", *model = "mock-20-0", *name = "", *auth = 0,
               *extra = 0;
    double dur = 5, rate = 0, warm = 0;
    size_t body = 2048;
    int ramp = 0, rstream = 0;
    while ((o = getopt(argc, argv, "p:m:c:d:n:b:u:M:r:R:k:P:TN:A:S:e:HX:w:Q:t:q")) != -1) switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'm': mode = optarg; break;
        case 'c': NC = atoi(optarg); break;
        case 'd': dur = atof(optarg); break;
        case 'n': max_req = strtoull(optarg, 0, 10); break;
        case 'b': body = strtoull(optarg, 0, 10); break;
        case 'u': path = optarg; break;
        case 'M': model = optarg; break;
        case 'r': rate = atof(optarg); break;
        case 'R': ramp = atoi(optarg); break;
        case 'k': kill_after = atoi(optarg); break;
        case 'P':
            for (char *s = strtok(optarg, ","); s; s = strtok(0, ",")) pids[npid++] = atoi(s);
            break;
        case 'T': tree = 1; break;
        case 'N': name = optarg; break;
        case 'A': auth = optarg; break;
        case 'S': rstream = atoi(optarg); break;
        case 'e': expect_chunks = atoi(optarg); break;
        case 'H': check_hash = 1; break;
        case 'q': quickack = 1; break;
        case 'X': extra = optarg; break;
        case 'w': warm = atof(optarg); break;
        case 'Q': mock_port = atoi(optarg); break;
        case 't': term = optarg; break;
        default: fprintf(stderr, "see the header of loadgen.c\n"); return 2;
        }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    prctl(PR_SET_TIMERSLACK, 1000ul);
    int is_idle = !strcmp(mode, "idle"), is_abort = !strcmp(mode, "abort"), is_rate = !strcmp(mode, "rate");
    is_stall = !strcmp(mode, "stall");
    streaming = !strcmp(mode, "sse") || is_idle || is_abort || is_stall || (is_rate && rstream);
    if (!is_abort && !is_stall) kill_after = -1;
    if (is_stall && kill_after < 1) kill_after = 1;
    if (strstr(path, "/messages"))
        term = "message_stop";
    else if (strstr(path, "/responses"))
        term = "}}";
    if (tree) {
        int k = npid;
        for (int i = 0; i < k; i++) add_children(pids[i]);
    }
    dst.sin_family = AF_INET;
    dst.sin_port = htons(port);
    dst.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size_t bn;
    char *bb = make_body(path, model, body < 400 ? 400 : body, streaming, &bn);
    req = malloc(bn + 2048);
    reqn = sprintf(req,
                   "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nUser-Agent: "
                   "loadgen/1\r\nAccept: %s\r\n%s%s%s%s%s%sContent-Length: %zu\r\n\r\n",
                   path, port, streaming ? "text/event-stream" : "application/json",
                   auth ? "Authorization: Bearer " : "", auth ? auth : "", auth ? "\r\n" : "",
                   strstr(path, "/messages") ? "anthropic-version: 2023-06-01\r\n" : "", extra ? extra : "",
                   extra ? "\r\n" : "", bn);
    memcpy(req + reqn, bb, bn);
    reqn += bn;
    ep = epoll_create1(0);
    cs = calloc(NC, sizeof *cs);
    for (int i = 0; i < NC; i++) cs[i].fd = -1;
    freec = malloc(sizeof(int) * NC);
    long rss0 = rss_kb("VmRSS:"), pss0 = pss_kb();
    double u0, c0 = cpu_s(&u0);
    t_start = now_ns();
    u64 t_warm = t_start + (u64)(warm * 1e9), t_stop = t_warm + (u64)(dur * 1e9);
    int warmed = warm <= 0;
    long rss_peak = rss0, pss_full = 0;
    u64 started_conns = 0;
    u64 next_arr = t_start;
    u64 next_rss = t_start;
    u64 gap = rate > 0 ? (u64)(1e9 / rate) : 0;
    u64 rampgap = ramp ? 1000000000ull / ramp : 0, next_ramp = t_start;
    int streams_full = 0;
    u64 t_full = 0;
    double self0 = clock() / (double)CLOCKS_PER_SEC;
    if (is_rate) {
        open_loop = 1;
        bl_cap = 1 << 20;
        backlog = malloc(bl_cap * 8);
        for (int i = NC; i-- > 0;) freec[nfree++] = i;
    } else if (is_idle || ramp) {
    } else {
        for (int i = 0; i < NC && (!max_req || issued < max_req); i++) start_req(&cs[i], 0);
        started_conns = NC;
    }
    struct epoll_event ev[512];
    u64 hard = t_stop + 30000000000ull;
    u64 maxbl = 0;
    for (;;) {
        u64 t = now_ns();
        if (!warmed && t >= t_warm) {
            warmed = 1;
            memset(&lat, 0, sizeof lat);
            memset(&ttft, 0, sizeof ttft);
            memset(&transit, 0, sizeof transit);
            ok = err = http_err = conn_err = chunks = bytes_rx = lost = noterm = aborted = reconnects = 0;
            c0 = cpu_s(&u0);
            t_start = t;
        }
        if (t >= t_stop) stopping = 1;
        if (t >= hard || (is_stall && stopping)) break;
        if (is_rate) {
            while (!stopping && next_arr <= t) {
                if (nfree)
                    start_req(&cs[freec[--nfree]], next_arr);
                else if (bl_tail - bl_head < bl_cap) {
                    backlog[bl_tail++ % bl_cap] = next_arr;
                    if (bl_tail - bl_head > maxbl) maxbl = bl_tail - bl_head;
                }
                next_arr += gap;
            }
            if (stopping && !inflight) break;
        } else if (is_idle || ramp) {
            while (started_conns < (u64)NC && next_ramp <= t && !stopping) {
                if (is_idle) {
                    max_req = NC;
                }
                start_req(&cs[started_conns++], 0);
                next_ramp += rampgap;
            }
            if (started_conns == (u64)NC && !streams_full) {
                streams_full = 1;
                t_full = t;
            }
            if (started_conns == (u64)NC && !inflight && (is_idle || stopping)) break;
            if (stopping && !inflight) break;
        } else if (!inflight && (stopping || (max_req && issued >= max_req)))
            break;
        if (npid && t >= next_rss) {
            long r = rss_kb("VmRSS:");
            if (r > rss_peak) rss_peak = r;
            if (is_idle && streams_full && !pss_full && t > t_full + 2000000000ull) pss_full = pss_kb();
            next_rss = t + 250000000ull;
        }
        u64 wait = 100000000;
        if (is_rate && !stopping) {
            t = now_ns();
            wait = next_arr > t ? next_arr - t : 0;
        } else if (is_rate)
            wait = 10000000;
        else if (is_idle || ramp)
            wait = started_conns < (u64)NC ? 1000000 : 50000000;
        struct timespec ts = {wait / 1000000000ull, wait % 1000000000ull};
        int k = epoll_pwait2(ep, ev, 512, &ts, 0);
        for (int i = 0; i < k; i++) {
            Conn *c = ev[i].data.ptr;
            if (c->fd < 0) continue;
            if (c->st == CONNECTING) {
                int e = 0;
                socklen_t l = sizeof e;
                if (ev[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
                    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &l);
                    if (e) {
                        conn_err++;
                        fail(c, "connect");
                        continue;
                    }
                    c->st = SENDING;
                    pushout(c);
                }
                continue;
            }
            if (c->st == SENDING && (ev[i].events & EPOLLOUT)) pushout(c);
            if (c->fd >= 0 && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) on_read(c);
        }
    }
    t_end = now_ns();
    double u1, c1 = cpu_s(&u1);
    double self1 = clock() / (double)CLOCKS_PER_SEC;
    double el = (t_end - t_start) / 1e9;
    long rss1 = rss_kb("VmRSS:"), hwm = rss_kb("VmHWM:");
    if (rss1 > rss_peak) rss_peak = rss1;
    double drain_ms = -1;
    long mact = -1, mab = -1;
    if (is_abort && mock_port) {
        u64 dl = now_ns() + 15000000000ull;
        for (;;) {
            mact = stat_field("active");
            if (mact == 0 || now_ns() > dl) break;
            usleep(20000);
        }
        mab = stat_field("aborted");
        long la = stat_field("last_abort_ns");
        drain_ms = mact == 0 ? ((double)la - (double)t_last_abort) / 1e6 : -1;
    }
    u64 reqs = ok + err;
    double per = reqs ? (c1 - c0) * 1000.0 / reqs : 0;
    printf("{\"name\":\"%s\",\"mode\":\"%s\",\"path\":\"%s\",\"conc\":%d,\"body\":%zu,\"model\":\"%s\","
           "\"secs\":%.2f,\"ok\":%llu,\"err\":%llu,\"http_err\":%llu,\"conn_err\":%llu,\"lost\":%llu,"
           "\"noterm\":%llu,\"reconnects\":%llu,\"rps\":%.1f,\"lat_us\":{\"mean\":%.1f,\"p50\":%.1f,\"p90\":%"
           ".1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},",
           name, mode, path, NC, bn, model, el, (unsigned long long)ok, (unsigned long long)err,
           (unsigned long long)http_err, (unsigned long long)conn_err, (unsigned long long)lost,
           (unsigned long long)noterm, (unsigned long long)reconnects, ok / el,
           lat.n ? lat.sum / 1e3 / lat.n : 0, hq(&lat, .5) / 1e3, hq(&lat, .9) / 1e3, hq(&lat, .99) / 1e3,
           hq(&lat, .999) / 1e3, lat.max / 1e3);
    if (streaming)
        printf("\"chunks\":%llu,\"chunks_s\":%.0f,\"ttft_us\":{\"p50\":%.1f,\"p99\":%.1f},\"transit_us\":{"
               "\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},",
               (unsigned long long)chunks, chunks / el, hq(&ttft, .5) / 1e3, hq(&ttft, .99) / 1e3,
               hq(&transit, .5) / 1e3, hq(&transit, .99) / 1e3, hq(&transit, .999) / 1e3, transit.max / 1e3);
    if (is_stall)
        printf("\"stalled\":%d,\"mock_chunks\":%ld,", nstalled, mock_port ? stat_field("chunks") : -1);
    if (is_abort)
        printf("\"aborted\":%llu,\"mock_active_after\":%ld,\"mock_aborted\":%ld,\"upstream_cancel_ms\":%.1f,",
               (unsigned long long)aborted, mact, mab, drain_ms);
    if (check_hash)
        printf("\"hash\":\"%016llx\",\"hash_diff\":%llu,", (unsigned long long)hash_first,
               (unsigned long long)hash_diff);
    if (is_rate) printf("\"rate\":%.0f,\"max_backlog\":%llu,", rate, (unsigned long long)maxbl);
    printf("\"rx_mb_s\":%.1f,\"cpu_s\":%.2f,\"cpu_user_s\":%.2f,\"cpu_ms_per_req\":%.4f,\"cpu_us_per_chunk\":"
           "%.2f,\"rss_kb\":[%ld,%ld,%ld],\"hwm_kb\":%ld,\"pss_kb\":[%ld,%ld],\"self_cpu_s\":%.2f,"
           "\"errsample\":\"",
           bytes_rx / el / 1e6, c1 - c0, u1 - u0, per, chunks ? (c1 - c0) * 1e6 / chunks : 0, rss0, rss_peak,
           rss1, hwm, pss0, pss_full, self1 - self0);
    for (char *p = errsample; *p; p++)
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 32 || (unsigned char)*p > 126)
            putchar('.');
        else
            putchar(*p);
    printf("\"}\n");
    return 0;
}
