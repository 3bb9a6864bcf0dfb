/*
 * The market breaker's memory: the last mid it believed, and what it holds against the book.
 *
 * Owner: breaker.pxd is the only writer; the engine reads `violation` and `count`.
 * Invariant: a violating book never becomes the reference.
 */
#ifndef BOG_BREAKER_H
#define BOG_BREAKER_H

#include "types.h"

/* What is wrong with a book. Member names are the log field. */
enum bog_violation {
    BOG_VIOLATION_NONE = 0,
    BOG_VIOLATION_SPREAD = 1, /* wider than breaker_spread_ppm of its mid */
    BOG_VIOLATION_MOVE = 2,   /* its mid is further than breaker_move_ppm from the reference */
    BOG_VIOLATION_PRICE = 3,  /* a price that no book can have */
};

typedef struct bog_breaker {
    bog_px_t mid2;      /* mid of the last accepted book, half ticks; 0: the next one is taken */
    int64_t count;      /* violations in a row */
    uint64_t violation; /* enum bog_violation of the newest book */
} bog_breaker_t;

#endif
