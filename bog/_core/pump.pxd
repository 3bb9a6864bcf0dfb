"""The loop of bog-feed: rows from sources into publishers, each at its time."""

from libc.stdint cimport int64_t

from bog._core.market cimport Market
from bog._core.publisher cimport Publisher
from bog._core.recorder cimport CsvWriter, TapeWriter
from bog._core.source cimport Source
from bog._core.types cimport Row, ns_t

cpdef enum LaneState:
    LANE_RUNS = 0
    LANE_ENDED = 1    # the source is at its end, or the duration is over
    LANE_DAMAGED = 2  # the source cannot be read on, or it said an impossible row
    LANE_LOST = 3     # the shared-memory object was truncated


cdef class Lane:
    cdef readonly Publisher publisher
    cdef readonly Source source
    cdef readonly Market market
    cdef readonly TapeWriter tape
    cdef readonly CsvWriter dump
    cdef readonly int state, file_error  # file_error: errno of the first failed write, then none
    cdef readonly long long rows, messages, first_ns, last_ns  # times of the source
    cdef int started
    cdef ns_t duration_ns

    cdef ns_t peek(self) noexcept nogil
    cdef int take(self, Row *row) noexcept nogil
    cdef void keep(self, const Row *row) noexcept nogil
    cdef void message(self, ns_t origin, ns_t now, int64_t num, int64_t den) noexcept nogil


cdef class Pump:
    cdef readonly list lanes
    cdef int64_t num, den
    cdef int spin
    cdef ns_t origin, beat_ns

    cdef int turn(self, tuple lanes, ns_t end) except -1
