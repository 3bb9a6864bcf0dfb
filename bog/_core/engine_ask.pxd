"""What an operator asks of the engine beside a level, and the turns that are set aside for it.

A limit is tightened, never loosened: what rests is judged anew, as an amend to itself, and what the
limit now in force would not allow is pulled. Flattening stands at PAUSED: once nothing rests, the side
that reduces is quoted, post-only and reduce-only, at the touch of the others, until nothing is held.
engine.pxd comes here only while `aside` says so: no usual turn is longer for it than by that look.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bog._core.apart cimport apart_int, apart_void
from bog._core.engine_grid cimport engine_grid
from bog._core.engine_side cimport engine_crowded, engine_side
from bog._core.engine_state cimport Engine, Out, engine_record, engine_unbox
from bog._core.engine_watch cimport engine_loss
from bog._core.exposure cimport Exposure
from bog._core.fixed cimport ceil_div
from bog._core.orders cimport (
    highest_bit, lowest_bit, orders_exposure_side, orders_on, orders_size,
)
from bog._core.risk cimport Moment, limit_get, limit_tighten, risk_order, risk_standing
from bog._core.strategy cimport QUIET_INVENTORY, QUIET_ONE_SIDED, Quote, strategy_touch
from bog._core.types cimport (
    ALLOW, ASIDE_FLATTEN, ASIDE_JUDGE, ASIDE_REDUCE, ASK, ASKED_CANCEL_ALL, ASKED_FLATTEN,
    ASKED_HOLD, ASKED_LIMIT, BID, DENY_DAILY_LOSS, DENY_DRAWDOWN, FLATTENED_DUST, FLATTENED_FLAT,
    FLATTENED_HALTED, FLATTENED_HELD, J_ASKED, J_FLATTENED, J_LIMIT, LEVEL_DRAIN, LEVEL_PAUSED,
    LEVEL_RUN, Ask, JournalRec, Order, px_t, qty_t,
)


cdef inline void engine_set_aside(Engine *e, uint64_t aside) noexcept nogil:
    """Let no turn be usual until this is done: nothing that a decision found stands."""
    e.aside |= aside
    e.calm.until_ns = 0
    engine_unbox(e)


# limits


cdef inline int engine_tighten(
    Engine *e, uint64_t limit, int64_t value, int64_t configured, uint64_t uid
) noexcept nogil:
    """Put a limit in force that is tighter than what is; return whether it was.

    `configured` is what it was before anybody tightened it.
    """
    if not limit_tighten(&e.limits, limit, value):
        return 0
    e.configured[limit] = configured
    e.tightened_by[limit] = uid
    engine_set_aside(e, ASIDE_JUDGE)
    return 1


cdef inline int engine_keep_limit(
    Engine *e, uint64_t limit, int64_t value, int64_t configured, uint64_t uid
) noexcept nogil:
    """Keep what a run before tightened while the same is configured; return whether it is kept."""
    return limit_get(&e.limits, limit) == configured and engine_tighten(
        e, limit, value, configured, uid
    )


cdef inline void engine_limit_record(
    const Engine *e, uint64_t limit, int64_t before, JournalRec *rec
) noexcept nogil:
    """Write what is in force of a tightened limit into a fresh record."""
    rec.reason = <uint8_t>limit
    rec.val = limit_get(&e.limits, limit)
    rec.qty = before
    rec.px = e.configured[limit]
    rec.aux = <uint32_t>e.tightened_by[limit]


cdef inline void engine_on_limit(Engine *e, const Ask *ask, Out *out) noexcept nogil:
    """Tighten a limit and journal it; what is not tighter changes nothing."""
    cdef int64_t before = limit_get(&e.limits, ask.id)
    cdef int64_t configured = before
    if before > 0 and e.configured[ask.id] > 0:
        configured = e.configured[ask.id]
    if engine_tighten(e, ask.id, ask.value, configured, ask.uid):
        engine_limit_record(e, ask.id, before, engine_record(e, out, J_LIMIT))


cdef inline int engine_outgrown(const Engine *e, int side, const Moment *m) noexcept nogil:
    """Return why what rests on `side` may not stay under the limits in force, ALLOW when it may.

    Each order is judged as an amend to what it is, and to what it is being amended to.
    """
    cdef uint32_t bits = orders_on(&e.orders, side, e.orders.live)
    cdef int verdict = ALLOW
    cdef const Order *order
    cdef Exposure exposure
    cdef int64_t slot
    cdef qty_t worst
    cdef px_t high
    while bits and verdict == ALLOW:
        slot = lowest_bit(bits)
        bits &= bits - 1
        order = &e.orders.slot[slot]
        orders_exposure_side(&e.orders, e.now_ns, side, slot, &exposure)
        verdict = risk_order(
            &e.limits, &e.book, m, &exposure, side, order.px, orders_size(order), 1, &worst, &high
        )
        if verdict == ALLOW and order.amend_qty > 0:
            verdict = risk_order(
                &e.limits, &e.book, m, &exposure, side, order.amend_px, orders_size(order), 1, &worst,
                &high,
            )
    return verdict


# flattening


cdef inline apart_void engine_flattened(Engine *e, int why, Out *out) noexcept nogil:
    """Flatten no more, if that was under way, and journal why."""
    cdef JournalRec *rec
    if not e.aside & (ASIDE_FLATTEN | ASIDE_REDUCE):
        return
    e.aside &= ~<uint64_t>(ASIDE_FLATTEN | ASIDE_REDUCE)
    e.pending = 1
    rec = engine_record(e, out, J_FLATTENED)
    rec.reason = <uint8_t>why
    rec.qty = e.position.pos


cdef inline int engine_is_dust(const Engine *e) noexcept nogil:
    """Return 1 when nothing is held, or less than the smallest order."""
    cdef qty_t held = e.position.pos if e.position.pos > 0 else -e.position.pos
    return held == 0 or held < e.limits.min_order or (
        e.book_ok and e.book.bid > 0 and held < ceil_div(e.limits.min_notional, e.book.bid)
    )


cdef inline void engine_flatten(Engine *e, Out *out) noexcept nogil:
    """Take the next step of flattening: an empty book, quotes that reduce, nothing held."""
    if e.risk.halt:
        engine_flattened(e, FLATTENED_HALTED, out)
        return
    if e.level != LEVEL_PAUSED or e.orders.live:
        return
    if e.aside & ASIDE_FLATTEN:
        e.aside ^= ASIDE_FLATTEN | ASIDE_REDUCE
    # a fill of a dead order may still be told
    if engine_is_dust(e) and not e.orders.late:
        engine_flattened(e, FLATTENED_DUST if e.position.pos else FLATTENED_FLAT, out)


cdef inline void engine_reduce(Engine *e) noexcept nogil:
    """Want what is held, at most the largest order, at the touch of the others on the side that reduces."""
    cdef int n = highest_bit(e.orders.live) + 1 if e.params.own_in_book else 0
    cdef int side = ASK if e.position.pos > 0 else BID
    cdef qty_t qty = e.position.pos if e.position.pos > 0 else -e.position.pos, others = 0
    cdef Quote *quote = &e.quote
    cdef px_t px
    memset(quote, 0, sizeof(Quote))
    quote.why[0] = quote.why[1] = QUIET_INVENTORY
    if qty == 0:
        return
    px = strategy_touch(&e.book, side, e.orders.slot, n, &others)
    if others <= 0 or px <= 0:
        quote.why[side] = QUIET_ONE_SIDED
        return
    quote.why[side] = 0
    if qty > e.limits.max_order:
        qty = e.limits.max_order
    if side == BID:
        quote.bid_px = px
        quote.bid_qty = qty
    else:
        quote.ask_px = px
        quote.ask_qty = qty


# requests and turns


cdef inline apart_void engine_on_ask(Engine *e, const Ask *ask, Out *out) noexcept nogil:
    """Take an operator's request and journal who asked; an unknown one does nothing."""
    cdef JournalRec *rec
    if ask.kind == ASKED_LIMIT:
        engine_on_limit(e, ask, out)
        return
    if ask.kind != ASKED_CANCEL_ALL and ask.kind != ASKED_FLATTEN and ask.kind != ASKED_HOLD:
        return
    rec = engine_record(e, out, J_ASKED)
    rec.reason = <uint8_t>ask.kind
    rec.qty = e.position.pos
    rec.aux = <uint32_t>ask.uid
    if ask.kind != ASKED_FLATTEN:
        engine_flattened(e, FLATTENED_HELD, out)
    elif e.level < LEVEL_DRAIN and not e.aside & ASIDE_REDUCE:
        engine_set_aside(e, ASIDE_FLATTEN)


cdef inline apart_int engine_side_aside(
    Engine *e, int side, const Moment *m, int standing, Out *out
) noexcept nogil:
    """Act on one side; return why what rests there may not stay, ALLOW when it may."""
    cdef int verdict = standing
    if verdict == ALLOW and e.over:
        verdict = engine_crowded(e, side, m)
    if verdict == ALLOW and e.aside & ASIDE_JUDGE:
        verdict = engine_outgrown(e, side, m)
    if e.params.grid_orders > 1 and not e.aside & ASIDE_REDUCE:
        engine_grid(e, side, m, verdict, out)
    else:
        engine_side(e, side, m, verdict, out)
    return verdict


cdef inline apart_void engine_sides_aside(
    Engine *e, const Moment *now, int standing, Out *out
) noexcept nogil:
    """Act on both sides, as engine_sides does, under a request that is under way; it is not settled."""
    cdef int bids, asks
    cdef Moment m
    memcpy(&m, now, sizeof(Moment))
    if e.aside & (ASIDE_FLATTEN | ASIDE_REDUCE):
        engine_flatten(e, out)
    if e.aside & ASIDE_REDUCE:
        # a pause that quotes all the same: all else is judged as at RUN
        m.level = LEVEL_RUN
        standing = risk_standing(&e.limits, &e.risk, &e.book, &m)
        if standing == DENY_DAILY_LOSS or standing == DENY_DRAWDOWN:
            engine_loss(e, standing, m.daily2, out)
        engine_reduce(e)
    e.pending = 1
    bids = engine_side_aside(e, BID, &m, standing, out)
    asks = engine_side_aside(e, ASK, &m, standing, out)
    if not e.orders.live or bids == ALLOW and asks == ALLOW:
        e.aside &= ~<uint64_t>ASIDE_JUDGE
