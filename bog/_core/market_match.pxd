"""The matching engine of the built-in market: levels in a ring of prices, queues in true order.

A price has its level at `px` modulo the window. A binary indexed tree counts the orders at each
price, so that a random order, the next level and a count over a band cost one walk of the tree.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t, uint8_t

from bog._core.fixed cimport fee, mul_div
from bog._core.market cimport (
    ASKS, BIDS, SIM_DIRTY, SIM_CANCELED, SIM_EXPIRED, SIM_FILLED, SIM_OPEN, SIM_POST_ONLY,
    SIM_QUEUE, SIM_REDUCE_ONLY, SIM_SELF_TRADE, SIM_TRADES, Sim, SimLevel, SimOrder, SimOwn,
    SimStatus, SimTrade,
)
from bog._core.market_send cimport sim_tell_order, sim_tell_position
from bog._core.types cimport (
    ASK, BID, F_OWN, FILL_MATCH, FILL_TAKER, REJ_NONE, REJ_OTHER, REJ_POST_ONLY, REJ_SELF_TRADE,
    REP_CANCELED, REP_EXPIRED, REP_FILL, Report, ns_t, px_t, qty_t, quanta_t,
)


cdef inline SimLevel *sim_level(const Sim *m, px_t px) noexcept nogil:
    """Return the level of a price."""
    return m.level + (px & (m.window - 1))


cdef inline void sim_count(Sim *m, px_t px, int32_t change) noexcept nogil:
    """Add `change` orders at a price to the tree."""
    cdef int64_t at = (px & (m.window - 1)) + 1
    m.live += change
    while at <= m.window:
        m.tree[at] += change
        at += at & -at


cdef inline int64_t sim_below(const Sim *m, int64_t at) noexcept nogil:
    """Return the orders in the first `at` places of the ring."""
    cdef int64_t total = 0
    while at > 0:
        total += m.tree[at]
        at &= at - 1
    return total


cdef inline int64_t sim_orders(const Sim *m, px_t low, px_t high) noexcept nogil:
    """Return the orders at prices `low` to `high`, both included; 0 when low > high."""
    cdef int64_t a = low & (m.window - 1), b = high & (m.window - 1)
    if low > high:
        return 0
    if a <= b:
        return sim_below(m, b + 1) - sim_below(m, a)
    return m.live - sim_below(m, a) + sim_below(m, b + 1)


cdef inline px_t sim_kth(const Sim *m, px_t low, int64_t k, int64_t *rank) noexcept nogil:
    """Return the price of order `k` (from 0) counted upwards from `low`; its place there in `rank`.

    The caller makes sure that so many orders exist.
    """
    cdef int64_t a = low & (m.window - 1), want = sim_below(m, a) + k, at = 0, step = m.window >> 1
    if want >= m.live:
        want -= m.live
    while step:
        if m.tree[at + step] <= want:
            at += step
            want -= m.tree[at]
        step >>= 1
    rank[0] = want
    return low + ((at - a) & (m.window - 1))


cdef inline px_t sim_next(const Sim *m, int side, px_t px) noexcept nogil:
    """Return the best price of a side at or behind `px` that holds orders, 0 when there is none."""
    cdef px_t half = (m.window >> 1) - 1
    cdef int64_t n, rank
    if side == BID:
        n = sim_orders(m, px - half, px)
        return sim_kth(m, px - half, n - 1, &rank) if n else 0
    n = sim_orders(m, px, px + half)
    return sim_kth(m, px, 0, &rank) if n else 0


cdef inline int sim_crosses(const Sim *m, int side, px_t px) noexcept nogil:
    """Return 1 when an order at `px` would take."""
    if side == BID:
        return m.best[ASKS] != 0 and px >= m.best[ASKS]
    return m.best[BIDS] != 0 and px <= m.best[BIDS]


cdef inline void sim_touch(Sim *m, px_t px, SimLevel *level) noexcept nogil:
    """Remember that a level changed since the feed last showed it."""
    m.stale_book = 1
    m.nonce += 1
    if not level.dirty:
        if m.n_dirty == SIM_DIRTY:
            m.rows_lost += 1
            return
        level.dirty = 1
        m.dirty_px[m.n_dirty] = px
        m.n_dirty += 1


cdef inline int32_t sim_join(
    Sim *m, int side, px_t px, qty_t qty, uint64_t order_id, int32_t own
) noexcept nogil:
    """Put an order at the back of the queue of its price; return its node, -1 without room.

    The caller makes sure that it crosses nothing and lies inside the window.
    """
    cdef int32_t node = m.free_order
    cdef SimOrder *order
    cdef SimLevel *level
    if node < 0:
        m.pool_full += 1
        return -1
    order = m.order + node
    m.free_order = order.next
    level = sim_level(m, px)
    order.px = px
    order.qty = qty
    order.id = order_id
    order.own = own
    order.side = side
    order.next = -1
    order.prev = level.tail
    if level.n == 0:
        level.head = node
        level.side = <uint8_t>side
    else:
        m.order[level.tail].next = node
    level.tail = node
    level.n += 1
    level.qty += qty
    sim_count(m, px, 1)
    sim_touch(m, px, level)
    if m.best[side] == 0 or ((px > m.best[BIDS]) if side == BID else (px < m.best[ASKS])):
        m.best[side] = px
    return node


cdef inline void sim_leave(Sim *m, int32_t node) noexcept nogil:
    """Take an order out of its queue and give its node back."""
    cdef SimOrder *order = m.order + node
    cdef SimLevel *level = sim_level(m, order.px)
    if order.prev >= 0:
        m.order[order.prev].next = order.next
    else:
        level.head = order.next
    if order.next >= 0:
        m.order[order.next].prev = order.prev
    else:
        level.tail = order.prev
    level.n -= 1
    level.qty -= order.qty
    sim_count(m, order.px, -1)
    sim_touch(m, order.px, level)
    if level.n == 0:
        level.head = level.tail = -1
        if m.best[order.side] == order.px:
            m.best[order.side] = sim_next(m, order.side, order.px)
    order.next = m.free_order
    m.free_order = node


cdef inline Report *sim_report(
    Sim *m, int kind, int side, uint64_t order_id, int reason, ns_t late
) noexcept nogil:
    """Append a report that leaves the venue now and arrives after the response time and `late`.

    Reports stay ordered by arrival, equal times in order of writing. Return the slot to fill in.
    """
    cdef ns_t arrival = m.clock_ns + m.venue.response_ns + late
    cdef int64_t i = m.n_report, a, b
    if i == SIM_QUEUE:
        m.reports_lost += 1
        i -= 1  # the market has failed; the caller still needs a place to write
        m.n_report -= 1
    while i > 0:
        a = (m.report_head + i - 1) % SIM_QUEUE
        if m.report[a].time_ns <= arrival:
            break
        m.report[(a + 1) % SIM_QUEUE] = m.report[a]
        i -= 1
    b = (m.report_head + i) % SIM_QUEUE
    m.n_report += 1
    m.report[b].order_id = order_id
    m.report[b].venue_id = 0
    m.report[b].px = 0
    m.report[b].qty = 0
    m.report[b].fee = 0
    m.report[b].time_ns = arrival
    m.report[b].venue_ns = m.clock_ns
    m.report[b].kind = <uint8_t>kind
    m.report[b].side = <uint8_t>side
    m.report[b].reason = <uint8_t>reason
    m.report[b].flags = 0
    m.report[b].market = m.market_id
    return &m.report[b]


cdef inline void sim_forget(Sim *m, int32_t slot) noexcept nogil:
    """Free the slot of an order of ours that has ended."""
    m.own[slot].used = 0
    m.n_own -= 1


cdef inline void sim_own_cancel(Sim *m, int32_t slot, int kind, int reason) noexcept nogil:
    """End a resting order of ours with a report of `kind`."""
    cdef SimOwn *own = &m.own[slot]
    cdef Report *report = sim_report(m, kind, own.side, own.id, reason, 0)
    cdef SimStatus status = SIM_CANCELED
    report.venue_id = own.venue_id
    report.px = own.px
    if own.node >= 0:
        sim_leave(m, own.node)
    sim_forget(m, slot)
    if kind == REP_EXPIRED:
        status = SIM_EXPIRED
    elif reason == REJ_POST_ONLY:
        status = SIM_POST_ONLY
    elif reason == REJ_SELF_TRADE:
        status = SIM_SELF_TRADE
    elif own.reduce_only and reason == REJ_OTHER:
        status = SIM_REDUCE_ONLY
    sim_tell_order(m, own, status)


cdef inline void sim_own_fill(
    Sim *m, int32_t slot, px_t px, qty_t qty, int64_t trade_id, int taker
) noexcept nogil:
    """Book one fill of ours: position, cash, fee, report. The fee is rounded up, against us."""
    cdef SimOwn *own = &m.own[slot]
    cdef qty_t change, closed
    cdef quanta_t paid = fee(px, qty, m.venue.taker_ppm if taker else m.venue.maker_ppm)
    cdef Report *report = sim_report(
        m, REP_FILL, own.side, own.id, FILL_TAKER if taker else FILL_MATCH, 0)
    report.venue_id = <uint64_t>trade_id
    report.px = px
    report.qty = qty
    report.fee = paid
    own.filled += qty
    own.quote += px * qty
    m.own_fills += 1
    change = qty if own.side == BID else -qty
    if m.pos != 0 and (m.pos > 0) != (change > 0):
        # the closed part leaves the cost in proportion, what turns the position is new
        closed = min(qty, m.pos if m.pos > 0 else -m.pos)
        m.cost -= mul_div(m.cost, closed, m.pos if m.pos > 0 else -m.pos)
        m.cost += px * (change + (closed if change < 0 else -closed))
    else:
        m.cost += px * change
    m.pos += change
    m.cash += (-px * qty if own.side == BID else px * qty) - paid
    m.fees += paid
    sim_tell_order(m, own, SIM_FILLED if own.filled == own.qty else SIM_OPEN)
    sim_tell_position(m)


cdef inline qty_t sim_reducible(const Sim *m, const SimOwn *own, qty_t qty) noexcept nogil:
    """Return how much of `qty` an order of ours may trade: a reducing one stops at no position."""
    cdef qty_t held = m.pos if own.side == ASK else -m.pos
    if not own.reduce_only or qty <= held:
        return qty
    return held if held > 0 else 0


cdef inline qty_t sim_take(
    Sim *m, int side, qty_t qty, px_t limit, int flags, int32_t slot
) noexcept nogil:
    """Match a taker of `side` against the other side, best price first, then age; return the rest.

    `limit` is the worst price, 0 for any. `slot` is our own order that takes, -1 for the model's.
    Our own resting order in the way of our own taker is canceled, as the venue does.
    """
    cdef int other = ASK if side == BID else BID
    cdef px_t px
    cdef qty_t part
    cdef int32_t node
    cdef SimLevel *level
    cdef SimOrder *maker
    cdef SimTrade *trade
    cdef uint64_t taker_id = m.own[slot].venue_id if slot >= 0 else m.next_order_id
    if slot < 0:
        m.next_order_id += 1
    m.burst += 1
    while qty > 0:
        px = m.best[other]
        if px == 0 or (limit and ((px > limit) if side == BID else (px < limit))):
            break
        level = sim_level(m, px)
        node = level.head
        maker = m.order + node
        if slot >= 0 and maker.own >= 0:
            sim_own_cancel(m, maker.own, REP_CANCELED, REJ_SELF_TRADE)
            continue
        part = qty if qty < maker.qty else maker.qty
        if maker.own >= 0:
            part = sim_reducible(m, &m.own[maker.own], part)
            if part == 0:
                sim_own_cancel(m, maker.own, REP_CANCELED, REJ_OTHER)
                continue
        m.next_trade_id += 1
        m.traded_qty += <uint64_t>part
        if m.n_trade == SIM_TRADES:
            m.trades_lost += 1
        else:
            trade = m.trade + ((m.trade_head + m.n_trade) & (SIM_TRADES - 1))
            m.n_trade += 1
            trade.time_ns = m.clock_ns
            trade.px = px
            trade.qty = part
            trade.id = m.next_trade_id
            trade.maker_id = maker.id
            trade.taker_id = taker_id
            trade.maker_client = m.own[maker.own].id if maker.own >= 0 else 0
            trade.taker_client = m.own[slot].id if slot >= 0 else 0
            trade.burst = m.burst
            trade.side = <uint8_t>side
            trade.own = (1 if maker.own >= 0 else 0) | (2 if slot >= 0 else 0)
            trade.flags = <uint8_t>(flags | (F_OWN if trade.own else 0))
            trade.ready = 0
        if slot >= 0:
            sim_own_fill(m, slot, px, part, m.next_trade_id, 1)
        if maker.own >= 0:
            sim_own_fill(m, maker.own, px, part, m.next_trade_id, 0)
        qty -= part
        if part == maker.qty and maker.own >= 0 and m.own[maker.own].filled < m.own[maker.own].qty:
            # a reducing order that was larger than the position when it came
            sim_own_cancel(m, maker.own, REP_CANCELED, REJ_NONE)
        elif part == maker.qty:
            if maker.own >= 0:
                sim_forget(m, maker.own)
            sim_leave(m, node)
        else:
            maker.qty -= part
            level.qty -= part
            sim_touch(m, px, level)
    return qty
