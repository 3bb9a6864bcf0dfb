"""The stats page for Cython: says what stats.h says."""

from libc.stdint cimport int64_t, uint64_t

from bog._core.hist cimport Hist
from bog._core.level cimport Control
from bog._core.measure cimport Measure
from bog._core.types cimport Order, Position, Report, half_t, ns_t, px_t, qty_t

cdef extern from "stats.h" nogil:
    const uint64_t STATS_MAGIC "BOG_STATS_MAGIC"
    const uint64_t STATS_VERSION "BOG_STATS_VERSION"
    enum: STATS_ORDERS "BOG_STATS_ORDERS"
    enum: STATS_FILLS "BOG_STATS_FILLS"
    enum: STATS_STATES "BOG_STATS_STATES"

    cpdef enum Stage "bog_stage":
        STAGE_READ "BOG_STAGE_READ"
        STAGE_BOOK "BOG_STAGE_BOOK"
        STAGE_STRATEGY "BOG_STAGE_STRATEGY"
        STAGE_RISK "BOG_STAGE_RISK"
        STAGE_EXECUTION "BOG_STAGE_EXECUTION"
        STAGES "BOG_STAGES"

    cpdef enum RunState "bog_run_state":
        RUN_STARTING "BOG_RUN_STARTING"
        RUN_TRADING "BOG_RUN_TRADING"
        RUN_DRAINING "BOG_RUN_DRAINING"
        RUN_DONE "BOG_RUN_DONE"

    ctypedef struct Stats "bog_stats_t":
        Control control
        uint64_t magic
        uint64_t version
        uint64_t market
        uint64_t pid
        uint64_t state
        uint64_t run
        uint64_t beat
        ns_t beat_mono
        uint64_t rows
        uint64_t books
        uint64_t unchanged
        ns_t turned_ns
        uint64_t reports
        uint64_t placed
        uint64_t amended
        uint64_t canceled
        uint64_t amends[2]
        uint64_t creates[2][4]
        Measure measure
        Hist turn
        Hist order_turn
        ns_t now_ns
        ns_t start_ns
        ns_t alive_ns
        px_t bid
        qty_t bid_qty
        px_t ask
        qty_t ask_qty
        px_t mark2
        px_t quote_px[2]
        qty_t quote_qty[2]
        uint64_t why[2]
        uint64_t level
        uint64_t halt
        uint64_t halt_id
        uint64_t stale
        uint64_t strategy
        uint64_t connection
        uint64_t asks
        uint64_t aside
        int64_t limit[11]
        int64_t configured[11]
        uint64_t tightened_by[11]
        int64_t quota
        int64_t sigma_q8[2]
        int64_t number_q16[6]
        half_t equity2
        half_t daily2
        half_t peak2
        half_t unrealized2
        Position position
        Order order[32]
        uint64_t order_states[12]
        uint64_t reports_due
        Report fill[16]
        uint64_t trades
        uint64_t stats
        uint64_t statuses
        uint64_t gaps
        uint64_t laps
        uint64_t crossed
        uint64_t invalid
        uint64_t turns
        uint64_t timers
        uint64_t cancel_all
        uint64_t acks
        uint64_t rejects
        uint64_t fills
        uint64_t cancels_done
        uint64_t expired
        uint64_t unknown
        uint64_t violations
        uint64_t journal_seq
        uint64_t journal_durable
        uint64_t journal_waits
        uint64_t no_prints
        uint64_t pessimistic
        uint64_t denied[29]
        uint64_t rejected[16]
        uint64_t progress
        uint64_t progress_of
        Hist stage[5]


cdef class StatsPage:
    cdef Stats *stats
    cdef object map
    cdef const unsigned char[:] view
    cdef readonly str path
    cdef attach(self, int fd, str path, bint writable)
