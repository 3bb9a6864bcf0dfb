"""The built-in market for Cython: says what market.h says, and the class that lane.pyx calls."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uint8_t

from bog._core.rng cimport Rng
from bog._core.types cimport (
    Command, Report, Row, VenueParams, ns_t, px_t, qty_t, quanta_t,
)

cdef extern from "market.h" nogil:
    const int64_t SIM_STEP_NS "BOG_SIM_STEP_NS"
    enum: SIM_BANDS "BOG_SIM_BANDS"
    enum: SIM_ORDERS "BOG_SIM_ORDERS"
    enum: SIM_OWN "BOG_SIM_OWN"
    enum: SIM_ROWS "BOG_SIM_ROWS"
    enum: SIM_TRADES "BOG_SIM_TRADES"
    enum: SIM_QUEUE "BOG_SIM_QUEUE"
    enum: SIM_REQUESTS "BOG_SIM_REQUESTS"
    enum: SIM_SCRIPT "BOG_SIM_SCRIPT"
    enum: SIM_DIRTY "BOG_SIM_DIRTY"

    const int64_t reaction "bog_reaction"[4][5]

    enum:  # as array indexes, which a named enum is not
        BIDS "BOG_BID"
        ASKS "BOG_ASK"

    enum:
        RNG_FAIR "BOG_RNG_FAIR"
        RNG_LIMIT "BOG_RNG_LIMIT"
        RNG_CANCEL "BOG_RNG_CANCEL"
        RNG_TAKER "BOG_RNG_TAKER"
        RNG_FRAME "BOG_RNG_FRAME"

    cdef enum IncidentKind "bog_incident_kind":
        INC_GAP "BOG_INC_GAP"
        INC_STALL "BOG_INC_STALL"
        INC_RECONNECT "BOG_INC_RECONNECT"
        INC_DUPLICATE "BOG_INC_DUPLICATE"
        INC_MALFORMED "BOG_INC_MALFORMED"
        INC_REFUSE "BOG_INC_REFUSE"
        INC_LOSE_ACK "BOG_INC_LOSE_ACK"
        INC_LATE_CANCEL "BOG_INC_LATE_CANCEL"
        INC_ONE_SIDED "BOG_INC_ONE_SIDED"
        INC_LOCKED "BOG_INC_LOCKED"
        INC_CROSSED "BOG_INC_CROSSED"
        INC_JUMP "BOG_INC_JUMP"
        INC_SPREAD "BOG_INC_SPREAD"
        INC_BURST "BOG_INC_BURST"
        INC_CASCADE "BOG_INC_CASCADE"
        INC_HALT "BOG_INC_HALT"
        INC_CLOCK "BOG_INC_CLOCK"

    cdef enum SimStatus "bog_sim_status":
        SIM_OPEN "BOG_SIM_OPEN"
        SIM_FILLED "BOG_SIM_FILLED"
        SIM_CANCELED "BOG_SIM_CANCELED"
        SIM_POST_ONLY "BOG_SIM_POST_ONLY"
        SIM_EXPIRED "BOG_SIM_EXPIRED"
        SIM_SELF_TRADE "BOG_SIM_SELF_TRADE"
        SIM_REDUCE_ONLY "BOG_SIM_REDUCE_ONLY"

    cdef enum SimFace "bog_sim_face":
        FACE_BOTH "BOG_FACE_BOTH"
        FACE_ROW "BOG_FACE_ROW"
        FACE_FRAME "BOG_FACE_FRAME"

    ctypedef struct Incident "bog_incident_t":
        ns_t time_ns
        int64_t kind
        int64_t a, b

    ctypedef struct SimParams "bog_sim_params_t":
        int64_t sigma[2]
        int64_t jump_rate
        int64_t jump_size
        int64_t mu
        int64_t kinf
        int64_t hstale
        int64_t drift
        int64_t kt
        int64_t impact
        int64_t half
        int64_t unit
        int64_t to_active
        int64_t to_calm
        int64_t add_rate[9]
        int64_t cancel_rate[9]
        int64_t size_median[9]
        int64_t size_sigma[9]
        int64_t first[9]
        px_t band_end[9]
        int64_t band_from[9]
        int64_t band_log[9]
        int64_t taker_median, taker_sigma
        qty_t size_cap
        qty_t impact_qty
        qty_t queue_at[4]
        int64_t gap_sigma, gap_median, gap_cap
        int64_t feed_median, feed_sigma
        px_t price_band
        int64_t window

    ctypedef struct SimOrder "bog_sim_order_t":
        px_t px
        qty_t qty
        uint64_t id
        int32_t next
        int32_t prev
        int32_t own
        int32_t side

    ctypedef struct SimLevel "bog_sim_level_t":
        qty_t qty
        qty_t shown
        int32_t head, tail
        int32_t n
        uint8_t side, shown_side, dirty, pad

    ctypedef struct SimOwn "bog_sim_own_t":
        uint64_t id
        uint64_t venue_id
        px_t px
        qty_t qty, filled
        quanta_t quote
        ns_t expiry_ns
        int32_t node
        uint8_t side, tif, reduce_only, used

    ctypedef struct SimPending "bog_sim_pending_t":
        Command command
        ns_t effect_ns

    ctypedef struct SimTrade "bog_sim_trade_t":
        ns_t time_ns, leave_ns
        px_t px
        qty_t qty
        int64_t id
        uint64_t maker_id, taker_id, maker_client, taker_client
        uint64_t burst
        uint64_t nonce
        uint8_t side, flags, ready, own

    ctypedef struct SimOut "bog_sim_out_t":
        Row row
        int64_t a, b, c, d
        ns_t leave_ns
        uint64_t e, f
        uint8_t face
        uint8_t malformed
        uint8_t own
        uint8_t pad[5]

    ctypedef struct Sim "bog_market_t":
        SimParams par
        VenueParams venue
        quanta_t balance
        int64_t margin_ppm
        uint32_t market_id
        Rng rng[5]
        ns_t start_ns, clock_ns
        uint64_t steps
        int64_t x
        int64_t drift_rest
        int active
        int64_t index_x
        int64_t premium
        px_t mark, mark_last
        int64_t funding_ppm, funding_paid_ppm
        ns_t next_stats_ns, next_funding_ns, last_funding_ns
        int64_t window
        SimLevel *level
        int32_t *tree
        SimOrder *order
        int32_t free_order
        int64_t live
        px_t best[2]
        uint64_t next_order_id
        int64_t next_trade_id
        px_t *dirty_px
        px_t *changed
        int64_t n_dirty
        int stale_book
        px_t stale_px[2]
        int64_t budget_add, budget_cancel, budget_take
        int64_t weight_add[2][10]
        int64_t weight_cancel[2][10]
        int64_t total_add, total_cancel
        int64_t fast[2]
        int64_t slow[2]
        int64_t trade_mult[2]
        uint64_t burst
        SimOwn own[64]
        int64_t n_own
        qty_t pos
        quanta_t cost
        quanta_t cash, fees, funding
        uint64_t own_fills
        SimPending *pending
        int64_t n_pending
        Report *report
        int64_t report_head, n_report
        ns_t *request
        int64_t request_head, n_request
        SimOut *out
        int64_t out_head, n_out
        SimTrade *trade
        int64_t trade_head, n_trade
        ns_t next_frame_ns, last_recv_ns, last_trade_leave_ns
        uint64_t nonce, shown_nonce
        int64_t offset
        ns_t stall_until_ns, down_until_ns, resync_ns, halt_until_ns
        ns_t clock_step_ns
        int64_t drop_frames, duplicate_frames, malformed_frames
        int resync_flags
        int64_t fake_frames, fake_cross
        px_t fake_px
        Incident script[1024]
        int64_t n_script, next_incident
        int64_t refuse_next, lose_next
        ns_t late_cancel_ns
        int64_t dry[2]
        ns_t dry_until_ns, spread_until_ns, burst_until_ns, cascade_until_ns
        int64_t spread_times, burst_times, cascade_side
        ns_t cascade_next_ns, cascade_gap_ns
        uint64_t adds, cancels, takers, frames, traded_qty, printed_qty, lost_prints_qty
        uint64_t pool_full, rows_lost, reports_lost, trades_lost, commands_late
cdef class Market:
    cdef Sim *sim
    cdef ns_t end_ns
    cdef int ended
    cdef readonly int price_decimals
    cdef readonly int size_decimals
    cdef readonly str symbol

    cdef int next(self, Row *row) noexcept nogil
    cdef ns_t peek(self) noexcept nogil
    cdef int command(self, const Command *command, ns_t now) noexcept nogil
    cdef void advance(self, ns_t now) noexcept nogil
    cdef int failed(self) noexcept nogil
    cdef ns_t due(self) noexcept nogil
    cdef int report(self, ns_t now, Report *report) noexcept nogil
