"""What the built-in market publishes: book frames, trade frames, statistics, status.

All channels share one connection: a message never overtakes one that left before it, so that
receive times never decrease.
"""

from libc.stdint cimport int64_t, uint64_t, uint8_t

from bog._core.fixed cimport fee
from bog._core.market cimport (
    ASKS, BIDS, FACE_BOTH, FACE_FRAME, FACE_ROW, RNG_FRAME, SIM_DIRTY, SIM_ROWS, SIM_TRADES, Sim,
    SimLevel, SimOut, SimTrade,
)
from bog._core.market_send cimport sim_message, sim_push
from bog._core.market_match cimport sim_level, sim_next, sim_report
from bog._core.rng cimport rng_below, rng_lognormal
from bog._core.types cimport (
    ASK, BID, F_AFTER_GAP, F_SNAPSHOT, REJ_NONE, REP_FUNDING, ROW_LEVEL, ROW_RESET, ROW_STATS,
    ROW_STATUS, ROW_TRADE, STATUS_GAP, STATUS_UP, Report, ns_t, ppm_t, px_t, qty_t, quanta_t,
)

cdef enum:
    RESYNC_NS = 500000000      # gap to fresh snapshot, as long as a client needs to ask for one
    TRADE_LAG_NS = 20000000    # a trade frame follows its book frame within this
    STATS_NS = 1000000000
    FUNDING_BASE_PPM = 12
    FUNDING_CLAMP_PPM = 500


cdef inline void sim_status(Sim *m, int status) noexcept nogil:
    """Tell readers of rows about the state of the feed; the venue has no such frame."""
    cdef SimOut *out
    sim_message(m)
    out = sim_push(m, FACE_ROW, ROW_STATUS, BID, status, 0, 0, 0)
    out.row.eom = 1


cdef inline void sim_book_meta(Sim *m, SimOut *out, uint64_t before, int malformed) noexcept nogil:
    """Give a book row what its JSON form says beside levels."""
    out.a = <int64_t>before
    out.b = m.offset
    out.malformed = <uint8_t>malformed


cdef inline void sim_snapshot(Sim *m, int flags) noexcept nogil:
    """Publish the whole book, best levels first; it anchors the chain of nonces."""
    cdef int side
    cdef px_t px
    cdef SimOut *out
    cdef SimLevel *level
    cdef int64_t i
    sim_message(m)
    for i in range(m.n_dirty):
        level = sim_level(m, m.dirty_px[i])
        level.dirty = 0
        level.shown = 0
    m.n_dirty = 0
    m.fake_px = 0
    flags |= F_SNAPSHOT
    out = sim_push(m, FACE_BOTH, ROW_RESET, BID, 0, 0, <int64_t>m.nonce, flags)
    sim_book_meta(m, out, 0, 0)
    for side in range(2):
        px = m.best[side]
        while px:
            level = sim_level(m, px)
            level.shown = level.qty
            level.shown_side = level.side
            out = sim_push(m, FACE_BOTH, ROW_LEVEL, side, px, level.qty, <int64_t>m.nonce, flags)
            sim_book_meta(m, out, 0, 0)
            px = sim_next(m, side, px - 1 if side == BID else px + 1)
    out.row.eom = 1
    m.shown_nonce = m.nonce
    m.frames += 1


cdef inline void sim_sort(px_t *px, int64_t n, int side) noexcept nogil:
    """Sort prices of a side, best first."""
    cdef int64_t i, j
    cdef px_t x
    for i in range(1, n):
        x = px[i]
        j = i
        while j > 0 and ((px[j - 1] < x) if side == BID else (px[j - 1] > x)):
            px[j] = px[j - 1]
            j -= 1
        px[j] = x


cdef inline qty_t sim_size(const Sim *m, int side, px_t px) noexcept nogil:
    """Return the lots of a side at a price."""
    cdef SimLevel *level = sim_level(m, px)
    return level.qty if level.n and level.side == side else 0


cdef inline void sim_levels(
    Sim *m, int face, int malformed, const int64_t *n, px_t unfake, px_t fake
) noexcept nogil:
    """Push the rows of one book update: changed levels, and those of a scripted false one."""
    cdef int side
    cdef int64_t i
    cdef px_t px
    cdef const px_t *list
    cdef SimOut *out = NULL
    sim_message(m)
    if unfake:
        out = sim_push(m, face, ROW_LEVEL, BID, unfake, sim_size(m, BID, unfake),
                       <int64_t>m.nonce, 0)
        sim_book_meta(m, out, m.shown_nonce, malformed)
    if fake:
        out = sim_push(m, face, ROW_LEVEL, BID, fake, m.par.impact_qty, <int64_t>m.nonce, 0)
        sim_book_meta(m, out, m.shown_nonce, malformed)
    for side in range(2):
        list = m.changed + side * SIM_DIRTY
        for i in range(n[side]):
            px = list[i]
            out = sim_push(m, face, ROW_LEVEL, side, px, sim_size(m, side, px),
                           <int64_t>m.nonce, 0)
            sim_book_meta(m, out, m.shown_nonce, malformed)
    if out != NULL:
        out.row.eom = 1


cdef inline void sim_gap(Sim *m) noexcept nogil:
    """A client sees that the chain is broken: it says so and asks for a snapshot."""
    if m.resync_ns == 0:
        sim_status(m, STATUS_GAP)
    m.resync_ns = m.clock_ns + RESYNC_NS
    m.resync_flags = F_AFTER_GAP


cdef inline void sim_frame(Sim *m) noexcept nogil:
    """Publish what changed since the last book frame, unless nothing did."""
    cdef int64_t n[2]
    cdef int64_t i
    cdef px_t px, unfake = 0, fake = 0
    cdef SimLevel *level
    cdef int face = FACE_BOTH
    cdef int moved
    n[0] = n[1] = 0
    for i in range(m.n_dirty):
        px = m.dirty_px[i]
        level = sim_level(m, px)
        level.dirty = 0
        moved = level.n and level.shown and level.side != level.shown_side
        if level.shown and (level.n == 0 or moved):
            m.changed[level.shown_side * SIM_DIRTY + n[level.shown_side]] = px
            n[level.shown_side] += 1
        if level.n and (moved or level.qty != level.shown):
            m.changed[level.side * SIM_DIRTY + n[level.side]] = px
            n[level.side] += 1
        level.shown = level.qty
        level.shown_side = level.side
    m.n_dirty = 0
    if m.fake_px:
        unfake = m.fake_px
        m.fake_px = 0
    if m.fake_frames > 0 and m.best[ASKS]:
        m.fake_frames -= 1
        fake = m.fake_px = m.best[ASKS] + m.fake_cross
        if unfake == fake:
            unfake = 0
        m.nonce += 1
    elif unfake:
        m.nonce += 1
    if n[0] + n[1] == 0 and not unfake and not fake:
        return
    m.frames += 1
    m.offset += 1 + rng_below(&m.rng[RNG_FRAME], 8)
    sim_sort(m.changed, n[0], BID)
    sim_sort(m.changed + SIM_DIRTY, n[1], ASK)
    if m.down_until_ns:
        pass
    elif m.drop_frames > 0:
        m.drop_frames -= 1
        if m.drop_frames == 0:
            m.resync_flags = -1  # the next frame shows the hole
    else:
        if m.resync_flags == -1:
            sim_gap(m)
        if m.malformed_frames > 0:
            m.malformed_frames -= 1
            sim_levels(m, FACE_FRAME, 1, n, unfake, fake)
            sim_gap(m)
        else:
            if m.resync_ns:
                face = FACE_FRAME
            sim_levels(m, face, 0, n, unfake, fake)
            if m.duplicate_frames > 0:
                m.duplicate_frames -= 1
                sim_levels(m, face, 0, n, unfake, fake)
    m.shown_nonce = m.nonce


cdef inline void sim_stamp_trades(Sim *m) noexcept nogil:
    """Give the trades that the last book frame shows the time at which their own frames leave."""
    cdef int64_t i = m.n_trade
    cdef SimTrade *trade
    cdef uint64_t burst = 0
    while i > 0 and not (m.trade + ((m.trade_head + i - 1) & (SIM_TRADES - 1))).ready:
        i -= 1
    while i < m.n_trade:
        trade = m.trade + ((m.trade_head + i) & (SIM_TRADES - 1))
        if trade.burst != burst:
            burst = trade.burst
            m.last_trade_leave_ns = max(
                m.last_trade_leave_ns,
                m.clock_ns + rng_below(&m.rng[RNG_FRAME], TRADE_LAG_NS))
        trade.leave_ns = m.last_trade_leave_ns
        trade.nonce = m.shown_nonce
        trade.ready = 1
        i += 1


cdef inline void sim_trades(Sim *m) noexcept nogil:
    """Publish the trade frames whose time has come, one per taker."""
    cdef SimTrade *trade
    cdef SimOut *out = NULL
    cdef uint64_t burst = 0
    while m.n_trade:
        trade = m.trade + (m.trade_head & (SIM_TRADES - 1))
        if not trade.ready or trade.leave_ns > m.clock_ns:
            break
        m.trade_head += 1
        m.n_trade -= 1
        if m.down_until_ns:
            m.lost_prints_qty += <uint64_t>trade.qty
            continue
        if out == NULL or trade.burst != burst:
            if out != NULL:
                out.row.eom = 1
            burst = trade.burst
            sim_message(m)
        out = sim_push(m, FACE_BOTH, ROW_TRADE, trade.side, trade.px, trade.qty, trade.id,
                       trade.flags)
        out.row.exch_ns = trade.time_ns - m.clock_step_ns
        out.a = <int64_t>trade.maker_id
        out.b = <int64_t>trade.taker_id
        out.c = <int64_t>trade.nonce
        out.e = trade.maker_client
        out.f = trade.taker_client
        out.own = trade.own
        m.printed_qty += <uint64_t>trade.qty
        m.mark_last = trade.px
    if out != NULL:
        out.row.eom = 1


cdef inline int64_t sim_median(int64_t a, int64_t b, int64_t c) noexcept nogil:
    """Return the middle one of three numbers."""
    return max(min(a, b), min(max(a, b), c))


cdef inline void sim_stats(Sim *m) noexcept nogil:
    """Set mark, index and funding rate; settle funding on the hour; publish once a second.

    Mark: median of index + average premium, fair price and mid. Rate in ppm per hour: 12 + an
    eighth of the premium, within 500.
    """
    cdef int64_t mid = m.x, index = m.index_x >> 12, rate
    cdef SimOut *out
    cdef quanta_t paid
    cdef Report *report
    if m.clock_ns < m.next_stats_ns:
        return
    m.next_stats_ns += STATS_NS
    if m.best[BIDS] and m.best[ASKS]:
        mid = (m.best[BIDS] + m.best[ASKS]) << 9
    m.premium += (mid - index - m.premium) // 64
    m.mark = (sim_median(index + m.premium, m.x, mid) + 512) >> 10
    rate = FUNDING_BASE_PPM + m.premium * 125000 // index
    m.funding_ppm = max(min(rate, <int64_t>FUNDING_CLAMP_PPM), <int64_t>-FUNDING_CLAMP_PPM)
    if m.clock_ns >= m.next_funding_ns:
        m.next_funding_ns += 3600 * <int64_t>1000000000
        m.last_funding_ns = m.clock_ns
        m.funding_paid_ppm = m.funding_ppm
        if m.pos:
            paid = fee(m.mark, m.pos, <ppm_t>m.funding_ppm)
            m.cash -= paid
            m.funding -= paid
            report = sim_report(m, REP_FUNDING, BID, 0, REJ_NONE, 0)
            report.px = m.mark
            report.fee = paid
    if m.down_until_ns:
        return
    sim_message(m)
    out = sim_push(m, FACE_BOTH, ROW_STATS, BID, m.mark, (index + 512) >> 10, m.funding_ppm, 0)
    out.row.eom = 1
    out.a = m.funding_paid_ppm
    out.b = m.mark_last
    out.c = m.last_funding_ns
    out.e = <uint64_t>m.best[BIDS]
    out.f = <uint64_t>m.best[ASKS]


cdef inline void sim_publish(Sim *m) noexcept nogil:
    """Send what is due at this step."""
    if m.down_until_ns and m.clock_ns >= m.down_until_ns:
        m.down_until_ns = 0
        m.offset = rng_below(&m.rng[RNG_FRAME], 1000000)
        sim_status(m, STATUS_UP)
        m.resync_ns = 0
        m.resync_flags = 0
        sim_snapshot(m, F_AFTER_GAP)
    if m.resync_ns and m.clock_ns >= m.resync_ns:
        m.resync_ns = 0
        m.resync_flags = 0
        m.offset += 1
        sim_snapshot(m, F_AFTER_GAP)
    if m.clock_ns >= m.next_frame_ns:
        # gaps start where the last one ended, so that whole steps do not lengthen them
        m.next_frame_ns += min(
            rng_lognormal(&m.rng[RNG_FRAME], m.par.gap_median, m.par.gap_sigma), m.par.gap_cap,
        ) // m.burst_times
        sim_frame(m)
        sim_stamp_trades(m)
    sim_trades(m)
    sim_stats(m)
