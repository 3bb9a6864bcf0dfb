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

#endif
