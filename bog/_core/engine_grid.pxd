"""Think, check and act on one side of a grid: every step of a turn, each through the gate.

engine_side.pxd does the same for a side of one order.
"""

from libc.stdint cimport int64_t, uint32_t

from bog._core.engine_side cimport engine_asked, engine_cancel, engine_held_back
from bog._core.engine_state cimport (
    OUT_COMMANDS, Engine, Out, engine_command, engine_say,
)
from bog._core.engine_strategy cimport engine_frugal
from bog._core.exposure cimport Exposure
from bog._core.grid cimport (
    GRID_AMEND, GRID_CANCEL, GRID_DONE, GRID_PLACE, GRID_SOON, GridStep, Ladder, grid_plan,
    grid_want,
)
from bog._core.orders cimport orders_amend, orders_exposure, orders_place, orders_sent
from bog._core.risk cimport Moment, risk_judge, risk_room
from bog._core.strategy cimport QUIET_QUOTA, strategy_paced
from bog._core.types cimport (
    ALLOW, BID, DENY_RATE, DENY_SELF_MATCH, J_AMEND, J_PLACE, NEVER, Command, ns_t, px_t, qty_t,
)


cdef extern from "grid.h" nogil:
    ctypedef void grid_void "BOG_GRID_VOID"


cdef inline int engine_offer(
    Engine *e, int side, const Moment *m, const GridStep *step, Out *out
) noexcept nogil:
    """Pass a create or an amend through the gate and send it; return the verdict.

    The worst case counts every order of the side. Room for a command there must be.
    """
    cdef int is_amend = step.kind == GRID_AMEND
    cdef int64_t slot = step.slot
    cdef qty_t qty = step.qty
    cdef ns_t expiry = 0 if is_amend else NEVER
    cdef Command *command = engine_command(e, out)
    cdef Exposure exposure
    cdef int verdict
    orders_exposure(&e.orders, e.now_ns, slot, &exposure)
    if is_amend:
        qty += exposure.own_filled
    verdict = engine_held_back(e, slot)
    if verdict == ALLOW:
        verdict = risk_judge(
            &e.limits, &e.risk, &e.book, m, &exposure, side, step.px, qty, is_amend
        )
    if verdict == ALLOW:
        verdict = risk_room(&e.book, m, &exposure, side, step.px, step.qty, is_amend)
    if verdict != ALLOW:
        return verdict
    if is_amend:
        if orders_amend(&e.orders, slot, step.px, qty, e.now_ns, command):
            return ALLOW
    else:
        if e.params.order_life_ns > 0:
            expiry = e.now_ns + e.params.order_life_ns
        slot = orders_place(&e.orders, side, step.px, qty, expiry, e.now_ns, command)
        if slot < 0:
            return ALLOW
        orders_sent(&e.orders, slot)
    engine_asked(
        e, side, J_AMEND if is_amend else J_PLACE, step.px, qty, expiry, command, out
    )
    return ALLOW


cdef inline grid_void engine_grid(
    Engine *e, int side, const Moment *m, int standing, Out *out
) noexcept nogil:
    """Think, check and act on one side: take every step that may be taken in this turn.

    A level that the gate refuses is left for this turn, without a token all are; the first refusal
    is the one that counts. What may not be moved may not stay either, except for want of a token, or
    until our own orders ahead of it have made way: it stands further from the market than it wants to.
    """
    cdef px_t px = e.quote.bid_px if side == BID else e.quote.ask_px
    cdef qty_t qty = e.quote.bid_qty if side == BID else e.quote.ask_qty
    cdef int verdict, denied = ALLOW
    cdef qty_t sum = 0
    cdef uint32_t dear = 0
    cdef int64_t i, sent
    cdef Ladder ladder
    cdef GridStep step
    e.why[side] = e.quote.why[side]
    grid_want(&e.params, &e.quote, side, e.memory.interval, e.position.pos, &ladder)
    if standing != ALLOW:
        engine_say(e, side, standing, px, qty, out)
        ladder.n = 0
    for i in range(ladder.n):
        # together they may reduce, though each of them alone would
        sum += ladder.qty[i]
        if engine_frugal(e, side, sum):
            dear |= <uint32_t>1 << i
    ladder.refused = dear
    ladder.paced = strategy_paced(&e.params, e.quoted_ns[side], e.now_ns)
    while True:
        grid_plan(
            &ladder, &e.params, &e.memory.quota, &e.quote, e.orders.slot, e.orders.live, e.now_ns,
            e.orders.retry_ns, &step,
        )
        if step.kind != GRID_PLACE and step.kind != GRID_AMEND and step.kind != GRID_CANCEL:
            break
        sent = out.n_commands
        if step.kind == GRID_CANCEL:
            engine_cancel(e, step.slot, out)
        elif sent < OUT_COMMANDS:
            verdict = engine_offer(e, side, m, &step, out)
            if verdict != ALLOW:
                if denied == ALLOW:
                    denied = verdict
                    px = step.px
                    qty = step.qty
                ladder.refused |= <uint32_t>1 << step.level
                if verdict == DENY_RATE:
                    ladder.refused = ~(<uint32_t>0)
                if step.kind == GRID_AMEND and (
                    step.wrong or (verdict != DENY_RATE and verdict != DENY_SELF_MATCH)
                ):
                    engine_cancel(e, step.slot, out)
                continue
        if out.n_commands == sent:
            # no token for a cancel, no slot, or no room in this turn
            e.pending = 1
            break
    if denied != ALLOW:
        engine_say(e, side, denied, px, qty, out)
        e.pending = 1
    elif standing == ALLOW and step.kind == GRID_DONE:
        engine_say(e, side, ALLOW, px, qty, out)
    if step.kind == GRID_SOON:
        e.pending = 1
    if dear and step.count == 0 and e.why[side] == 0:
        e.why[side] = QUIET_QUOTA
