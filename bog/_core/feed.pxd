"""Both ends of a Huginn object: one Publisher writes it, any number of Readers follow it.

loop.pyx and pump.pyx call the nogil verbs; what a read returns is `FeedRead` of huginn.pxd.
"""

from libc.stdint cimport uint32_t, uint64_t

from bog._core.depth cimport Depth
from bog._core.huginn cimport Huginn
from bog._core.types cimport Record, Row, ns_t

cpdef enum Refusal:
    REFUSE_NONE = 0
    REFUSE_OPEN = 1       # found: errno
    REFUSE_TYPE = 2
    REFUSE_OWNER = 3
    REFUSE_MODE = 4
    REFUSE_LINKS = 5
    REFUSE_SIZE = 6
    REFUSE_MAP = 7        # found: errno
    REFUSE_MAGIC = 8
    REFUSE_VERSION = 9
    REFUSE_GEOMETRY = 10
    REFUSE_DEX = 11
    REFUSE_MARKET = 12
    REFUSE_DEPTH = 13
    REFUSE_PX_DECIMALS = 14
    REFUSE_QTY_DECIMALS = 15
    REFUSE_WRITER = 16
    REFUSE_EPOCH = 17
    REFUSE_STATE = 18
    REFUSE_CLOCK = 19
    REFUSE_RESERVED = 20


cdef class Publisher:
    cdef Huginn *page
    cdef Depth *book            # the book after the last row; the page in shared memory follows it
    cdef int fd, guard, truncated, pending, message_flags
    cdef uint32_t maker         # process that created it: a fork inherits no right to write
    cdef uint64_t whole         # rows up to the last end of a book message
    cdef uint64_t book_seq      # record number of the book message under way
    cdef ns_t now_ns, synced_ns, recv_ns
    cdef readonly uint64_t rows, seq, refused
    cdef readonly str path
    cdef readonly uint32_t market

    cdef int row(self, const Row *r) noexcept nogil
    cdef void beat(self, ns_t now) noexcept nogil
    cdef void publish(self, const Row *r, uint64_t seq, int flags) noexcept nogil
    cdef void sync(self) noexcept nogil


cdef class Reader:
    cdef Huginn *page
    cdef int guard, truncated, fresh, idle
    cdef uint32_t owner
    cdef int want_px_decimals, want_qty_decimals
    cdef uint64_t device, inode
    cdef const char *name
    cdef bytes name_bytes
    cdef Depth *scratch
    cdef readonly uint32_t dex, market
    cdef readonly str path
    cdef readonly uint64_t next          # number of the row that next_row delivers next
    cdef readonly uint64_t next_seq      # number of the record that next_record delivers next
    cdef readonly uint64_t epoch, epochs, laps, lost_rows, lost_records, gaps, torn, garbage
    cdef readonly int code               # last answer of row(), record() or book(), FeedRead
    cdef readonly int refusal            # why the last attach failed, Refusal
    cdef readonly long long found, wanted

    cdef int attach(self) noexcept nogil
    cdef int follow(self) noexcept nogil
    cdef int next_row(self, Row *out) noexcept nogil
    cdef int next_record(self, Record *out) noexcept nogil
    cdef int snapshot(self, Depth *out) noexcept nogil
    cdef ns_t heartbeat(self) noexcept nogil
    cdef ns_t unix_offset(self) noexcept nogil
    cdef int standing(self) noexcept nogil
    cdef int quiet(self, uint64_t last, const uint64_t *published) noexcept nogil
    cdef int refuse(self, int why, long long found, long long wanted) noexcept nogil
    cdef int check(self, const Huginn *page) noexcept nogil
