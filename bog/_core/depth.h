/*
 * A whole order book in flat memory.
 *
 * Owner: whoever holds the memory: the feed's publisher (in shared memory, under a sequence lock),
 * a replay, the paper venue. Pointer-free, so that a reader may copy it as bytes.
 * Invariant: levels are sorted with the best one last, because changes crowd near the touch and an
 * insert then moves few of them; sizes are positive; no price stands twice.
 */
#ifndef BOG_DEPTH_H
#define BOG_DEPTH_H

#include "types.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BOG_DEPTH_CAP 32768 /* levels a side; the farthest is dropped beyond */

typedef struct bog_depth {
    alignas(BOG_CACHE_LINE) uint64_t seq; /* market record of the last message in it */
    int64_t n[2];                         /* levels a side */
    bog_px_t bound[2];                    /* prices beyond this were dropped; 0 when none were */
    uint64_t dropped;                     /* levels dropped for want of room */
    uint64_t pad[2];
    alignas(BOG_CACHE_LINE) bog_px_t px[2][BOG_DEPTH_CAP];
    bog_qty_t qty[2][BOG_DEPTH_CAP];
} bog_depth_t;

#if defined(__x86_64__)
/* Ten numbers of which the best is the last: the best eight, and two, each from the best on. */
__attribute__((target("avx2"))) static inline void bog_turn_ten(const int64_t *best, int64_t *eight,
                                                                int64_t *two)
{
    _mm256_storeu_si256(
        (__m256i *)eight,
        _mm256_permute4x64_epi64(_mm256_loadu_si256((const __m256i *)(best - 3)), 0x1B));
    _mm256_storeu_si256(
        (__m256i *)(eight + 4),
        _mm256_permute4x64_epi64(_mm256_loadu_si256((const __m256i *)(best - 7)), 0x1B));
    _mm_storeu_si128((__m128i *)two,
                     _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(best - 9)), 0x4E));
}

/* The touch and ten levels of both sides, which stand. */
__attribute__((target("avx2"))) static void bog_depth_ten_avx2(const bog_depth_t *depth,
                                                               bog_record_t *record)
{
    int64_t bid = depth->n[BOG_BID] - 1, ask = depth->n[BOG_ASK] - 1;
    bog_turn_ten(&depth->px[BOG_BID][bid], record->bids_px, record->bids_px_tail);
    bog_turn_ten(&depth->qty[BOG_BID][bid], record->bids_qty, record->bids_qty_tail);
    bog_turn_ten(&depth->px[BOG_ASK][ask], record->asks_px, record->asks_px_tail);
    bog_turn_ten(&depth->qty[BOG_ASK][ask], record->asks_qty, record->asks_qty_tail);
    record->bid = depth->px[BOG_BID][bid];
    record->bid_qty = depth->qty[BOG_BID][bid];
    record->ask = depth->px[BOG_ASK][ask];
    record->ask_qty = depth->qty[BOG_ASK][ask];
}
#endif

/*
 * 1: the touch and ten levels a side were written to `record`, in vectors: most of what a message
 * costs beside the turn was this copy. 0: fewer stand, or this processor has no such vectors.
 */
static inline int bog_depth_ten(const bog_depth_t *depth, bog_record_t *record)
{
#if defined(__x86_64__)
    if (depth->n[BOG_BID] >= BOG_DEPTH && depth->n[BOG_ASK] >= BOG_DEPTH &&
        __builtin_cpu_supports("avx2")) {
        bog_depth_ten_avx2(depth, record);
        return 1;
    }
#endif
    (void)depth;
    (void)record;
    return 0;
}

#endif
