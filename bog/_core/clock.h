/*
 * The host's clocks, for what meets the world: the step gets time inside its events.
 *
 * A look at the host's clock takes 25 ns and waits for all that came before. bog_clock_t reads the
 * processor's time stamp instead, and the host's clock only each millisecond: an anchor.
 * Owner: the loop. Invariant: between two anchors it is off by what the rate is, which 100 ms have
 * told to some 1e-7; a time stamp that was ever off by more than BOG_CLOCK_OFF_NS is not believed
 * until its rate was measured anew, and meanwhile each look is one at the host's clock.
 */
#ifndef BOG_CLOCK_H
#define BOG_CLOCK_H

#include <time.h>

#include "apart.h"
#include "types.h"

#define BOG_CLOCK_ANCHOR_NS 1000000LL /* to the next anchor, and to the first rate */
#define BOG_CLOCK_RATE_NS 100000000LL /* to a rate measured anew */
#define BOG_CLOCK_OFF_NS 1000LL
#define BOG_CLOCK_APART 8192 /* ticks around a look at the host's clock; more: it was interrupted */

static inline bog_ns_t bog_mono_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (bog_ns_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* The processor's time stamp, and how it becomes the host's time. Zeroed it is ready for use. */
typedef struct bog_clock {
    uint64_t ticks; /* at the last anchor */
    bog_ns_t ns;
    uint64_t far;        /* ticks from there to the next one; 0: look at the host's clock */
    uint64_t rate;       /* ns a tick, 32 bits behind the point; 0: not known yet */
    uint64_t base_ticks; /* since when the rate is being measured */
    bog_ns_t base_ns;
} bog_clock_t;

#if defined(__x86_64__)
/* `done`: not before everything that came before has been done. */
static inline uint64_t bog_time_stamp(int done)
{
    unsigned cpu;
    return done ? __builtin_ia32_rdtscp(&cpu) : __builtin_ia32_rdtsc();
}

/* Measure the rate, when it is time to, and forget one that has led astray. */
static inline void bog_clock_measure(bog_clock_t *clock, uint64_t ticks, bog_ns_t ns)
{
    uint64_t gap = ticks - clock->ticks, passed = gap * clock->rate >> 32;
    bog_ns_t off = clock->ns + (bog_ns_t)passed - ns, span = ns - clock->base_ns;
    /* for each anchor that was left out as much again; after some seconds nothing is known */
    bog_ns_t most = BOG_CLOCK_OFF_NS + (bog_ns_t)passed * BOG_CLOCK_OFF_NS / BOG_CLOCK_ANCHOR_NS;
    if (clock->base_ticks == 0 || gap >> 32 || (clock->rate && (off > most || off < -most))) {
        clock->rate = 0;
        clock->base_ticks = ticks;
        clock->base_ns = ns;
    } else if (span >= (clock->rate ? BOG_CLOCK_RATE_NS : BOG_CLOCK_ANCHOR_NS)) {
        clock->rate = ((uint64_t)span << 32) / (ticks - clock->base_ticks + 1);
        if (span >= BOG_CLOCK_RATE_NS) {
            clock->base_ticks = ticks;
            clock->base_ns = ns;
        }
    }
}

/* Look at the host's clock, and anchor the time stamp to it. */
static BOG_APART_NS bog_clock_anchor(bog_clock_t *clock)
{
    uint64_t before = bog_time_stamp(1);
    bog_ns_t ns = bog_mono_ns();
    uint64_t apart = bog_time_stamp(1) - before;
    clock->far = 0;
    if (apart > BOG_CLOCK_APART)
        return ns;
    bog_clock_measure(clock, before + apart / 2, ns);
    clock->ticks = before + apart / 2;
    clock->ns = ns;
    if (clock->rate)
        clock->far = ((uint64_t)BOG_CLOCK_ANCHOR_NS << 32) / clock->rate;
    return ns;
}

static inline bog_ns_t bog_clock_read(bog_clock_t *clock, int done)
{
    uint64_t ticks = bog_time_stamp(done) - clock->ticks;
    if (ticks >= clock->far)
        return bog_clock_anchor(clock);
    return clock->ns + (bog_ns_t)(ticks * clock->rate >> 32);
}
#else
static inline bog_ns_t bog_clock_read(bog_clock_t *clock, int done)
{
    (void)clock;
    (void)done;
    return bog_mono_ns();
}
#endif

/* Return about now, CLOCK_MONOTONIC, without waiting for what is still under way. */
static inline bog_ns_t bog_clock_now(bog_clock_t *clock)
{
    return bog_clock_read(clock, 0);
}

/* Return when all that came before has been done. */
static inline bog_ns_t bog_clock_done(bog_clock_t *clock)
{
    return bog_clock_read(clock, 1);
}

/* Sleep for about `ns`; a signal may end it early. */
static inline void bog_nap(bog_ns_t ns)
{
    struct timespec ts = { .tv_sec = ns / 1000000000LL, .tv_nsec = ns % 1000000000LL };
    if (ns > 0)
        nanosleep(&ts, 0);
}

#endif
