"""The byte formats of recordings for Cython: says what recording.h says."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

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
    void crc_start "bog_crc_start"()
    uint32_t crc32 "bog_crc"(uint32_t crc, const void *data, size_t n)
    uint64_t tape_seal "bog_tape_seal"(const Row *row, uint64_t number)
