/*
 * Memory for structs that need whole cache lines: taken once at start, zeroed, prefaulted.
 *
 * Python's own allocator aligns to 16 bytes while the compiler believes 64, hence this.
 */
#ifndef BOG_MEMORY_H
#define BOG_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "types.h"

/* Return `size` zeroed bytes on a cache line, or NULL. Free with free(). */
static inline void *bog_lines(size_t size)
{
    size_t whole = (size + BOG_CACHE_LINE - 1) / BOG_CACHE_LINE * BOG_CACHE_LINE;
    void *lines = aligned_alloc(BOG_CACHE_LINE, whole);
    if (lines)
        memset(lines, 0, whole);
    return lines;
}

#endif
