/*
 * The market breaker's memory: the last mid it believed, and what it holds against the book.
 *
 * Owner: breaker.pxd is the only writer; the engine reads `violation` and `count`.
 * Invariant: a violating book never becomes the reference.
 */
#ifndef BOG_BREAKER_H
#define BOG_BREAKER_H

#include "types.h"

typedef struct bog_breaker {
    bog_px_t mid2;      /* mid of the last accepted book, half ticks; 0: the next one is taken */
    int64_t count;      /* violations in a row */
    uint64_t violation; /* enum bog_violation of the newest book */
} bog_breaker_t;

#endif
