/*
 * What the times of a feed are worth, and whether it has been good for long enough.
 *
 * Three clocks: ours (the writer's heartbeat, judged by risk: DENY_STALE), the venue's against ours
 * (`delayed`), and the venue's against itself (frozen, which is delayed too).
 * Owner: freshness.pxd is the only writer.
 */
#ifndef BOG_FRESHNESS_H
#define BOG_FRESHNESS_H

#include "types.h"

typedef struct bog_freshness {
    bog_ns_t exch_ns;  /* newest time of the venue that was believed, Unix */
    bog_ns_t moved_ns; /* event time at which it came */
    bog_ns_t good_ns;  /* event time of the first good book since the last doubt */
    int64_t good;      /* good books since then */
    uint32_t delayed;  /* the newest book is too old, or its time is impossible */
    uint32_t warm;     /* good for long enough */
} bog_freshness_t;

#endif
