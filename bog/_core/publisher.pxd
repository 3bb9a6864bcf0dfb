"""The writing end of a Huginn object; lane.pyx and pump.pyx call the nogil verbs."""

from libc.stdint cimport uint32_t, uint64_t

from bog._core.depth cimport Depth
from bog._core.huginn cimport Huginn
from bog._core.types cimport Row, ns_t


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
    cdef void restamp(self, Row *r, ns_t recv_ns) noexcept nogil
    cdef void publish(self, const Row *r, uint64_t seq, int flags) noexcept nogil
    cdef void sync(self) noexcept nogil
    cdef int frame(self, const Row *rows, int n) noexcept nogil
