"""The reading end of a Huginn object; what a read returns is `FeedRead` of huginn.pxd."""

from libc.stdint cimport uint32_t, uint64_t

from bog._core.depth cimport Depth
from bog._core.huginn cimport Huginn
from bog._core.refusal cimport Expected, Refused
from bog._core.types cimport Record, Row, ns_t


cdef class Reader:
    cdef Huginn *page
    cdef int guard, truncated, fresh, idle
    cdef Expected want
    cdef Refused refused                 # why the last attach failed
    cdef uint64_t device, inode
    cdef const char *name
    cdef bytes name_bytes
    cdef Depth *scratch
    cdef readonly uint32_t dex, market
    cdef readonly str path
    cdef int back                        # the writer's count went back: next means nothing
    cdef int holed                       # a row that is counted stands nowhere
    cdef int wary                        # it did once: slots hold rows that are not yet written
    cdef uint64_t behind                 # the writer's count was seen behind this number,
    cdef ns_t behind_beat                # when this was its sign of life
    cdef uint64_t ended                  # rows up to the end of the last message delivered
    cdef readonly uint64_t next          # number of the row that next_row delivers next
    cdef readonly uint64_t next_seq      # number of the record that next_record delivers next
    cdef readonly uint64_t epoch, epochs, laps, lost_rows, lost_records, gaps, torn, garbage
    cdef readonly int code               # last answer of row(), record() or book(), FeedRead

    cdef int attach(self) noexcept nogil
    cdef int follow(self) noexcept nogil
    cdef int next_row(self, Row *out) noexcept nogil
    cdef int next_record(self, Record *out) noexcept nogil
    cdef int snapshot(self, Depth *out) noexcept nogil
    cdef ns_t heartbeat(self) noexcept nogil
    cdef ns_t unix_offset(self) noexcept nogil
    cdef int standing(self) noexcept nogil
    cdef int quiet(self, uint64_t last, const uint64_t *published) noexcept nogil
    cdef int counted(self) noexcept nogil
    cdef int hole(self) noexcept nogil
