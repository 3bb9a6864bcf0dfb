/*
 * Log-linear histogram of nanoseconds: exact below 16, then 8 buckets an octave (at most 12.5 % wide).
 *
 * One writer, plain stores; readers may see a bump late, never a wrong bucket.
 */
#ifndef BOG_HIST_H
#define BOG_HIST_H

#include "types.h"

#define BOG_HIST_BUCKETS 496

typedef struct bog_hist {
    uint64_t count;
    uint64_t max_ns;
    uint64_t sum_ns;
    uint64_t bucket[BOG_HIST_BUCKETS];
} bog_hist_t;

static inline int bog_hist_index(uint64_t v)
{
    int octave;
    if (v < 16)
        return (int)v;
    octave = 60 - __builtin_clzll(v); /* 0 for 16..31 less the linear part */
    return 16 + ((octave - 1) << 3) + (int)((v >> octave) & 7);
}

/* Return the smallest value that falls into bucket `i`. */
static inline uint64_t bog_hist_floor(int i)
{
    int octave, sub;
    if (i < 16)
        return (uint64_t)i;
    octave = ((i - 16) >> 3) + 1;
    sub = (i - 16) & 7;
    return (uint64_t)(8 + sub) << octave;
}

static inline void bog_hist_add(bog_hist_t *hist, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    hist->bucket[bog_hist_index(v)]++;
    hist->count++;
    hist->sum_ns += v;
    if (v > hist->max_ns)
        hist->max_ns = v;
}

/* Return the value below which `ppm` millionths of the samples lie, to the bucket's floor; 0 when empty. */
static inline uint64_t bog_hist_quantile(const bog_hist_t *hist, int64_t ppm)
{
    uint64_t rank, seen = 0;
    if (!hist->count)
        return 0;
    rank = (uint64_t)(((unsigned __int128)hist->count * (uint64_t)ppm + 999999) / 1000000);
    for (int i = 0; i < BOG_HIST_BUCKETS; i++) {
        seen += hist->bucket[i];
        if (seen >= rank && seen)
            return bog_hist_floor(i);
    }
    return hist->max_ns;
}

#endif
