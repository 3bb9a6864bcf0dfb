"""Think, check and act on one side: the smallest step from what rests to what is wanted."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from bog._core.apart cimport apart_void
from bog._core.engine_state cimport (
    Engine, Out, engine_command, engine_next_record, engine_record, engine_say,
    record_small,
)
from bog._core.engine_strategy cimport engine_frugal
from bog._core.exposure cimport Exposure
from bog._core.orders cimport (
    CHANGE_AMEND, CHANGE_KEEP, CHANGE_REPLACE, PLAN_AMEND, PLAN_CANCEL, PLAN_PLACE, PLAN_WAIT, Plan,
    lowest_bit, orders_amend, orders_cancel, orders_exposure, orders_exposure_side, orders_on,
    orders_place, orders_plan, orders_sent,
)
from bog._core.quota cimport quota_spend
from bog._core.risk cimport Moment, risk_room, risk_spend, risk_take, risk_weigh
from bog._core.strategy cimport (
    MOVE_KEEP, MOVE_RENEW, MOVE_WRONG_SIDE, QUIET_QUOTA, strategy_moves, strategy_paced,
)
from bog._core.types cimport (
    ALLOW, ASIDE_REDUCE, BID, DENY_RATE, J_AMEND, J_CANCEL, J_PLACE, NEVER, Command, JournalRec,
    Order, ns_t, px_t, qty_t,
)


cdef inline void engine_sent(Engine *e, Command *command, Out *out) noexcept nogil:
    """Number the command just filled and let it go."""
    e.commands += 1
    command.seq = e.commands
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
    engine_sent(e, command, out)


cdef inline int engine_held_back(const Engine *e, int64_t slot) noexcept nogil:
    """Return DENY_RATE for a create (slot -1) shortly after one was refused for the rate."""
    return DENY_RATE if slot < 0 and e.now_ns < e.held_back_ns else ALLOW


cdef inline int engine_crowded(const Engine *e, int side, const Moment *m) noexcept nogil:
    """Return DENY_PORTFOLIO when what rests on `side` may make all markets hold too much."""
    cdef Exposure exposure
    orders_exposure(&e.orders, e.now_ns, -1, &exposure)
    if exposure.rem[side] <= 0:
        return ALLOW
    return risk_room(&e.book, m, &exposure, side, 0, 0, 0)


cdef inline void engine_asked(
    Engine *e, int side, int kind, px_t px, qty_t qty, ns_t expiry, Command *command, Out *out
) noexcept nogil:
    """Journal a create or an amend that the gate allowed, pay for it, and let it go."""
    cdef JournalRec *rec = engine_next_record(out)
    # each word once, where engine_record would clear them all first
    rec.seq = 0
    rec.time_ns = e.now_ns
    rec.id = command.order_id
    rec.px = px
    rec.qty = qty
    rec.val = expiry
    record_small(rec, kind, side)
    rec.aux = rec.crc = 0
    risk_spend(&e.risk)
    quota_spend(&e.memory.quota, &e.params, e.now_ns)
    e.quoted_ns[side] = e.now_ns
    engine_sent(e, command, out)


cdef inline void engine_change(
    Engine *e, int side, const Moment *m, int64_t slot, px_t px, qty_t qty, int move, Out *out
) noexcept nogil:
    """Place an order (slot -1) or amend the one in `slot` to `qty` lots in all, if the gate allows.

    Only where risk_standing has allowed this turn.
    """
    cdef ns_t expiry = NEVER
    cdef Exposure exposure
    cdef Command *command
    cdef int verdict
    orders_exposure_side(&e.orders, e.now_ns, side, slot, &exposure)
    verdict = engine_held_back(e, slot)
    if verdict == ALLOW:
        verdict = risk_weigh(&e.limits, &e.risk, &e.book, m, &exposure, side, px, qty, slot >= 0)
    command = engine_command(e, out)
    if verdict != ALLOW or command == NULL:
        engine_say(e, side, verdict, px, qty, out)
        e.pending = 1
        # what may not be moved may not stay either, except for want of a token
        if slot >= 0 and (verdict != DENY_RATE or move == MOVE_WRONG_SIDE):
            engine_cancel(e, slot, out)
        return
    if e.denied[side] != ALLOW:
        engine_say(e, side, ALLOW, px, qty, out)
    if slot >= 0:
        if orders_amend(&e.orders, slot, px, qty, e.now_ns, command) == 0:
            engine_asked(e, side, J_AMEND, px, qty, 0, command, out)
        return
    if e.params.order_life_ns > 0:
        expiry = e.now_ns + e.params.order_life_ns
    slot = orders_place(&e.orders, side, px, qty, expiry, e.now_ns, command)
    if slot < 0:
        e.pending = 1
        return
    orders_sent(&e.orders, slot)
    command.reduce_only = e.aside & ASIDE_REDUCE != 0
    engine_asked(e, side, J_PLACE, px, qty, expiry, command, out)


cdef inline void engine_act(
    Engine *e, int side, const Moment *m, int standing, px_t px, qty_t qty, int move, Out *out
) noexcept nogil:
    """Take the smallest step from what rests on a side to `qty` lots at `px`."""
    cdef int change = CHANGE_KEEP, frugal = engine_frugal(e, side, qty)
    cdef Plan plan
    if move == MOVE_RENEW:
        change = CHANGE_REPLACE
    elif move != MOVE_KEEP:
        change = CHANGE_AMEND
    if frugal and qty > 0 and not orders_on(&e.orders, side, e.orders.live):
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
    if plan.kind == PLAN_CANCEL:
        engine_cancel(e, plan.slot, out)
    elif plan.kind == PLAN_PLACE or plan.kind == PLAN_AMEND:
        # something is wanted, so that `standing` allows it
        engine_change(e, side, m, plan.slot, plan.px, plan.qty, move, out)
    elif plan.kind != PLAN_WAIT and standing == ALLOW:
        engine_say(e, side, ALLOW, px, qty, out)


cdef inline apart_void engine_side(
    Engine *e, int side, const Moment *m, int standing, Out *out
) noexcept nogil:
    """Think, check and act on one side: judge it by itself; what may stay is left in its queue."""
    cdef px_t px = e.quote.bid_px if side == BID else e.quote.ask_px
    cdef qty_t qty = e.quote.bid_qty if side == BID else e.quote.ask_qty
    cdef uint32_t bits = orders_on(&e.orders, side, e.orders.live)
    cdef const Order *order
    cdef int move = MOVE_KEEP
    e.why[side] = e.quote.why[side]
    if standing != ALLOW:
        engine_say(e, side, standing, px, qty, out)
        qty = 0
    while qty > 0 and bits:
        order = &e.orders.slot[lowest_bit(bits)]
        bits &= bits - 1
        move = strategy_moves(&e.params, &e.memory.quota, &e.quote, side, order, e.now_ns)
    engine_act(e, side, m, standing, px, qty, move, out)
