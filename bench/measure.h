// SPDX-License-Identifier: Apache-2.0
// measure.h - clock, histogram and /proc accounting of the load generator.
#pragma once
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;

static u64 now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 1000000000ull + t.tv_nsec;
}

// ---- log histogram, 7 mantissa bits (<1 % error)
typedef struct {
    u64 n, sum, max, b[64 * 128];
} Hist;

static void hadd(Hist *h, u64 v) {
    if ((int64_t)v < 0) v = 0;
    h->n++;
    h->sum += v;
    if (v > h->max) h->max = v;
    int i;
    if (v < 128)
        i = v;
    else {
        int e = 63 - __builtin_clzll(v);
        i = (e - 6) * 128 + ((v >> (e - 7)) & 127);
    }
    h->b[i]++;
}

static double hq(Hist *h, double q) {
    if (!h->n) return 0;
    u64 want = (u64)(q * h->n), acc = 0;
    if (want >= h->n) want = h->n - 1;
    for (int i = 0; i < 64 * 128; i++) {
        acc += h->b[i];
        if (acc > want) {
            if (i < 128) return i;
            int e = i / 128 + 6;
            return (double)((128ull + (i & 127)) << (e - 7));
        }
    }
    return h->max;
}

// ---- /proc accounting
static int pids[256], npid, tree;

static void add_children(int pid) {
    char f[64];
    snprintf(f, sizeof f, "/proc/%d/task", pid);
    DIR *d = opendir(f);
    if (!d) return;
    struct dirent *de;
    while ((de = readdir(d))) {
        if (de->d_name[0] == '.') continue;
        char g[128];
        snprintf(g, sizeof g, "/proc/%d/task/%.20s/children", pid, de->d_name);
        FILE *x = fopen(g, "r");
        if (!x) continue;
        int k;
        while (fscanf(x, "%d", &k) == 1 && npid < 250) {
            int dup = 0;
            for (int i = 0; i < npid; i++)
                if (pids[i] == k) dup = 1;
            if (!dup) {
                pids[npid++] = k;
                add_children(k);
            }
        }
        fclose(x);
    }
    closedir(d);
}

static double cpu_s(double *usr) {
    double u = 0, s = 0;
    long hz = sysconf(_SC_CLK_TCK);
    for (int i = 0; i < npid; i++) {
        char f[64], b[2048];
        snprintf(f, sizeof f, "/proc/%d/stat", pids[i]);
        FILE *x = fopen(f, "r");
        if (!x) continue;
        size_t n = fread(b, 1, sizeof b - 1, x);
        fclose(x);
        b[n] = 0;
        char *p = strrchr(b, ')');
        unsigned long ut = 0, stt = 0;
        if (p && sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &stt) == 2) {
            u += (double)ut / hz;
            s += (double)stt / hz;
        }
    }
    *usr = u;
    return u + s;
}

static long rss_kb(const char *key) {
    long t = 0;
    for (int i = 0; i < npid; i++) {
        char f[64], l[256];
        snprintf(f, sizeof f, "/proc/%d/status", pids[i]);
        FILE *x = fopen(f, "r");
        if (!x) continue;
        while (fgets(l, sizeof l, x))
            if (!strncmp(l, key, strlen(key))) {
                t += atol(l + strlen(key) + 1);
                break;
            }
        fclose(x);
    }
    return t;
}

static long pss_kb(void) {
    long t = 0;
    for (int i = 0; i < npid; i++) {
        char f[64], l[256];
        snprintf(f, sizeof f, "/proc/%d/smaps_rollup", pids[i]);
        FILE *x = fopen(f, "r");
        if (!x) continue;
        while (fgets(l, sizeof l, x))
            if (!strncmp(l, "Pss:", 4)) {
                t += atol(l + 4);
                break;
            }
        fclose(x);
    }
    return t;
}
