/*
 * Counts the calls of malloc, calloc, realloc and free of each thread: preload it, then ask
 * bog_allocations() in the thread of interest.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static __thread uint64_t calls __attribute__((tls_model("initial-exec")));
static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static char early[65536]; /* dlsym itself allocates before we know the allocator */
static size_t early_used;

static void find(void)
{
    static int finding;
    if (finding || next_free)
        return;
    finding = 1;
    next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    next_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    finding = 0;
}

static void *early_bytes(size_t size)
{
    size_t at = early_used;
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof early - at)
        return NULL;
    early_used = at + size;
    return early + at;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof early;
}

uint64_t bog_allocations(void)
{
    return calls;
}

void *malloc(size_t size)
{
    calls++;
    find();
    return next_malloc ? next_malloc(size) : early_bytes(size);
}

void *calloc(size_t n, size_t size)
{
    calls++;
    find();
    return next_calloc ? next_calloc(n, size) : early_bytes(n * size);
}

void *realloc(void *p, size_t size)
{
    void *fresh;
    calls++;
    find();
    if (next_realloc && !is_early(p))
        return next_realloc(p, size);
    fresh = malloc(size);
    if (fresh && p) /* old size unknown: the rest of the early bytes is readable */
        memcpy(fresh, p,
               (size_t)(early + sizeof early - (char *)p) < size
                   ? (size_t)(early + sizeof early - (char *)p)
                   : size);
    return fresh;
}

void free(void *p)
{
    calls++;
    if (!p || is_early(p))
        return;
    find();
    if (next_free)
        next_free(p);
}
