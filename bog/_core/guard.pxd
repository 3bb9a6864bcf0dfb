"""Guard a mapping against truncation: says what guard.h says."""

cdef extern from "guard.h" nogil:
    int guard_add "bog_guard_add"(void *base, size_t size, int prot, int *lost)
    void guard_drop "bog_guard_drop"(int place)
