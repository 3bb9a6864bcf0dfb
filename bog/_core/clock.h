/* The host's clocks, for what meets the world: the step gets time inside its events. */
#ifndef BOG_CLOCK_H
#define BOG_CLOCK_H

#include <time.h>

#include "types.h"

static inline bog_ns_t bog_mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (bog_ns_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Sleep for about `ns`; a signal may end it early. */
static inline void bog_nap(bog_ns_t ns)
{
    struct timespec ts = { .tv_sec = ns / 1000000000LL, .tv_nsec = ns % 1000000000LL };
    if (ns > 0)
        nanosleep(&ts, 0);
}

#endif
