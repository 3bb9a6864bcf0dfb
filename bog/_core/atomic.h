/*
 * The few atomic operations that shared memory needs: acquire, release, fences, a prefetch, a pause.
 *
 * No locked instruction is among them: every word has one writer.
 */
#ifndef BOG_ATOMIC_H
#define BOG_ATOMIC_H

#include <stdint.h>

static inline uint64_t bog_load_acquire(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline uint64_t bog_load_relaxed(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline void bog_store_release(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void bog_store_relaxed(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Loads before it are done before loads and stores after it. */
static inline void bog_fence_acquire(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/* Loads and stores before it are done before stores after it. */
static inline void bog_fence_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Ask for a cache line that will be written soon. */
static inline void bog_prefetch(void *line)
{
    __builtin_prefetch(line, 1);
}

/* Ask for a cache line that will be read soon. */
static inline void bog_prefetch_read(const void *line)
{
    __builtin_prefetch(line, 0);
}

/* Tell the processor that this is a spin. */
static inline void bog_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
