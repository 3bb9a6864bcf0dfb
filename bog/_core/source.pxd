"""Recordings as a stream of rows, and the writers of tapes and of format 1."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from bog._core.frames cimport FrameParser
from bog._core.types cimport Row, ns_t, px_t, qty_t

cdef extern from "recording.h" nogil:
    enum: TAPE_VERSION "BOG_TAPE_VERSION"
    enum: CSV_ROW_MAX "BOG_CSV_ROW_MAX"
    const char *ROWS_HEADER "BOG_ROWS_HEADER"
    const char *ORDERS_HEADER "BOG_ORDERS_HEADER"
    const char *TAPE_MAGIC "BOG_TAPE_MAGIC"

    ctypedef struct Lines "bog_lines_t":
        const char *data
        size_t size
        size_t at
        uint64_t line
        ns_t last_ns
        int in_message
        int snapshot
        const char *what
        const char *right
        size_t bad_at
        size_t bad_n

    ctypedef struct OrderLine "bog_order_line_t":
        ns_t recv_ns
        ns_t exch_ns
        px_t px
        qty_t qty
        int64_t id
        int64_t taker
        const char *text
        size_t n
        uint8_t kind
        uint8_t side

    ctypedef struct Entry "bog_entry_t":
        int64_t key
        int64_t a
        int64_t b
        int64_t c

    ctypedef struct Map "bog_map_t":
        Entry *slot
        size_t mask
        size_t n

    ctypedef struct TapeHead "bog_tape_head_t":
        char magic[8]
        uint32_t version
        uint32_t market
        int32_t price_decimals
        int32_t size_decimals
        int64_t unix_offset_ns
        int64_t created_ns
        char created_by[80]
        uint32_t row_size
        uint32_t crc

    int lines_fail "bog_lines_fail"(
        Lines *l, const char *what, const char *right, const char *p, const char *end)
    int line_next "bog_line"(Lines *l, const char **first, const char **end)
    int csv_read "bog_csv_read"(Lines *l, Row *row)
    size_t csv_write "bog_csv_write"(char *out, const Row *row)
    int order_read "bog_order_read"(Lines *l, OrderLine *o)
    Entry *map_find "bog_map_find"(const Map *m, int64_t key)
    Entry *map_add "bog_map_add"(Map *m, int64_t key)
    void map_drop "bog_map_drop"(Map *m, Entry *entry)
    void map_clear "bog_map_clear"(Map *m)
    void crc_start "bog_crc_start"()
    uint32_t crc32 "bog_crc"(uint32_t crc, const void *data, size_t n)
    uint64_t tape_seal "bog_tape_seal"(const Row *row, uint64_t number)


cdef class Source:
    cdef readonly str path, name, format, note
    cdef readonly object market, price_decimals, size_decimals
    cdef readonly dict rows_by_kind
    cdef readonly long long rows, messages, first_recv_ns, last_recv_ns
    cdef const unsigned char[::1] view
    cdef object hold, digest
    cdef Lines lines
    cdef int kind, state
    cdef Row *one
    cdef Row *batch
    cdef long long batch_n, batch_at, batch_cap
    cdef ns_t seen_ns
    cdef FrameParser *parser
    cdef const char *frame_what
    cdef int frame_error
    cdef size_t frame_at
    cdef Map orders, levels
    cdef int64_t *touched
    cdef long long touched_n, touched_cap, prints, group
    cdef OrderLine held
    cdef int has_held
    cdef uint64_t tape_rows
    cdef int64_t unix_offset_ns

    cdef int next(self, Row *out) noexcept nogil
    cdef ns_t peek(self) noexcept nogil
    cdef void start(self) noexcept nogil
    cdef int load(self) noexcept nogil
    cdef int load_tape(self) noexcept nogil
    cdef int fill_frames(self) noexcept nogil
    cdef int fill_orders(self) noexcept nogil
    cdef int apply_order(self, const OrderLine *o) noexcept nogil
    cdef int touch(self, int side, px_t px, qty_t change) noexcept nogil
    cdef int refuse(self, const OrderLine *o, const char *what, const char *right) noexcept nogil
    cdef Row *room(self) noexcept nogil


cdef class TapeWriter:
    cdef readonly str path
    cdef readonly unsigned long long rows
    cdef int fd, failed
    cdef char *buffer
    cdef size_t used
    cdef Row *sealed
    cdef ns_t last_ns
    cdef TapeHead head

    cdef int write(self, const Row *row) noexcept nogil
    cdef int drain(self) noexcept nogil


cdef class CsvWriter:
    cdef readonly str path
    cdef readonly unsigned long long rows, left_out
    cdef int fd, failed
    cdef char *buffer
    cdef size_t used

    cdef int write(self, const Row *row) noexcept nogil
    cdef int drain(self) noexcept nogil
