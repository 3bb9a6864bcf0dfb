"""The journal's hot end for the engine: says what journal.h says; JournalFile is its cold end."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from bog._core.crc32c cimport crc32c_fn
from bog._core.types cimport JournalRec

cdef extern from "journal.h" nogil:
    enum: JOURNAL_PAGE "BOG_JOURNAL_PAGE"
    enum: JOURNAL_VERSION "BOG_JOURNAL_VERSION"
    enum: JOURNAL_SEALED_BYTES "BOG_JOURNAL_SEALED_BYTES"

    ctypedef struct JournalHeader "bog_journal_header_t":
        char magic[8]
        uint32_t version
        uint32_t market
        uint64_t account
        uint64_t run
        uint8_t price_decimals
        uint8_t size_decimals
        uint8_t mode
        uint8_t pad[5]
        char run_id[32]
        char build[56]
        uint8_t config_hash[32]
        uint8_t zero[3932]
        uint32_t crc

    ctypedef struct Segment "bog_segment_t":
        char magic[8]
        uint32_t version
        uint32_t market
        uint64_t account
        uint64_t run
        uint64_t capacity
        uint32_t header_crc
        uint32_t pid
        uint64_t written
        uint64_t durable
        int32_t failed
        char path[3904]

    cpdef enum JournalResult "bog_journal_result":
        JOURNAL_OK "BOG_JOURNAL_OK"
        JOURNAL_FULL "BOG_JOURNAL_FULL"
        JOURNAL_FAILED "BOG_JOURNAL_FAILED"

    ctypedef struct Journal "bog_journal_t":
        JournalRec *slots
        Segment *page
        uint64_t capacity
        uint64_t written
        uint64_t durable_seen
        crc32c_fn crc32c
        uint32_t crc
        uint32_t market

    ctypedef struct JournalNext "bog_journal_next_t":
        Segment *page
        JournalRec *slots
        uint32_t crc
        int32_t fd
        uint32_t ready
        uint32_t taken

    uint64_t journal_durable "bog_journal_durable"(const Journal *journal)
    uint64_t journal_room "bog_journal_room"(const Journal *journal)
    bint journal_fits "bog_journal_fits"(Journal *journal, uint64_t n)
    int journal_append "bog_journal_append"(Journal *journal, const JournalRec *rec)
    int64_t journal_append_all "bog_journal_append_all"(Journal *journal, const JournalRec *rec, int64_t n)
    int journal_append_last "bog_journal_append_last"(Journal *journal, const JournalRec *rec)
    int journal_turn "bog_journal_turn"(Journal *journal, JournalNext *next)


cdef class JournalFile:
    cdef Journal *journal
    cdef JournalNext *next       # the file that follows; loop.pyx turns to it
    cdef void *owned
    cdef int lock_fd
    cdef uint64_t run            # of the newest file
    cdef readonly uint64_t rotate_at  # records of a file; 0: it is never turned over
    cdef str directory, segments
    cdef bint started            # the flusher's thread runs

    cdef uint64_t run_now(self) noexcept
    cdef uint32_t get_market(self) noexcept
    cdef void release(self) noexcept
