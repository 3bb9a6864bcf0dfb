"""Zeroed memory on cache lines, as memory.h gives it; free() it in __dealloc__."""

cdef extern from "memory.h" nogil:
    void *lines "bog_lines"(size_t size)
    void copy_line "bog_copy_line"(void *to, const void *from_)
