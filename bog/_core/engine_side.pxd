"""Think, check and act on one side: the smallest step from what rests to what is wanted."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from bog._core.engine_state cimport (
    Engine, Out, engine_command, engine_record, engine_say,
)
from bog._core.engine_strategy cimport engine_frugal
from bog._core.exposure cimport Exposure
from bog._core.orders cimport (
    CHANGE_AMEND, CHANGE_KEEP, CHANGE_REPLACE, PLAN_AMEND, PLAN_CANCEL, PLAN_PLACE, PLAN_WAIT, Plan,
    lowest_bit, orders_amend, orders_cancel, orders_exposure, orders_place, orders_plan, orders_sent,
)
from bog._core.quota cimport quota_spend
from bog._core.risk cimport Moment, risk_judge, risk_room, risk_take
from bog._core.strategy cimport (
    MOVE_KEEP, MOVE_RENEW, MOVE_WRONG_SIDE, QUIET_QUOTA, Quote, strategy_moves, strategy_paced,
)
from bog._core.types cimport (
    ALLOW, BID, DENY_RATE, J_AMEND, J_CANCEL, J_PLACE, NEVER, Command, JournalRec, Order, ns_t,
    px_t, qty_t,
)


cdef inline void engine_sent(Engine *e, Out *out) noexcept nogil:
    """Number the command just filled and let it go."""
    e.commands += 1
    out.command[out.n_commands].seq = e.commands
    out.n_commands += 1


cdef inline void engine_cancel(Engine *e, int64_t slot, Out *out) noexcept nogil:
    """Pull one order, if the bucket has a token even for a cancel; else look again soon."""
    cdef Command *command = engine_command(e, out)
    cdef JournalRec *rec
    if command == NULL or risk_take(&e.risk, &e.limits, e.now_ns, 0, 1):
        e.pending = 1
        return
    if orders_cancel(&e.orders, slot, e.now_ns, command):
        return
    rec = engine_record(e, out, J_CANCEL)
    rec.id = command.order_id
    rec.side = command.side
    rec.px = command.px
    engine_sent(e, out)


cdef inline int engine_crowded(const Engine *e, int side, const Moment *m) noexcept nogil:
    """Return DENY_PORTFOLIO when what rests on `side` may make all markets hold too much."""
    cdef Exposure exposure
    orders_exposure(&e.orders, e.now_ns, -1, &exposure)
    if exposure.rem[side] <= 0:
        return ALLOW
    return risk_room(&e.book, m, &exposure, side, 0, 0, 0)


cdef inline void engine_side(Engine *e, int side, const Moment *m, int standing, Out *out) noexcept nogil:
    """Think, check and act on one side: judge it by itself and take the smallest step."""
    cdef const Quote *quote = &e.quote
    cdef px_t px = quote.bid_px if side == BID else quote.ask_px
    cdef qty_t qty = quote.bid_qty if side == BID else quote.ask_qty
    cdef int move = MOVE_KEEP, change = CHANGE_KEEP, verdict, frugal, found = 0
    cdef uint32_t live = e.orders.live
    cdef ns_t expiry = NEVER
    cdef Exposure exposure
    cdef const Order *order
    cdef Command *command
    cdef JournalRec *rec
    cdef Plan plan
    cdef int64_t slot, was_free = 0
    cdef qty_t rest
    e.why[side] = quote.why[side]
    if standing != ALLOW:
        engine_say(e, side, standing, px, qty, out)
        qty = 0
    while qty > 0 and live:
        order = &e.orders.slot[lowest_bit(live)]
        live &= live - 1
        if order.side == side:
            found = 1
            move = strategy_moves(&e.params, &e.memory.quota, quote, side, order, e.now_ns)
    if move == MOVE_RENEW:
        change = CHANGE_REPLACE
    elif move != MOVE_KEEP:
        change = CHANGE_AMEND
    frugal = engine_frugal(e, side, qty)
    if frugal and qty > 0 and not found:
        e.why[side] = QUIET_QUOTA
        qty = 0
    if qty > 0 and change != CHANGE_KEEP and (
        frugal or not strategy_paced(&e.params, e.quoted_ns[side], e.now_ns)
    ):
        # too soon to move it, or too dear: a quote on the wrong side goes, any other waits
        e.pending = 1
        if move == MOVE_WRONG_SIDE:
            qty = 0
        else:
            return
    orders_plan(&e.orders, side, px, qty, change, e.now_ns, &plan)
    if plan.kind == PLAN_WAIT:
        return
    if plan.kind == PLAN_CANCEL:
        engine_cancel(e, plan.slot, out)
        return
    if plan.kind != PLAN_PLACE and plan.kind != PLAN_AMEND:
        if standing == ALLOW:
            engine_say(e, side, ALLOW, px, qty, out)
        return
    slot = plan.slot if plan.kind == PLAN_AMEND else -1
    orders_exposure(&e.orders, e.now_ns, slot, &exposure)
    verdict = risk_judge(
        &e.limits, &e.risk, &e.book, m, &exposure, side, plan.px, plan.qty, slot >= 0
    )
    if verdict == ALLOW:
        rest = plan.qty - exposure.own_filled if slot >= 0 else plan.qty
        verdict = risk_room(&e.book, m, &exposure, side, plan.px, rest, slot >= 0)
    command = engine_command(e, out)
    if verdict != ALLOW or command == NULL:
        engine_say(e, side, verdict, plan.px, plan.qty, out)
        e.pending = 1
        # what may not be moved may not stay either, except for want of a token
        if slot >= 0 and (verdict != DENY_RATE or move == MOVE_WRONG_SIDE):
            engine_cancel(e, slot, out)
        return
    engine_say(e, side, ALLOW, plan.px, plan.qty, out)
    if slot < 0:
        if e.params.order_life_ns > 0:
            expiry = e.now_ns + e.params.order_life_ns
        was_free = 1
        slot = orders_place(&e.orders, side, plan.px, plan.qty, expiry, e.now_ns, command)
        if slot < 0:
            e.pending = 1
            return
        rec = engine_record(e, out, J_PLACE)
        rec.val = expiry
        orders_sent(&e.orders, slot)
    else:
        if orders_amend(&e.orders, slot, plan.px, plan.qty, e.now_ns, command):
            return
        rec = engine_record(e, out, J_AMEND)
    risk_take(&e.risk, &e.limits, e.now_ns, exposure.live + was_free, 0)
    quota_spend(&e.memory.quota, &e.params, e.now_ns)
    rec.id = command.order_id
    rec.px = plan.px
    rec.qty = plan.qty
    rec.side = <uint8_t>side
    e.quoted_ns[side] = e.now_ns
    engine_sent(e, out)
