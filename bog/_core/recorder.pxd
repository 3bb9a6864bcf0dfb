"""The writers of recordings: tapes, and rows as CSV (format 1)."""

from bog._core.recording cimport TapeHead
from bog._core.types cimport Row, ns_t


cdef class RowWriter:
    cdef readonly str path
    cdef readonly unsigned long long rows
    cdef int fd, failed
    cdef char *buffer
    cdef size_t used, row_max  # bytes in the buffer; those that a row needs there at most

    cdef int create(self, path, int how) except -1
    cdef int write(self, const Row *row) noexcept nogil
    cdef int put(self, const Row *row) noexcept nogil
    cdef int drain(self) noexcept nogil
    cdef int settle(self) except -1
    cdef str refusal(self, ns_t recv_ns)
    cdef int check(self, int code, ns_t recv_ns) except -1


cdef class TapeWriter(RowWriter):
    cdef Row *sealed
    cdef ns_t last_ns
    cdef TapeHead head


cdef class CsvWriter(RowWriter):
    cdef readonly unsigned long long left_out
