"""The short way of a turn: the touch alone has moved, and nothing speaks against quoting.

engine_settle writes down what a decision found. As long as books come and nothing else, engine_is_calm
says whether it still stands, and engine_calm_turn takes it for granted: the quote and both sides are
left; and of a side the usual, one order that stays or moves (engine_box.pxd). Whatever else happens decides the long way, engine.pxd, and is settled anew. Both ways give the same
records and commands: tests/core/test_calm.py plays the same events to both.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from bog._core.book cimport book_copy_touch
from bog._core.breaker cimport breaker_judge
from bog._core.engine_box cimport engine_boxed
from bog._core.engine_side cimport engine_asked, engine_side
from bog._core.engine_state cimport MARK_NS, Engine, Out, engine_command, engine_marked
from bog._core.engine_strategy cimport engine_quote_else
from bog._core.fixed cimport apart
from bog._core.orders cimport lowest_bit, orders_amend_resting, orders_on
from bog._core.position cimport position_daily2
from bog._core.risk cimport risk_profit
from bog._core.strategy cimport (
    MOVE_KEEP, MOVE_PRICE, MOVE_WRONG_SIDE, QUIET_NONE, strategy_moves, strategy_paced,
    strategy_quote_touch,
)
from bog._core.types cimport (
    ALLOW, ASK, BID, J_AMEND, ORDER_PARTIAL, ORDER_RESTING, STRATEGY_INVENTORY, VIOLATION_NONE, Command,
    Order, Record, ns_t, px_t, qty_t,
)


cdef inline void engine_settle(Engine *e, int standing) noexcept nogil:
    """Write down for how long, and for which mids, what the gate has just said of the moment stands."""
    cdef px_t mid2 = e.book.bid + e.book.ask, step = mid2 >> 7, worst2 = mid2
    cdef ns_t until = e.sample_ns
    e.calm.until_ns = 0
    if standing != ALLOW or e.over or e.params.grid_orders > 1:
        return
    if engine_marked(e):
        if until > e.mark_ns + MARK_NS:
            until = e.mark_ns + MARK_NS
    elif e.position.pos != 0:
        # the mid marks, and a loss only grows on the way to one end of the range
        worst2 += -step if e.position.pos > 0 else step
        if risk_profit(&e.limits, position_daily2(&e.position, worst2), e.position.peak) != ALLOW:
            return
    e.calm.until_ns = until
    e.calm.low2 = mid2 - step
    e.calm.span2 = 2 * <uint64_t>step


cdef inline int engine_is_calm(const Engine *e, const Record *record, int late) noexcept nogil:
    """Return 1 when a full sound book leaves what was settled as it is, so that only prices are new."""
    return (
        e.now_ns < e.calm.until_ns
        and <uint64_t>(record.bid + record.ask - e.calm.low2) <= e.calm.span2
        and record.bid < record.ask
        and not late
        and not apart(e.now_ns, e.alive_ns, e.limits.stale_after_ns)
        and breaker_judge(&e.breaker, &e.limits, record.bid, record.ask) == VIOLATION_NONE
    )


cdef inline void engine_calm_side(Engine *e, int side, Out *out) noexcept nogil:
    """Do what engine_side does on a side of one order that may stay, or that moves inside its box."""
    cdef px_t px = e.quote.bid_px if side == BID else e.quote.ask_px
    cdef qty_t qty = e.quote.bid_qty if side == BID else e.quote.ask_qty
    cdef uint32_t mine = orders_on(&e.orders, side, e.orders.live)
    cdef Order *order
    cdef Command *command
    cdef int move
    if qty > 0 and mine and mine & (mine - 1) == 0 and e.denied[side] == ALLOW:
        order = &e.orders.slot[lowest_bit(mine)]
        if order.state == ORDER_RESTING or order.state == ORDER_PARTIAL:
            move = strategy_moves(&e.params, &e.memory.quota, &e.quote, side, order, e.now_ns)
            if move == MOVE_KEEP:
                e.why[side] = QUIET_NONE
                return
            if (
                (move == MOVE_PRICE or move == MOVE_WRONG_SIDE)
                and e.params.quota_start <= 0
                and strategy_paced(&e.params, e.quoted_ns[side], e.now_ns)
                and engine_boxed(e, side, order, px, qty)
            ):
                e.why[side] = QUIET_NONE
                command = engine_command(e, out)
                orders_amend_resting(&e.orders, order, px, qty, e.now_ns, command)
                engine_asked(e, side, J_AMEND, px, qty, 0, command, out)
                return
    engine_side(e, side, ALLOW, out)


cdef inline void engine_calm_turn(Engine *e, const Record *record, Out *out) noexcept nogil:
    """Take the book of a calm turn: look, think, check, act."""
    e.mid2 = e.breaker.mid2 = record.bid + record.ask
    e.pending = 0
    if e.params.own_in_book:
        memcpy(&e.book, record, sizeof(Record))
        engine_quote_else(e)
    else:
        book_copy_touch(&e.book, record)
        if e.params.kind == STRATEGY_INVENTORY:
            engine_quote_else(e)
        else:
            strategy_quote_touch(&e.params, record, e.position.pos, &e.quote)
    engine_calm_side(e, BID, out)
    engine_calm_side(e, ASK, out)
