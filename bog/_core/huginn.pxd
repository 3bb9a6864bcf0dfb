"""Huginn for Cython: says what huginn.h says, field by field, without the prefix."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from bog._core.depth cimport Depth
from bog._core.types cimport Record, Row, ns_t

cdef extern from "huginn.h" nogil:
    const uint64_t HG_MAGIC "BOG_HG_MAGIC"
    enum: HG_VERSION "BOG_HG_VERSION"
    enum: HG_PAGE "BOG_HG_PAGE"
    enum: HG_RECORDS "BOG_HG_RECORDS"
    enum: HG_ROWS "BOG_HG_ROWS"
    enum: HG_SYNC "BOG_HG_SYNC"
    enum: HG_MARKETS "BOG_HG_MARKETS"

    cpdef enum FeedState "bog_hg_state":
        HG_OPEN "BOG_HG_OPEN"
        HG_CLOSED "BOG_HG_CLOSED"
        HG_REPLACED "BOG_HG_REPLACED"

    cpdef enum FeedRead "bog_hg_read":
        READ_NOTHING "BOG_READ_NOTHING"
        READ_ROW "BOG_READ_ROW"
        READ_LAPPED "BOG_READ_LAPPED"
        READ_EPOCH "BOG_READ_EPOCH"
        READ_GONE "BOG_READ_GONE"
        READ_BACKWARDS "BOG_READ_BACKWARDS"
        READ_GARBAGE "BOG_READ_GARBAGE"

    cpdef enum Step "bog_hg_step":
        STEP_NEXT "BOG_STEP_NEXT"
        STEP_SAME "BOG_STEP_SAME"
        STEP_GAP "BOG_STEP_GAP"
        STEP_BACK "BOG_STEP_BACK"

    ctypedef struct HgHeader "bog_hg_header_t":
        uint64_t magic
        uint32_t version
        uint32_t header_size
        uint64_t object_size
        uint32_t dex
        uint32_t market
        uint32_t pid
        uint8_t price_decimals
        uint8_t size_decimals
        uint8_t depth
        uint8_t reserved0
        uint64_t pid_start
        uint64_t epoch
        uint64_t state
        uint32_t record_size
        uint32_t record_slots
        uint32_t row_size
        uint32_t row_slots
        uint64_t record_offset
        uint64_t row_offset
        uint64_t book_offset
        uint64_t book_size
        ns_t start_ns
        ns_t unix_offset_ns
        ns_t heartbeat_ns
        uint64_t reserved1[7]
        uint64_t rows
        uint64_t seq
        uint64_t first_seq
        uint64_t reserved2[5]
        uint8_t reserved3[3840]

    ctypedef struct HgBook "bog_hg_book_t":
        uint64_t lock
        uint64_t rows
        uint64_t reserved[6]
        Depth depth

    ctypedef struct Huginn "bog_hg_t":
        HgHeader header
        Record records[16]
        Row rows[65536]
        HgBook book

    int hg_step "bog_hg_step"(uint64_t last, uint64_t seq, uint64_t *missing)
    void hg_begin "bog_hg_begin"(uint64_t *gen, uint64_t whole)
    void hg_end "bog_hg_end"(uint64_t *gen, uint64_t whole)
    int hg_read "bog_hg_read"(const void *slot, size_t size, uint64_t whole, uint64_t lap,
                              void *out, uint64_t *torn)
    int hg_row_ok "bog_hg_row_ok"(const Row *row)
    int hg_depth_ok "bog_hg_depth_ok"(const Depth *depth)
    int hg_book_read "bog_hg_book_read"(const HgBook *page, Depth *out, uint64_t *rows)
