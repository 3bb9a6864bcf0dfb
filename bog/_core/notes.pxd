"""What the paper venue remembers of single price levels: says what notes.h says."""

from libc.stdint cimport int64_t, uint64_t

from bog._core.types cimport ns_t, px_t, qty_t

cdef extern from "notes.h" nogil:
    enum: NOTES_CAP "BOG_NOTES_CAP"
    enum: NOTES_MAX "BOG_NOTES_MAX"

    ctypedef struct Note "bog_note_t":
        uint64_t key
        qty_t unexplained
        ns_t unexplained_until
        qty_t seen
        ns_t seen_until
        qty_t used
        qty_t taken
        ns_t taken_until

    ctypedef struct Notes "bog_notes_t":
        int64_t count
        ns_t next_sweep
        uint64_t full
        Note slot[8192]

    Note *notes_find "bog_notes_find"(Notes *notes, int side, px_t px)
    Note *notes_get "bog_notes_get"(Notes *notes, int side, px_t px, ns_t now, ns_t pause_ns)
    void notes_sweep "bog_notes_sweep"(Notes *notes, ns_t now)
    void notes_clear_used "bog_notes_clear_used"(Notes *notes)
    qty_t sum_at "bog_sum_at"(qty_t sum, ns_t until, ns_t now)
    void sum_add "bog_sum_add"(qty_t *sum, ns_t *until, qty_t qty, ns_t now, ns_t until_new)
