// SPDX-License-Identifier: Apache-2.0
// mock_upstream.c - very fast fake LLM upstream for gateway benchmarks.
// Single thread, epoll, HTTP/1.1 keep-alive.  Linux only.
//   POST /v1/chat/completions | /v1/responses | /v1/messages   (stream and non-stream)
//   GET  /v1/models, /health, /stats ; POST /reset
// Behaviour is driven by the model name in the request body:
//   mock-<chunks>-<interval_ms>[-<nonstream_bytes>]     e.g. "mock-200-0", "mock-30-1000", "mock-0-50"
//   (non-stream requests: interval_ms is the think time before the answer)
//   a model name that also contains "die" (e.g. "mock-20-5-0-die") drops the connection halfway through the
//   stream without a last chunk; "err" (e.g. "mock-20-5-0-err") answers 429 with Retry-After: 70
// Every streamed text delta carries "@<seq>:<CLOCK_MONOTONIC ns>@" so that a client on the same host
// can check order/completeness and compute the transit time of each chunk through a proxy.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EDGE 8192 // bytes kept from the head and the tail of each request body

enum { K_CHAT, K_RESP, K_MSG, K_OTHER };

enum { S_HEAD, S_BODY, S_CHUNK_SIZE, S_CHUNK_DATA, S_CHUNK_CRLF, S_TRAILER, S_REPLY };

typedef struct Conn {
    int fd, state, kind, stream, keep;
    char hb[16384];
    int hn; // header buffer
    char *head;
    int headn; // first EDGE body bytes
    char *tail;
    int tailn, tailpos; // ring of the last EDGE body bytes
    uint64_t left;
    uint64_t body; // body bytes still to read / read so far
    char line[32];
    int linen;
    char *ob;
    size_t on, oo, oc; // pending output
    int n, i, phase, die;
    uint64_t ival, due; // stream progress
    int hidx, inrun, wantw;
    uint64_t bytes_ns;
    char model[96];
    struct Conn *next;
} Conn;

static int ep;
static int def_n = 20;
static uint64_t def_ival = 0;
static size_t def_bytes = 700;
static int batch = 1;
static uint64_t st_req, st_streams, st_done, st_abort, st_bytes_in, st_chunks, st_conn, st_active,
    st_last_abort, st_errors;
static Conn **heap;
static int hn, hcap;
static Conn *runq, *runtail;
static char *filler;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

// ---- min-heap of due times
static void hswap(int a, int b) {
    Conn *t = heap[a];
    heap[a] = heap[b];
    heap[b] = t;
    heap[a]->hidx = a;
    heap[b]->hidx = b;
}

static void hup(int i) {
    while (i && heap[(i - 1) / 2]->due > heap[i]->due) {
        hswap(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void hdown(int i) {
    for (;;) {
        int l = 2 * i + 1, m = i;
        if (l < hn && heap[l]->due < heap[m]->due) m = l;
        if (l + 1 < hn && heap[l + 1]->due < heap[m]->due) m = l + 1;
        if (m == i) return;
        hswap(i, m);
        i = m;
    }
}

static void hpush(Conn *c) {
    if (hn == hcap) heap = realloc(heap, sizeof *heap * (hcap = hcap ? hcap * 2 : 1024));
    c->hidx = hn;
    heap[hn++] = c;
    hup(c->hidx);
}

static void hdel(Conn *c) {
    int i = c->hidx;
    if (i < 0) return;
    c->hidx = -1;
    hn--;
    if (i != hn) {
        heap[i] = heap[hn];
        heap[i]->hidx = i;
        hup(i);
        hdown(heap[i]->hidx);
    }
}

static void run_add(Conn *c) {
    if (c->inrun) return;
    c->inrun = 1;
    c->next = 0;
    if (runtail)
        runtail->next = c;
    else
        runq = c;
    runtail = c;
}

static void want(Conn *c, int w) {
    if (c->wantw == w) return;
    c->wantw = w;
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (w ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void oput(Conn *c, const char *p, size_t n) {
    if (c->on + n > c->oc) {
        c->oc = (c->on + n) * 2 + 1024;
        c->ob = realloc(c->ob, c->oc);
    }
    memcpy(c->ob + c->on, p, n);
    c->on += n;
}

// 1 = all written, 0 = would block, -1 = error
static int flush(Conn *c) {
    while (c->oo < c->on) {
        ssize_t r = send(c->fd, c->ob + c->oo, c->on - c->oo, MSG_NOSIGNAL);
        if (r < 0) {
            if (errno == EAGAIN) {
                want(c, 1);
                return 0;
            }
            if (errno == EINTR) continue;
            return -1;
        }
        c->oo += r;
    }
    c->oo = c->on = 0;
    want(c, 0);
    return 1;
}

static Conn *graveyard;

static void closec(Conn *c) {
    if (c->fd < 0) return;
    if (c->state == S_REPLY && c->stream) {
        st_abort++;
        st_active--;
        st_last_abort = now_ns();
    }
    hdel(c);
    close(c->fd);
    c->fd = -1;
    st_conn--;
    free(c->head);
    free(c->tail);
    free(c->ob);
    c->head = c->tail = c->ob = 0;
    if (!c->inrun) {
        c->next = graveyard;
        graveyard = c;
    } // freed at the end of the loop turn
}

static void event(Conn *c, const char *name, const char *json, int jn) {
    char b[64];
    int en = name ? 7 + (int)strlen(name) + 1 : 0;
    int total = en + 6 + jn + 2;
    oput(c, b, sprintf(b, "%x\r\n", total));
    if (name) {
        oput(c, "event: ", 7);
        oput(c, name, strlen(name));
        oput(c, "\n", 1);
    }
    oput(c, "data: ", 6);
    oput(c, json, jn);
    oput(c, "\n\n\r\n", 4);
}

#define EV(name, ...)                                                                                        \
    do {                                                                                                     \
        char j_[2048];                                                                                       \
        int k_ = snprintf(j_, sizeof j_, __VA_ARGS__);                                                       \
        event(c, name, j_, k_);                                                                              \
    } while (0)
#define CH                                                                                                   \
    "{\"id\":\"chatcmpl-mock0001\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":"   \
    "\"%s\",\"system_fingerprint\":\"fp_mock\","

static void stream_open(Conn *c) {
    static const char h[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: "
        "no-cache\r\nX-Request-Id: req_mock0001\r\nTransfer-Encoding: chunked\r\n\r\n";
    oput(c, h, sizeof h - 1);
    if (c->kind == K_CHAT)
        EV(0,
           CH "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_"
              "reason\":null}]}",
           c->model);
    else if (c->kind == K_MSG) {
        EV("message_start",
           "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_mock0001\",\"type\":\"message\",\"role\":"
           "\"assistant\",\"model\":\"%s\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
           "\"usage\":{\"input_tokens\":100,\"output_tokens\":1}}}",
           c->model);
        EV("content_block_start", "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
                                  "\"text\",\"text\":\"\"}}");
        EV("ping", "{\"type\":\"ping\"}");
    } else {
        EV("response.created",
           "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_mock0001\","
           "\"object\":\"response\",\"created_at\":1700000000,\"status\":\"in_progress\",\"model\":\"%s\","
           "\"output\":[],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[]}}",
           c->model);
        EV("response.output_item.added",
           "{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{"
           "\"id\":\"msg_mock0001\",\"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\","
           "\"content\":[]}}");
        EV("response.content_part.added",
           "{\"type\":\"response.content_part.added\",\"sequence_number\":2,\"item_id\":\"msg_mock0001\","
           "\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\","
           "\"annotations\":[]}}");
    }
}

static void stream_delta(Conn *c) {
    uint64_t t = now_ns();
    int i = c->i++;
    st_chunks++;
    if (c->kind == K_CHAT)
        EV(0,
           CH "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@%d:%llu@ tok\"},\"finish_reason\":null}]}",
           c->model, i, (unsigned long long)t);
    else if (c->kind == K_MSG)
        EV("content_block_delta",
           "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"@%d:%"
           "llu@ tok\"}}",
           i, (unsigned long long)t);
    else
        EV("response.output_text.delta",
           "{\"type\":\"response.output_text.delta\",\"sequence_number\":%d,\"item_id\":\"msg_mock0001\","
           "\"output_index\":0,\"content_index\":0,\"delta\":\"@%d:%llu@ tok\"}",
           i + 3, i, (unsigned long long)t);
}

static void stream_close(Conn *c) {
    if (c->kind == K_CHAT) {
        EV(0, CH "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", c->model);
        EV(0,
           CH
           "\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":%d,\"total_tokens\":%d}}",
           c->model, c->n, c->n + 100);
        event(c, 0, "[DONE]", 6);
    } else if (c->kind == K_MSG) {
        EV("content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}");
        EV("message_delta",
           "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
           "\"usage\":{\"output_tokens\":%d}}",
           c->n);
        EV("message_stop", "{\"type\":\"message_stop\"}");
    } else {
        EV("response.output_text.done",
           "{\"type\":\"response.output_text.done\",\"sequence_number\":%d,\"item_id\":\"msg_mock0001\","
           "\"output_index\":0,\"content_index\":0,\"text\":\"done\"}",
           c->n + 3);
        EV("response.output_item.done",
           "{\"type\":\"response.output_item.done\",\"sequence_number\":%d,\"output_index\":0,\"item\":{"
           "\"id\":\"msg_mock0001\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\","
           "\"content\":[{\"type\":\"output_text\",\"text\":\"done\",\"annotations\":[]}]}}",
           c->n + 4);
        EV("response.completed",
           "{\"type\":\"response.completed\",\"sequence_number\":%d,\"response\":{\"id\":\"resp_mock0001\","
           "\"object\":\"response\",\"created_at\":1700000000,\"status\":\"completed\",\"model\":\"%s\","
           "\"output\":[{\"id\":\"msg_mock0001\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
           "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"done\",\"annotations\":[]}]}],"
           "\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"usage\":{\"input_tokens\":"
           "100,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":%d,\"output_tokens_"
           "details\":{\"reasoning_tokens\":0},\"total_tokens\":%d}}}",
           c->n + 5, c->model, c->n, c->n + 100);
    }
    oput(c, "0\r\n\r\n", 5);
}

static void simple(Conn *c, const char *body, int n) {
    char h[256];
    oput(c, h,
         sprintf(h,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: "
                 "req_mock0001\r\nContent-Length: %d\r\n\r\n",
                 n));
    oput(c, body, n);
}

static void nonstream(Conn *c) {
    size_t fn = c->bytes_ns ? c->bytes_ns : def_bytes;
    if (fn > 4000000) fn = 4000000;
    char *b = malloc(fn + 2048);
    int k;
    if (c->kind == K_CHAT)
        k = sprintf(
            b,
            "{\"id\":\"chatcmpl-mock0001\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":"
            "\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%.*s\"},"
            "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_"
            "tokens\":50,\"total_tokens\":150},\"system_fingerprint\":\"fp_mock\"}",
            c->model, (int)fn, filler);
    else if (c->kind == K_MSG)
        k = sprintf(b,
                    "{\"id\":\"msg_mock0001\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\","
                    "\"content\":[{\"type\":\"text\",\"text\":\"%.*s\"}],\"stop_reason\":\"end_turn\",\"stop_"
                    "sequence\":null,\"usage\":{\"input_tokens\":100,\"output_tokens\":50}}",
                    c->model, (int)fn, filler);
    else
        k = sprintf(
            b,
            "{\"id\":\"resp_mock0001\",\"object\":\"response\",\"created_at\":1700000000,\"status\":"
            "\"completed\",\"error\":null,\"incomplete_details\":null,\"instructions\":null,\"model\":\"%s\","
            "\"output\":[{\"id\":\"msg_mock0001\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
            "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"%.*s\",\"annotations\":[]}]}],"
            "\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"usage\":{\"input_tokens\":"
            "100,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":50,\"output_tokens_"
            "details\":{\"reasoning_tokens\":0},\"total_tokens\":150}}",
            c->model, (int)fn, filler);
    simple(c, b, k);
    free(b);
}

static void reset(Conn *c) {
    c->state = S_HEAD;
    c->hn = 0;
    c->headn = c->tailn = c->tailpos = 0;
    c->body = 0;
    c->stream = 0;
    c->linen = 0;
}

static void on_bytes(Conn *c, char *p, size_t n);

static int finish(Conn *c) { // request answered completely
    if (c->stream) {
        st_done++;
        st_active--;
        c->stream = 0;
    }
    reset(c);
    if (!c->keep) {
        closec(c);
        return -1;
    }
    return 0;
}

static void pump(Conn *c) {
    for (int turn = 0; turn < 16; turn++) {
        int f = flush(c);
        if (f < 0) {
            closec(c);
            return;
        }
        if (f == 0) return;
        if (c->phase == 2) {
            finish(c);
            return;
        }
        if (c->die && c->i >= c->n / 2) {
            closec(c);
            return;
        }
        if (c->i >= c->n) {
            stream_close(c);
            c->phase = 2;
            continue;
        }
        if (c->ival) {
            uint64_t t = now_ns();
            if (c->due > t) {
                hpush(c);
                return;
            }
            stream_delta(c);
            c->due += c->ival;
            if (c->due + 5 * c->ival < t) c->due = t + c->ival;
        } else
            for (int b = 0; b < batch && c->i < c->n; b++) stream_delta(c);
    }
    run_add(c);
}

static const char *find(Conn *c, const char *needle) {
    static char lin[EDGE + 1];
    char *r = c->headn ? memmem(c->head, c->headn, needle, strlen(needle)) : 0;
    if (r) return r;
    if (c->body > EDGE) {
        int s = (int)(c->tailn < EDGE ? 0 : c->tailpos);
        for (int i = 0; i < c->tailn; i++) lin[i] = c->tail[(s + i) % EDGE];
        lin[c->tailn] = 0;
        return memmem(lin, c->tailn, needle, strlen(needle));
    }
    return 0;
}

static void dispatch(Conn *c) {
    c->state = S_REPLY;
    st_req++;
    char *h = c->hb;
    if (!strncmp(h, "GET /stats", 10) || !strncmp(h, "POST /reset", 11)) {
        char b[512];
        int k = sprintf(
            b,
            "{\"req\":%llu,\"streams\":%llu,\"done\":%llu,\"aborted\":%llu,\"active\":%llu,\"chunks\":%llu,"
            "\"bytes_in\":%llu,\"conns\":%llu,\"last_abort_ns\":%llu,\"now_ns\":%llu,\"errors\":%llu}",
            (unsigned long long)st_req, (unsigned long long)st_streams, (unsigned long long)st_done,
            (unsigned long long)st_abort, (unsigned long long)st_active, (unsigned long long)st_chunks,
            (unsigned long long)st_bytes_in, (unsigned long long)st_conn, (unsigned long long)st_last_abort,
            (unsigned long long)now_ns(), (unsigned long long)st_errors);
        if (h[0] == 'P')
            st_req = st_streams = st_done = st_abort = st_chunks = st_bytes_in = st_last_abort = 0;
        c->stream = 0;
        simple(c, b, k);
        if (flush(c) >= 0) finish(c);
        return;
    }
    if (!strncmp(h, "GET ", 4)) {
        const char *b = strstr(h, "/models")
                            ? "{\"object\":\"list\",\"data\":[{\"id\":\"mock-20-0\",\"object\":\"model\","
                              "\"created\":1700000000,\"owned_by\":\"mock\"}]}"
                            : "{\"status\":\"ok\"}";
        c->stream = 0;
        simple(c, b, strlen(b));
        if (flush(c) >= 0) finish(c);
        return;
    }
    c->kind = strstr(h, "/chat/completions") ? K_CHAT
              : strstr(h, "/responses")      ? K_RESP
              : strstr(h, "/messages")       ? K_MSG
                                             : K_OTHER;
    if (c->kind == K_OTHER) {
        st_errors++;
        oput(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 45);
        c->stream = 0;
        if (flush(c) >= 0) finish(c);
        return;
    }
    c->n = def_n;
    c->ival = def_ival;
    c->bytes_ns = 0;
    strcpy(c->model, "mock");
    const char *m = find(c, "mock-");
    if (m) {
        int a = 0, iv = 0, by = 0;
        sscanf(m, "mock-%d-%d-%d", &a, &iv, &by);
        c->n = a;
        c->ival = (uint64_t)iv * 1000000ull;
        c->bytes_ns = by;
        int k = 0;
        while (k < 90 && m[k] && m[k] != '"') {
            c->model[k] = m[k];
            k++;
        }
        c->model[k] = 0;
    }
    c->die = strstr(c->model, "die") != 0;
    if (strstr(c->model, "err")) {
        static const char e429[] =
            "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: "
            "70\r\nContent-Length: 94\r\n\r\n{\"error\":{\"message\":\"mock rate "
            "limit\",\"type\":\"rate_limit_error\",\"code\":\"rate_limit_exceeded\"}}";
        oput(c, e429, sizeof e429 - 1);
        c->stream = 0;
        if (flush(c) >= 0) finish(c);
        return;
    }
    c->stream = find(c, "\"stream\":true") || find(c, "\"stream\": true");
    c->i = 0;
    c->phase = 0;
    c->due = now_ns() + c->ival;
    if (c->stream) {
        st_streams++;
        st_active++;
        stream_open(c);
        pump(c);
    } else if (c->ival) {
        c->phase = 9;
        hpush(c);
    } else {
        nonstream(c);
        int f = flush(c);
        if (f < 0)
            closec(c);
        else if (f == 1)
            finish(c);
        else
            c->phase = 2;
    }
}

static void body_keep(Conn *c, const char *p, size_t n) {
    st_bytes_in += n;
    if (c->headn < EDGE) {
        size_t k = EDGE - c->headn;
        if (k > n) k = n;
        memcpy(c->head + c->headn, p, k);
        c->headn += k;
    }
    c->body += n;
    if (n >= EDGE) {
        memcpy(c->tail, p + n - EDGE, EDGE);
        c->tailpos = 0;
        c->tailn = EDGE;
        return;
    }
    for (size_t i = 0; i < n;) {
        size_t k = EDGE - c->tailpos;
        if (k > n - i) k = n - i;
        memcpy(c->tail + c->tailpos, p + i, k);
        c->tailpos = (c->tailpos + k) % EDGE;
        i += k;
    }
    c->tailn = c->tailn + n > EDGE ? EDGE : c->tailn + n;
}

static void on_bytes(Conn *c, char *p, size_t n) {
    while (n && c->fd >= 0) {
        if (c->state == S_REPLY) {
            st_errors++;
            return;
        } // pipelining is not supported
        if (c->state == S_HEAD) {
            size_t k = sizeof c->hb - 1 - c->hn;
            if (k > n) k = n;
            if (!k) {
                closec(c);
                return;
            }
            memcpy(c->hb + c->hn, p, k);
            int from = c->hn > 3 ? c->hn - 3 : 0;
            c->hn += k;
            c->hb[c->hn] = 0;
            char *e = memmem(c->hb + from, c->hn - from, "\r\n\r\n", 4);
            if (!e) {
                p += k;
                n -= k;
                continue;
            }
            size_t hl = e + 4 - c->hb, used = k - (c->hn - hl);
            *e = 0;
            p += used;
            n -= used;
            c->hn = hl;
            c->left = 0;
            c->keep = 1;
            c->body = 0;
            c->headn = c->tailn = c->tailpos = 0;
            int chunked = 0, expect = 0;
            for (char *l = strstr(c->hb, "\r\n"); l; l = strstr(l + 2, "\r\n")) {
                if (!strncasecmp(l + 2, "content-length:", 15))
                    c->left = strtoull(l + 17, 0, 10);
                else if (!strncasecmp(l + 2, "transfer-encoding:", 18) && strcasestr(l + 20, "chunked"))
                    chunked = 1;
                else if (!strncasecmp(l + 2, "connection:", 11)) {
                    char *cl = strcasestr(l + 13, "close"), *nl = strstr(l + 13, "\r\n");
                    if (cl && (!nl || cl < nl)) c->keep = 0;
                } else if (!strncasecmp(l + 2, "expect:", 7))
                    expect = 1;
            }
            if (strstr(c->hb, " HTTP/1.0\r\n") && !strcasestr(c->hb, "keep-alive")) c->keep = 0;
            if (expect) {
                oput(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
                if (flush(c) < 0) {
                    closec(c);
                    return;
                }
            }
            if (chunked) {
                c->state = S_CHUNK_SIZE;
                c->linen = 0;
            } else if (c->left)
                c->state = S_BODY;
            else
                dispatch(c);
        } else if (c->state == S_BODY) {
            size_t k = c->left < n ? c->left : n;
            body_keep(c, p, k);
            p += k;
            n -= k;
            c->left -= k;
            if (!c->left) dispatch(c);
        } else if (c->state == S_CHUNK_SIZE) {
            char ch = *p++;
            n--;
            if (ch == '\n') {
                c->line[c->linen] = 0;
                c->left = strtoull(c->line, 0, 16);
                c->linen = 0;
                c->state = c->left ? S_CHUNK_DATA : S_TRAILER;
            } else if (c->linen < 30)
                c->line[c->linen++] = ch;
        } else if (c->state == S_CHUNK_DATA) {
            size_t k = c->left < n ? c->left : n;
            body_keep(c, p, k);
            p += k;
            n -= k;
            c->left -= k;
            if (!c->left) c->state = S_CHUNK_CRLF;
        } else if (c->state == S_CHUNK_CRLF) {
            char ch = *p++;
            n--;
            if (ch == '\n') c->state = S_CHUNK_SIZE;
        } else if (c->state == S_TRAILER) {
            char ch = *p++;
            n--;
            if (ch == '\n') {
                if (c->linen == 0) dispatch(c);
                c->linen = 0;
            } else if (ch != '\r')
                c->linen++;
        }
    }
}

int main(int argc, char **argv) {
    int port = 9100, o;
    const char *upath = 0;
    while ((o = getopt(argc, argv, "p:n:i:s:b:u:")) != -1) switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'n': def_n = atoi(optarg); break;
        case 'i': def_ival = strtoull(optarg, 0, 10) * 1000000ull; break;
        case 's': def_bytes = atoi(optarg); break;
        case 'b': batch = atoi(optarg); break;
        case 'u': upath = optarg; break;
        default:
            fprintf(stderr,
                    "usage: %s [-p port | -u unix-path] [-n chunks] [-i interval_ms] [-s "
                    "nonstream_text_bytes] [-b events_per_write]\n",
                    argv[0]);
            return 2;
        }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit rl;
    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);
    filler = malloc(4000001);
    const char *w = "The quick brown fox reviews the diff and finds nothing alarming. ";
    size_t wl = strlen(w);
    for (size_t i = 0; i < 4000000; i++) filler[i] = w[i % wl];
    filler[4000000] = 0;
    int ls;
    if (upath) {
        ls = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strncpy(a.sun_path, upath, sizeof a.sun_path - 1);
        unlink(upath);
        if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) {
            perror("bind");
            return 1;
        }
    } else {
        ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int one = 1;
        setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) {
            perror("bind");
            return 1;
        }
    }
    ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = 0};
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    static char rb[262144];
    struct epoll_event ev[512];
    for (;;) {
        int to = -1;
        if (runq)
            to = 0;
        else if (hn) {
            uint64_t t = now_ns();
            to = heap[0]->due <= t ? 0 : (int)((heap[0]->due - t + 999999) / 1000000);
        }
        int k = epoll_wait(ep, ev, 512, to);
        for (int i = 0; i < k; i++) {
            Conn *c = ev[i].data.ptr;
            if (!c) {
                for (int a = 0; a < 256; a++) {
                    int fd = accept4(ls, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
                    if (fd < 0) break;
                    int one = 1;
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    Conn *x = calloc(1, sizeof *x);
                    x->fd = fd;
                    x->hidx = -1;
                    x->head = malloc(EDGE);
                    x->tail = malloc(EDGE);
                    st_conn++;
                    struct epoll_event ne = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = x};
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ne);
                }
                continue;
            }
            if (c->fd < 0) continue;
            if (ev[i].events & EPOLLIN)
                for (;;) {
                    ssize_t r = recv(c->fd, rb, sizeof rb, 0);
                    if (r > 0) {
                        on_bytes(c, rb, r);
                        if (c->fd < 0 || (size_t)r < sizeof rb) break;
                    } else {
                        if (r == 0 || (errno != EAGAIN && errno != EINTR)) closec(c);
                        break;
                    }
                }
            if (c->fd >= 0 && ev[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                closec(c);
                continue;
            }
            if (c->fd >= 0 && ev[i].events & EPOLLOUT) {
                if (c->state == S_REPLY && c->stream)
                    pump(c);
                else {
                    int f = flush(c);
                    if (f < 0)
                        closec(c);
                    else if (f == 1 && c->state == S_REPLY && c->phase == 2)
                        finish(c);
                }
            }
        }
        Conn *q = runq;
        runq = runtail = 0;
        while (q) {
            Conn *nx = q->next;
            q->inrun = 0;
            if (q->fd >= 0)
                pump(q);
            else {
                q->next = graveyard;
                graveyard = q;
            }
            q = nx;
        }
        if (hn) {
            uint64_t t = now_ns();
            while (hn && heap[0]->due <= t) {
                Conn *c = heap[0];
                hdel(c);
                if (c->phase == 9) {
                    c->phase = 2;
                    nonstream(c);
                    int f = flush(c);
                    if (f < 0)
                        closec(c);
                    else if (f == 1)
                        finish(c);
                } else
                    pump(c);
            }
        }
        while (graveyard) {
            Conn *nx = graveyard->next;
            free(graveyard);
            graveyard = nx;
        }
    }
}
