"""What a lane shows of itself: the stats page's block, and time by what was true during it.

Owner of nothing: reads the engine, writes the page and its measure.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from bog._core.engine_state cimport Engine, engine_mark2
from bog._core.measure cimport Measure, measure_time
from bog._core.orders cimport ORDERS_CAP
from bog._core.position cimport position_daily2, position_equity2, position_unrealized2
from bog._core.risk cimport limit_get
from bog._core.stats cimport STATS_ORDERS, STATS_STATES, Stats
from bog._core.types cimport BID, LIMITS, VERDICTS, Order, ns_t, px_t
from bog._core.volatility cimport volatility_sigma_q8


cdef inline void show_engine(const Engine *e, ns_t now, ns_t mono, Stats *s) noexcept nogil:
    """Copy what the shell reads together. The caller makes `beat` odd before and even after."""
    cdef px_t mark2 = engine_mark2(e)
    cdef int i, n = 0
    s.now_ns = now
    s.alive_ns = e.alive_ns
    s.beat_mono = mono
    s.bid, s.bid_qty, s.ask, s.ask_qty = e.book.bid, e.book.bid_qty, e.book.ask, e.book.ask_qty
    s.mark2 = mark2
    s.quote_px[0], s.quote_qty[0] = e.quote.bid_px, e.quote.bid_qty
    s.quote_px[1], s.quote_qty[1] = e.quote.ask_px, e.quote.ask_qty
    s.why[0], s.why[1] = e.why[0], e.why[1]
    s.level, s.halt, s.halt_id, s.stale = e.level, e.risk.halt, e.risk.halt_id, e.stale
    s.aside = e.aside
    for i in range(1, LIMITS):
        s.limit[i] = limit_get(&e.limits, i)
    memcpy(s.configured, e.configured, sizeof(s.configured))
    memcpy(s.tightened_by, e.tightened_by, sizeof(s.tightened_by))
    s.equity2 = position_equity2(&e.position, mark2)
    s.daily2 = position_daily2(&e.position, mark2)
    s.unrealized2 = position_unrealized2(&e.position, mark2)
    s.peak2 = e.position.peak
    s.strategy, s.quota = e.memory.state, e.memory.quota.left
    s.connection = e.connection.state
    s.sigma_q8[0] = volatility_sigma_q8(e.memory.volatility.fast.var_q16)
    s.sigma_q8[1] = volatility_sigma_q8(e.memory.volatility.slow.var_q16)
    memcpy(s.number_q16, e.memory.model.number_q16, sizeof(s.number_q16))
    memcpy(&s.position, &e.position, sizeof(e.position))
    memset(s.order, 0, sizeof(s.order))
    memset(s.order_states, 0, sizeof(s.order_states))
    for i in range(ORDERS_CAP):
        if not e.orders.live >> i & 1:
            continue
        s.order_states[e.orders.slot[i].state if e.orders.slot[i].state < STATS_STATES else 0] += 1
        if n < STATS_ORDERS:
            memcpy(&s.order[n], &e.orders.slot[i], sizeof(Order))
            n += 1
    s.books, s.unchanged, s.crossed, s.invalid = e.books, e.unchanged, e.crossed, e.refused
    s.violations = e.orders.faults
    for i in range(VERDICTS):
        s.denied[i] = e.risk.denied[i]


cdef struct Standing:
    int why[2]       # of each side; 0: quoted
    int at_touch[2]  # 1: an order of ours stands at the touch or better
    bint at_limit


cdef inline void show_standing(const Engine *e, Standing *out) noexcept nogil:
    """Write what is true of the engine until its next step."""
    cdef const Order *order
    cdef uint64_t live = e.orders.live
    cdef int i
    out.at_touch[0] = out.at_touch[1] = 0
    for i in range(2):
        # a side counts as quoted when an order of ours rests there, else by its reason
        out.why[i] = e.why[i] if e.why[i] else 63
    while live:
        order = &e.orders.slot[__builtin_ctzll(live)]
        live &= live - 1
        if order.acked_ns == 0:
            continue
        out.why[order.side] = 0
        if order.side == BID:
            out.at_touch[0] |= order.px >= e.book.bid and e.book.bid > 0
        else:
            out.at_touch[1] |= order.px <= e.book.ask
    out.at_limit = e.position.pos >= e.params.max_pos or e.position.pos <= -e.params.max_pos


cdef inline void show_time(const Standing *was, ns_t now, Measure *m) noexcept nogil:
    """Attribute the time up to `now` to what was true during it."""
    measure_time(
        m, now, was.why[0], was.why[1], was.at_touch[0], was.at_touch[1], was.at_limit
    )


cdef extern from *:
    int __builtin_ctzll(unsigned long long bits) nogil
