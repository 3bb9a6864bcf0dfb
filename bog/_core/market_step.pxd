"""One step of the built-in market: incidents, our account, the flow, what is published."""

from libc.stdint cimport int64_t

from bog._core.market cimport (
    ASKS, BIDS, INC_BURST, INC_CASCADE, INC_CLOCK, INC_CROSSED, INC_DUPLICATE, INC_GAP, INC_HALT,
    INC_JUMP, INC_LATE_CANCEL, INC_LOCKED, INC_LOSE_ACK, INC_MALFORMED, INC_ONE_SIDED,
    INC_RECONNECT, INC_REFUSE, INC_SPREAD, INC_STALL, SIM_BANDS, SIM_STEP_NS, Incident, Sim,
    SimLevel,
)
from bog._core.market_flow cimport (
    sim_add, sim_adds, sim_cancels, sim_fair, sim_market_order, sim_rates, sim_takers,
)
from bog._core.market_match cimport sim_kth, sim_leave, sim_level, sim_orders, sim_own_cancel
from bog._core.market_out cimport sim_publish, sim_snapshot, sim_status
from bog._core.market_venue cimport sim_account
from bog._core.types cimport (
    BID, F_LIQUIDATION, REJ_PRICE, REP_CANCELED, STATUS_DOWN, STATUS_HALTED, STATUS_UP, px_t,
)

cdef enum:
    SIM_CASCADE_NS = 50000000  # between two liquidations


cdef inline void sim_fill_side(Sim *m, int side) noexcept nogil:
    """Place the orders that a side starts with."""
    cdef int band
    cdef int64_t _
    for band in range(SIM_BANDS):
        for _ in range(m.par.first[band]):
            sim_add(m, side, band)


cdef inline void sim_empty_side(Sim *m, int side) noexcept nogil:
    """Cancel every order of the model on a side."""
    cdef px_t px = m.best[side], half = (m.window >> 1) - 1, low
    cdef int64_t n, rank, k = 0
    cdef SimLevel *level
    cdef int node, _
    if px == 0:
        return
    low = px - half if side == BID else px
    n = sim_orders(m, low, low + half)
    while k < n:
        level = sim_level(m, sim_kth(m, low, k, &rank))
        node = level.head
        for _ in range(rank):
            node = m.order[node].next
        if m.order[node].own >= 0:
            k += 1
        else:
            m.cancels += 1
            sim_leave(m, node)
            n -= 1


cdef inline void sim_cull(Sim *m) noexcept nogil:
    """Once a second: cancel what the fair price has left a quarter of the window or more behind.

    The ring of prices can hold only one window; nothing within the reach of the flow is touched.
    """
    cdef px_t middle = m.x >> 10, half = (m.window >> 1) - 1, px, low, high
    cdef int64_t rank
    cdef int node, far
    for far in range(2):
        low = middle - half if far == 0 else middle + (m.window >> 2) + (m.window >> 3)
        high = middle - (m.window >> 2) - (m.window >> 3) if far == 0 else middle + half
        while sim_orders(m, low, high):
            px = sim_kth(m, low, 0, &rank)
            node = sim_level(m, px).head
            if m.order[node].own >= 0:
                sim_own_cancel(m, m.order[node].own, REP_CANCELED, REJ_PRICE)
            else:
                m.cancels += 1
                sim_leave(m, node)


cdef inline void sim_jump(Sim *m, int64_t move) noexcept nogil:
    """Move the fair price by `move` in pieces that leave no order outside the window."""
    cdef int64_t most = m.window << 7, piece
    while move:
        piece = max(min(move, most), -most)
        m.x += piece
        move -= piece
        sim_cull(m)


cdef inline void sim_begin(Sim *m, const Incident *incident) noexcept nogil:
    """Start one scripted incident."""
    cdef int kind = <int>incident.kind
    cdef int64_t a = incident.a, b = incident.b
    if kind == INC_GAP:
        m.drop_frames = a
    elif kind == INC_STALL:
        m.stall_until_ns = m.clock_ns + a
    elif kind == INC_RECONNECT:
        if not m.down_until_ns:
            sim_status(m, STATUS_DOWN)
        m.down_until_ns = m.clock_ns + a
    elif kind == INC_DUPLICATE:
        m.duplicate_frames = a
    elif kind == INC_MALFORMED:
        m.malformed_frames = a
    elif kind == INC_REFUSE:
        m.refuse_next = a
    elif kind == INC_LOSE_ACK:
        m.lose_next = a
    elif kind == INC_LATE_CANCEL:
        m.late_cancel_ns = a
    elif kind == INC_ONE_SIDED:
        m.dry[a] = 1
        m.dry_until_ns = m.clock_ns + b
        sim_empty_side(m, <int>a)
    elif kind == INC_LOCKED or kind == INC_CROSSED:
        m.fake_frames = a
        m.fake_cross = 0 if kind == INC_LOCKED else 2
    elif kind == INC_JUMP:
        sim_jump(m, m.x * a // 1000000)
    elif kind == INC_SPREAD:
        m.spread_times = a
        m.spread_until_ns = m.clock_ns + b
    elif kind == INC_BURST:
        m.burst_times = a
        m.burst_until_ns = m.clock_ns + b
        m.next_frame_ns = m.clock_ns
    elif kind == INC_CASCADE:
        m.cascade_side = a
        m.cascade_until_ns = m.clock_ns + b
        m.cascade_next_ns = m.clock_ns
    elif kind == INC_HALT:
        m.halt_until_ns = m.clock_ns + a
        sim_status(m, STATUS_HALTED)
    elif kind == INC_CLOCK:
        m.clock_step_ns += a


cdef inline void sim_incidents(Sim *m) noexcept nogil:
    """Start the incidents that are due and end those that are over."""
    cdef int side
    while m.next_incident < m.n_script and m.script[m.next_incident].time_ns <= m.clock_ns:
        sim_begin(m, &m.script[m.next_incident])
        m.next_incident += 1
    if m.spread_until_ns and m.clock_ns >= m.spread_until_ns:
        m.spread_until_ns = 0
        m.spread_times = 1
    if m.burst_until_ns and m.clock_ns >= m.burst_until_ns:
        m.burst_until_ns = 0
        m.burst_times = 1
    if m.halt_until_ns and m.clock_ns >= m.halt_until_ns:
        m.halt_until_ns = 0
        sim_status(m, STATUS_UP)
    if m.dry_until_ns and m.clock_ns >= m.dry_until_ns:
        m.dry_until_ns = 0
        for side in range(2):
            if m.dry[side]:
                m.dry[side] = 0
                sim_fill_side(m, side)
        m.stale_book = 1
    if m.cascade_until_ns and not m.halt_until_ns:
        if m.clock_ns >= m.cascade_until_ns:
            m.cascade_until_ns = 0
        elif m.clock_ns >= m.cascade_next_ns:
            m.cascade_next_ns += SIM_CASCADE_NS
            # half a BTC each
            sim_market_order(m, <int>(1 - m.cascade_side), 10 * m.par.impact_qty, F_LIQUIDATION)


cdef inline void sim_step(Sim *m) noexcept nogil:
    """Advance the market by one millisecond."""
    m.clock_ns += SIM_STEP_NS
    m.steps += 1
    sim_incidents(m)
    if not m.halt_until_ns:
        sim_fair(m)
    sim_account(m)
    if not m.halt_until_ns:
        sim_takers(m)
        if m.stale_book:
            sim_rates(m)
        sim_cancels(m)
        sim_adds(m)
    m.index_x += m.x - (m.index_x >> 12)
    if m.steps % 1000 == 0:
        sim_cull(m)
    sim_publish(m)


cdef inline void sim_open(Sim *m) noexcept nogil:
    """Fill the book and publish the first snapshot."""
    cdef int side
    m.stale_px[BIDS] = (m.x >> 10) - 1
    m.stale_px[ASKS] = (m.x >> 10) + 2
    for side in range(2):
        sim_fill_side(m, side)
    sim_rates(m)
    sim_snapshot(m, 0)
