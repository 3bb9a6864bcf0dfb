"""The short way of a turn: the touch alone has moved, and nothing speaks against quoting.

engine_settle writes down what a decision found. As long as full sound books come and nothing else,
engine_is_calm says whether it still stands, and engine_calm_turn takes it for granted: the quote and
the prices of both sides are left. Whatever else there is to do on a side is done the long way
(engine_side.pxd), and so is every other turn (engine.pxd); what they leave is settled anew. Both ways
give the same records and commands: tests/core/test_calm.py plays the same events to both.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

from bog._core.apart cimport apart_void
from bog._core.engine_box cimport engine_box_knows, engine_boxed, engine_draw
from bog._core.engine_side cimport engine_asked, engine_side
from bog._core.engine_state cimport MARK_NS, Engine, Out, Rest, engine_command, engine_marked
from bog._core.engine_strategy cimport engine_quote_else
from bog._core.engine_watch cimport engine_moment
from bog._core.fixed cimport apart
from bog._core.memory cimport copy_line
from bog._core.orders cimport (
    count_bits, lowest_bit, orders_amend_resting, orders_best, orders_on,
)
from bog._core.position cimport position_daily2
from bog._core.risk cimport Moment, risk_needed, risk_profit
from bog._core.strategy cimport (
    MOVE_KEEP, strategy_paced, strategy_price_moves, strategy_quote_touch, strategy_size_moves,
    strategy_threshold,
)
from bog._core.types cimport (
    ALLOW, ASK, BID, J_AMEND, NEVER, ORDER_PARTIAL, ORDER_RESTING, PX_MAX, STRATEGY_INVENTORY, Command,
    Order, Record, ns_t, px_t, qty_t,
)


cdef inline void engine_settle_side(
    Engine *e, int side, const Moment *m, const Out *out
) noexcept nogil:
    """Write down what rests on a side, and until when it may stay for its age.

    Its box is drawn in a turn without commands, which would have to wait for it.
    """
    cdef Rest *rest = &e.calm.rest[side]
    cdef qty_t qty = e.quote.bid_qty if side == BID else e.quote.ask_qty
    cdef uint32_t mine = orders_on(&e.orders, side, e.orders.live)
    cdef const Order *order
    rest.keep = -1
    rest.best = orders_best(&e.orders, side)
    if side == ASK and rest.best == 0:
        rest.best = PX_MAX
    if e.denied[side] != ALLOW or e.params.quota_start > 0 or mine & (mine - 1) != 0:
        return
    if mine == 0 and qty <= 0:
        rest.keep = 0
    if mine == 0 or qty <= 0:
        return
    rest.slot = lowest_bit(mine)
    order = &e.orders.slot[rest.slot]
    if order.state != ORDER_RESTING and order.state != ORDER_PARTIAL:
        return
    if strategy_size_moves(&e.params, order, qty, e.now_ns) != MOVE_KEEP:
        return
    if order.expiry_ns != NEVER and e.calm.until_ns > order.expiry_ns - e.params.expiry_margin_ns:
        e.calm.until_ns = order.expiry_ns - e.params.expiry_margin_ns + 1
    rest.keep = qty
    rest.px = order.px
    rest.boxed = engine_box_knows(e, side, order, qty)
    if not rest.boxed and out.n_commands == 0 and engine_draw(e, side, order, qty, m):
        rest.boxed = engine_box_knows(e, side, order, qty)


cdef inline apart_void engine_settle_sides(
    Engine *e, const Moment *m, const Out *out
) noexcept nogil:
    """Write down what rests on both sides, and what the next amend of one costs."""
    cdef int side
    e.calm.tokens = risk_needed(&e.limits, count_bits(e.orders.live), 0)
    for side in range(2):
        engine_settle_side(e, side, m, out)


cdef inline void engine_settle(
    Engine *e, int standing, const Moment *m, const Out *out
) noexcept nogil:
    """Write down for how long, and for which books, what the gate has just said of the moment stands."""
    cdef px_t mid2 = e.book.bid + e.book.ask, step = mid2 >> 8, worst2, move
    cdef ns_t until = e.sample_ns
    e.calm.until_ns = 0
    if standing != ALLOW or e.over | e.aside or e.params.grid_orders > 1:
        return
    if e.breaker.mid2 != mid2 or e.limits.breaker_move_ppm < 0:
        return
    # no move within the range is too large: from one end to the other is 2 step of at least mid2 - step
    move = mid2 * e.limits.breaker_move_ppm // (2_000_000 + e.limits.breaker_move_ppm)
    if step > move:
        step = move
    if engine_marked(e):
        if until > e.mark_ns + MARK_NS:
            until = e.mark_ns + MARK_NS
    elif e.position.pos != 0:
        # the mid marks, and a loss only grows on the way to one end of the range
        worst2 = mid2 - step if e.position.pos > 0 else mid2 + step
        if risk_profit(&e.limits, position_daily2(&e.position, worst2), e.position.peak) != ALLOW:
            return
    e.calm.until_ns = until
    e.calm.low2 = mid2 - step
    e.calm.span2 = 2 * <uint64_t>step
    e.calm.spread = <uint64_t>(e.calm.low2 * e.limits.breaker_spread_ppm // 2_000_000)
    engine_settle_sides(e, m, out)


cdef inline int engine_is_calm(const Engine *e, const Record *record, int late) noexcept nogil:
    """Return 1 when a full sound book leaves what was settled as it is, so that only prices are new."""
    return (
        e.now_ns < e.calm.until_ns
        and <uint64_t>(record.bid + record.ask - e.calm.low2) <= e.calm.span2
        and <uint64_t>(record.ask - record.bid - 1) < e.calm.spread
        and not late
        and not apart(e.now_ns, e.alive_ns, e.limits.stale_after_ns)
    )


cdef inline void engine_calm_amend(Engine *e, int side, px_t px, qty_t qty, Out *out) noexcept nogil:
    """Move the one order of a side to `px`, where the gate allows it."""
    cdef Rest *rest = &e.calm.rest[side]
    cdef Order *order = &e.orders.slot[rest.slot]
    cdef Command *command = engine_command(e, out)
    orders_amend_resting(&e.orders, order, side, px, qty, e.now_ns, command)
    engine_asked(e, side, J_AMEND, px, qty, 0, command, out)
    e.calm.moves += 1
    rest.keep = -1
    if px > rest.best if side == BID else px < rest.best:
        rest.best = px


cdef inline apart_void engine_calm_else(Engine *e, int side, Out *out) noexcept nogil:
    """Do what there is to do on a side the long way, and settle what that leaves."""
    cdef Moment m
    engine_moment(e, &m, out)
    engine_side(e, side, &m, ALLOW, out)
    engine_settle_sides(e, &m, out)


cdef inline void engine_calm_side(Engine *e, int side, px_t threshold, Out *out) noexcept nogil:
    """Do what engine_side does on a side of one order that may stay, or that moves inside its box.

    A side that was settled has no quota, so that nothing changes the threshold within a turn.
    """
    cdef Rest *rest = &e.calm.rest[side]
    cdef px_t px = e.quote.bid_px if side == BID else e.quote.ask_px
    cdef qty_t qty = e.quote.bid_qty if side == BID else e.quote.ask_qty
    if qty == rest.keep:
        if qty == 0 or strategy_price_moves(&e.quote, side, rest.px, threshold) == MOVE_KEEP:
            return
        if (
            rest.boxed
            and strategy_paced(&e.params, e.quoted_ns[side], e.now_ns)
            and engine_boxed(e, side, px)
        ):
            engine_calm_amend(e, side, px, qty, out)
            return
    engine_calm_else(e, side, out)


cdef inline void engine_calm_turn(Engine *e, const Record *record, Out *out) noexcept nogil:
    """Take the book of a calm turn: look, think, check, act."""
    cdef px_t threshold
    e.mid2 = e.breaker.mid2 = record.bid + record.ask
    e.pending = 0
    e.calm.turns += 1
    if e.params.own_in_book:
        memcpy(&e.book, record, sizeof(Record))
        engine_quote_else(e)
    else:
        copy_line(&e.book, record)
        if e.params.kind == STRATEGY_INVENTORY:
            engine_quote_else(e)
        else:
            strategy_quote_touch(&e.params, record, e.position.pos, &e.quote)
    memcpy(e.why, e.quote.why, sizeof(e.why))
    threshold = strategy_threshold(&e.params, &e.memory.quota, &e.quote)
    engine_calm_side(e, BID, threshold, out)
    engine_calm_side(e, ASK, threshold, out)
