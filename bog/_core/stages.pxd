"""How long the parts of a turn take: one turn in 512 is looked at, and the others do not know it.

The step reads no clock, so its two inner parts, strategy and gate, are timed after the turn: the
same verbs run once more on the state that they just left, and nothing of it is kept. Their figures
are of warm caches. The other parts are timed where they happen. What two looks at the clock cost is
taken off. Owner of nothing: writes the page's histograms.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from bog._core.clock cimport mono_ns
from bog._core.engine_state cimport Engine, engine_mark2
from bog._core.exposure cimport Exposure
from bog._core.hist cimport hist_add
from bog._core.inventory cimport inventory_quote
from bog._core.orders cimport highest_bit, orders_exposure
from bog._core.position cimport position_daily2, position_equity2
from bog._core.risk cimport Moment, Risk, risk_judge
from bog._core.stats cimport STAGE_RISK, STAGE_STRATEGY, Stats
from bog._core.strategy cimport Quote, strategy_quote
from bog._core.types cimport ALLOW, ASK, BID, STRATEGY_INVENTORY, ns_t, px_t


cdef inline bint stages_due(uint64_t turn) noexcept nogil:
    """Return whether this turn is looked at; never one that shows the page."""
    return (turn & 511) == 31


cdef inline bint stages_commands_due(uint64_t commands, int64_t sent) noexcept nogil:
    """Return whether the turn that gave the last `sent` of `commands` is: one command in 256."""
    return <int64_t>(commands & 255) < sent


cdef inline ns_t stages_clock() noexcept nogil:
    """Return the time, after one look at the clock that takes its cache misses."""
    mono_ns()
    return mono_ns()


cdef inline void stages_add(Stats *s, int stage, ns_t begun) noexcept nogil:
    """Count the time since `begun`, less what looking at the clock takes."""
    cdef ns_t ended = mono_ns()
    hist_add(&s.stage[stage], ended - begun - (mono_ns() - ended))


cdef inline void stages_strategy(Engine *e, Quote *quote, Stats *s) noexcept nogil:
    """Time the strategy's quote at the engine's state; write it into `quote`."""
    cdef px_t fast_high2, fast_low2, slow_high2, slow_low2
    cdef int n = highest_bit(e.orders.live) + 1
    cdef ns_t begun
    if e.params.kind == STRATEGY_INVENTORY:
        # how far the mid went is all that a quote leaves behind
        fast_high2, fast_low2 = e.memory.volatility.fast.high2, e.memory.volatility.fast.low2
        slow_high2, slow_low2 = e.memory.volatility.slow.high2, e.memory.volatility.slow.low2
        begun = stages_clock()
        inventory_quote(&e.params, &e.memory, &e.book, e.orders.slot, n, e.position.pos, quote)
        stages_add(s, STAGE_STRATEGY, begun)
        e.memory.volatility.fast.high2, e.memory.volatility.fast.low2 = fast_high2, fast_low2
        e.memory.volatility.slow.high2, e.memory.volatility.slow.low2 = slow_high2, slow_low2
    else:
        begun = stages_clock()
        strategy_quote(&e.params, &e.book, e.orders.slot, n, e.position.pos, quote)
        stages_add(s, STAGE_STRATEGY, begun)


cdef inline void stages_risk(const Engine *e, const Quote *quote, Stats *s) noexcept nogil:
    """Time the gate on the side of `quote` that has a size, as a create; judge a copy of its bucket."""
    cdef Moment m
    cdef Exposure open
    cdef Risk risk
    cdef px_t mark2 = engine_mark2(e)
    cdef int side = BID if quote.bid_qty > 0 else ASK
    cdef ns_t begun
    if quote.bid_qty <= 0 and quote.ask_qty <= 0:
        return
    memset(&m, 0, sizeof(Moment))
    m.now, m.alive_ns, m.pos, m.level = e.now_ns, e.alive_ns, e.position.pos, e.level
    m.equity2 = position_equity2(&e.position, mark2)
    m.daily2 = position_daily2(&e.position, mark2)
    m.peak2 = e.position.peak
    m.connected, m.room, m.watch = 1, e.room, ALLOW
    memcpy(&risk, &e.risk, sizeof(Risk))
    begun = stages_clock()
    orders_exposure(&e.orders, e.now_ns, -1, &open)
    risk_judge(
        &e.limits, &risk, &e.book, &m, &open, side,
        quote.bid_px if side == BID else quote.ask_px,
        quote.bid_qty if side == BID else quote.ask_qty, 0,
    )
    stages_add(s, STAGE_RISK, begun)


cdef inline void stages_think(Engine *e, Stats *s) noexcept nogil:
    """Time strategy and gate once more after a turn that showed the engine a book."""
    cdef Quote quote
    if not e.book_ok:
        return
    memset(&quote, 0, sizeof(Quote))
    stages_strategy(e, &quote, s)
    stages_risk(e, &quote, s)
