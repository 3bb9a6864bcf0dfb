"""Recordings as a stream of rows."""

from libc.stdint cimport int64_t, uint64_t

from bog._core.frames cimport FrameParser
from bog._core.l3 cimport L3
from bog._core.recording cimport Lines
from bog._core.types cimport Row, ns_t


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
    cdef Row *frame_rows
    cdef const Row *batch  # of one frame, or of one moment of l3
    cdef long long batch_n, batch_at
    cdef int looped    # behind the last row comes the first one
    cdef ns_t shift_ns  # what the passes before this one took
    cdef ns_t seen_ns   # time of the last row taken, less shift_ns
    cdef FrameParser *parser
    cdef const char *frame_what
    cdef int frame_error
    cdef size_t frame_at
    cdef L3 l3
    cdef uint64_t tape_rows
    cdef int64_t unix_offset_ns

    cdef int next(self, Row *out) noexcept nogil
    cdef ns_t peek(self) noexcept nogil
    cdef void start(self) noexcept nogil
    cdef int load(self) noexcept nogil
    cdef int fetch(self) noexcept nogil
    cdef int load_tape(self) noexcept nogil
    cdef int fill_frames(self) noexcept nogil
    cdef int fill_orders(self) noexcept nogil
