"""The thread that copies a journal to disk, for Cython: says what flusher.h says."""

from bog._core.journal cimport Segment
from bog._core.types cimport JournalRec

cdef extern from "flusher.h" nogil:
    ctypedef struct Flusher "bog_flusher_t":
        Segment *page
        const JournalRec *slots
        int fd
        int stop

    int flusher_flush "bog_flusher_flush"(Flusher *flusher)
    int flusher_start "bog_flusher_start"(Flusher *flusher)
    void flusher_stop "bog_flusher_stop"(Flusher *flusher)
