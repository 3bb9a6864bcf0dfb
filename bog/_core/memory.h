/*
 * Memory for structs that need whole cache lines: taken once at start, zeroed, prefaulted; and how a
 * line is copied.
 *
 * Python's own allocator aligns to 16 bytes while the compiler believes 64, hence this. What is long
 * stands in huge pages where the host gives them on request: hundreds of markets have more small ones
 * than the processor remembers.
 */
#ifndef BOG_MEMORY_H
#define BOG_MEMORY_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "types.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define BOG_HUGE (2UL << 20)

/* Return `size` zeroed bytes on a cache line, or NULL. Free with free(). */
static inline void *bog_lines(size_t size)
{
    size_t whole = (size + BOG_CACHE_LINE - 1) / BOG_CACHE_LINE * BOG_CACHE_LINE;
    void *lines = NULL;
    if (posix_memalign(&lines, whole < BOG_HUGE ? BOG_CACHE_LINE : BOG_HUGE, whole))
        return NULL;
    if (whole >= BOG_HUGE)
        madvise(lines, whole / BOG_HUGE * BOG_HUGE, MADV_HUGEPAGE);
    memset(lines, 0, whole);
    return lines;
}

/* Eight bytes of anything, where they are. */
typedef union __attribute__((packed, may_alias)) bog_word {
    uint64_t all;
    uint32_t half;
} bog_word_t;

/*
 * Copy `n` words that were written a moment ago, word by word: a load that spans several stores waits
 * until they, and all before them, have left for the cache.
 */
static inline void bog_copy_fresh(void *to, const void *from, int n)
{
    for (int i = 0; i < n; i++) {
        uint64_t word = ((const bog_word_t *)from)[i].all;
        __asm__("" : "+r"(word)); /* no two become one vector */
        ((bog_word_t *)to)[i].all = word;
    }
}

/* Copy one cache line; both begin on one. */
static inline void bog_copy_line(void *to, const void *from)
{
#if defined(__AVX2__)
    const __m256i *half = (const __m256i *)from;
    ((__m256i *)to)[0] = half[0];
    ((__m256i *)to)[1] = half[1];
#else
    memcpy(to, from, BOG_CACHE_LINE);
#endif
}

#endif
