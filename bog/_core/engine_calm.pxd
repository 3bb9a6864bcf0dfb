"""The short way of a turn: the touch alone has moved, and nothing speaks against quoting.

engine_settle writes down what a decision found. As long as books come and nothing else, engine_is_calm
says whether it still stands, and engine_calm_turn takes it for granted: the quote and both sides are
left. Whatever else happens decides the long way, engine.pxd, and is settled anew. Both ways give the same
records and commands: tests/core/test_calm.py plays the same events to both.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from bog._core.book cimport book_copy_touch
from bog._core.breaker cimport breaker_judge
from bog._core.engine_side cimport engine_side
from bog._core.engine_state cimport MARK_NS, Engine, Out, engine_marked
from bog._core.engine_strategy cimport engine_quote_else
from bog._core.fixed cimport apart
from bog._core.position cimport position_daily2
from bog._core.risk cimport risk_profit
from bog._core.strategy cimport strategy_quote_touch
from bog._core.types cimport (
    ALLOW, ASK, BID, STRATEGY_INVENTORY, VIOLATION_NONE, Record, ns_t, px_t,
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
    engine_side(e, BID, ALLOW, out)
    engine_side(e, ASK, ALLOW, out)
