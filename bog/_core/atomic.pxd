"""Acquire, release, fences, a prefetch and a pause: says what atomic.h says."""

from libc.stdint cimport uint64_t

cdef extern from "atomic.h" nogil:
    uint64_t load_acquire "bog_load_acquire"(const uint64_t *word)
    uint64_t load_relaxed "bog_load_relaxed"(const uint64_t *word)
    void store_release "bog_store_release"(uint64_t *word, uint64_t value)
    void store_relaxed "bog_store_relaxed"(uint64_t *word, uint64_t value)
    void fence_acquire "bog_fence_acquire"()
    void fence_release "bog_fence_release"()
    void prefetch "bog_prefetch"(void *line)
    void prefetch_read "bog_prefetch_read"(const void *line)
    void pause "bog_pause"()
