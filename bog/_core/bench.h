/*
 * What the benchmarks measure with: a clock of the processor, a reference kernel, a meeting place.
 *
 * Owner: bench.pyx; nothing that trades includes it.
 */
#ifndef BOG_BENCH_H
#define BOG_BENCH_H

#include "atomic.h"
#include "clock.h"
#include "types.h"

/*
 * Where two processes throw a word to each other: each has a cache line of its own.
 *
 * Owner: the feed's process writes `ping`, the engine's process `pong`.
 */
typedef struct bog_meeting {
    alignas(BOG_CACHE_LINE) uint64_t ping;
    alignas(BOG_CACHE_LINE) uint64_t pong;
} bog_meeting_t;

/* Return the processor's time stamp once everything before has been done; the same on all cores. */
static inline uint64_t bog_ticks(void)
{
#if defined(__x86_64__)
    __builtin_ia32_lfence();
    uint64_t now = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return now;
#else
    return (uint64_t)bog_mono_ns();
#endif
}

/* Return the same without waiting for anything. */
static inline uint64_t bog_ticks_now(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)bog_mono_ns();
#endif
}

/* The reference: `n` times a chain of 100 multiplications and additions, each waiting for the last. */
static inline uint64_t bog_reference(uint64_t y, int64_t n)
{
    for (int64_t i = 0; i < 100 * n; i++) {
        y = y * 6364136223846793005ULL + 1442695040888963407ULL;
        __asm__ volatile("" : "+r"(y)); /* no two steps become one */
    }
    return y;
}

#endif
