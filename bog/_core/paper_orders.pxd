"""What commands do when they reach the paper venue: orders arrive, take, rest, change and end.

Rules 1, 5, 6 and 8 of section 5 of market-making.md; expiry ends an order as a cancel does.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from bog._core.depth cimport depth_best, depth_knows, depth_qty
from bog._core.fixed cimport mul_overflows
from bog._core.notes cimport Note, notes_get, sum_add
from bog._core.paper_fills cimport paper_fill, paper_offered
from bog._core.paper_state cimport (
    PAPER_DEAD, PAPER_OPEN, PAPER_PENDING, Paper, PaperAction, PaperOrder, paper_better,
    paper_enter, paper_leave, paper_open_slot, paper_pending_slot, paper_spare, paper_tell,
)
from bog._core.types cimport (
    BID, FILL_TAKER, MODEL_FRONT, NEVER, PX_MAX, QTY_MAX, REJ_DUPLICATE, REJ_HALTED, REJ_LOT,
    REJ_MIN_SIZE, REJ_NONE, REJ_NOT_FOUND, REJ_OPEN_ORDERS, REJ_OTHER, REJ_POST_ONLY, REJ_PRICE,
    REP_ACK, REP_AMENDED, REP_AMEND_REJECT, REP_CANCELED, REP_CANCEL_REJECT, REP_EXPIRED,
    REP_REJECT, Report, TIF_IOC, TIF_POST_ONLY, ns_t, px_t, qty_t,
)


# ---- arrival -----------------------------------------------------------------------------------

cdef inline int paper_crosses(const Paper *paper, int side, px_t px) noexcept nogil:
    """Return 1 when an order at `px` would meet the displayed opposite side."""
    cdef px_t best = depth_best(paper.depth, 1 - side)
    return best != 0 and not paper_better(side, best, px)


cdef inline int paper_refusal(
    const Paper *paper, const PaperOrder *order, px_t px, qty_t qty,
) noexcept nogil:
    """Return why the venue's rules refuse an order of this price and total size, or REJ_NONE."""
    cdef int64_t notional
    cdef qty_t held
    if paper.halted:
        return REJ_HALTED
    if px <= 0 or px >= PX_MAX:
        return REJ_PRICE
    if qty <= 0 or qty >= QTY_MAX:
        return REJ_LOT
    if qty < paper.params.min_qty:
        return REJ_MIN_SIZE
    # a product that does not fit is larger than any minimum
    if not mul_overflows(px, qty, &notional) and notional < paper.params.min_notional:
        return REJ_MIN_SIZE
    # the venue would cut a reduce-only order to the position; to refuse it fills less
    held = -paper.pos if order.side == BID else paper.pos
    if order.reduce_only and qty - (order.qty - order.rem) > held:
        return REJ_OTHER
    return REJ_NONE


cdef inline void paper_walk(Paper *paper, int32_t slot, ns_t now) noexcept nogil:
    """Let an order take what the displayed book offers within its limit, rule 8.

    Fills at each level's own price; what was taken counts against the level for a window.
    """
    cdef PaperOrder *order = &paper.order[slot]
    cdef int against = 1 - order.side
    cdef int64_t at = paper.depth.n[against] - 1
    cdef qty_t size
    cdef px_t level
    cdef Note *note
    while at >= 0 and order.rem > 0:
        level = paper.depth.px[against][at]
        if paper_better(order.side, level, order.px):
            break
        size = min(order.rem, paper_offered(paper, against, at, now))
        at -= 1
        if size > 0:
            note = notes_get(paper.notes, against, level, now, paper.params.window_ns)
            if note != NULL and paper_fill(paper, slot, level, size, FILL_TAKER, now):
                sum_add(&note.taken, &note.taken_until, size, now, now + paper.params.window_ns)


cdef inline void paper_join(Paper *paper, int32_t slot, uint64_t age) noexcept nogil:
    """Let an order rest at the back of the displayed queue at its price, rule 1."""
    cdef PaperOrder *order = &paper.order[slot]
    order.state = PAPER_OPEN
    order.age = age
    order.credit = 0
    order.unknown = 0
    order.ahead = 0
    if paper.params.model != MODEL_FRONT:
        if paper.rebuilding or not depth_knows(paper.depth, order.side, order.px):
            order.unknown = 1
            order.ahead = QTY_MAX
            paper.counts.unknown_ahead += 1
        else:
            order.ahead = depth_qty(paper.depth, order.side, order.px)
    if order.expiry_ns < paper.next_expiry:
        paper.next_expiry = order.expiry_ns
    paper_enter(paper, slot)


cdef inline void paper_rest(Paper *paper, int32_t slot, uint64_t age, ns_t now) noexcept nogil:
    """Let an order that is off the list take if it may, then rest or end."""
    cdef PaperOrder *order = &paper.order[slot]
    if order.tif != TIF_POST_ONLY:
        paper_walk(paper, slot, now)
    if order.rem == 0:
        paper_spare(paper, slot)
    elif order.tif == TIF_IOC:
        paper_tell(paper, REP_CANCELED, order.id, order.side, REJ_NONE, now).px = order.px
        paper_spare(paper, slot)
    else:
        paper_join(paper, slot, age)


cdef inline void paper_arrive(Paper *paper, int32_t slot, int reason, ns_t now) noexcept nogil:
    """An order reaches the venue: refused, taking, or resting."""
    cdef PaperOrder *order = &paper.order[slot]
    cdef Report *report
    if order.state == PAPER_DEAD:
        paper_spare(paper, slot)
        return
    if reason == REJ_NONE:
        reason = paper_refusal(paper, order, order.px, order.qty)
    if reason == REJ_NONE and not paper.distinct and paper_open_slot(paper, order.id) >= 0:
        reason = REJ_DUPLICATE
    if (
        reason == REJ_NONE and order.tif != TIF_IOC and paper.params.max_open_orders > 0
        and paper.n_open[0] + paper.n_open[1] >= paper.params.max_open_orders
    ):
        reason = REJ_OPEN_ORDERS
    if (
        reason == REJ_NONE and order.tif == TIF_POST_ONLY
        and paper_crosses(paper, order.side, order.px)
    ):
        reason = REJ_POST_ONLY
        paper.counts.post_only += 1
    if reason != REJ_NONE:
        paper_tell(paper, REP_REJECT, order.id, order.side, reason, now).px = order.px
        paper_spare(paper, slot)
        return
    order.venue_id = paper.next_venue_id
    paper.next_venue_id += 1
    report = paper_tell(paper, REP_ACK, order.id, order.side, REJ_NONE, now)
    report.venue_id = order.venue_id
    report.px = order.px
    paper_rest(paper, slot, order.age, now)


# ---- amend, cancel, expiry ---------------------------------------------------------------------

cdef inline void paper_kill(
    Paper *paper, int32_t slot, int kind, int reason, ns_t now,
) noexcept nogil:
    """End an order, resting or on its way, with a report of this kind."""
    cdef PaperOrder *order = &paper.order[slot]
    cdef Report *report = paper_tell(paper, kind, order.id, order.side, reason, now)
    report.venue_id = order.venue_id
    report.px = order.px
    if order.state == PAPER_PENDING:
        order.state = PAPER_DEAD
        return
    paper_leave(paper, slot)
    paper_spare(paper, slot)


cdef inline void paper_amend(Paper *paper, const PaperAction *action) noexcept nogil:
    """Give a resting order a new price and a new total size.

    It queues anew, unless the venue lets a mere reduction keep its place. A size not above what is
    filled ends it; a post-only price that crosses cancels it; what the rules refuse leaves it.
    """
    cdef int32_t slot = paper_open_slot(paper, action.id)
    cdef int reason = action.reason
    cdef PaperOrder *order
    cdef Report *report
    cdef qty_t filled
    cdef int keeps
    if reason == REJ_NONE and slot < 0:
        reason = REJ_NOT_FOUND
    if reason == REJ_NONE:
        order = &paper.order[slot]
        filled = order.qty - order.rem
        if action.qty > filled or action.qty <= 0:
            reason = paper_refusal(paper, order, action.px, action.qty)
    if reason != REJ_NONE:
        report = paper_tell(
            paper, REP_AMEND_REJECT, action.id, action.side, reason, action.at_ns,
        )
        report.px = action.px
        return
    if action.qty <= filled:
        paper_kill(paper, slot, REP_CANCELED, REJ_NONE, action.at_ns)
        return
    if order.tif == TIF_POST_ONLY and paper_crosses(paper, order.side, action.px):
        paper.counts.post_only += 1
        paper_kill(paper, slot, REP_CANCELED, REJ_POST_ONLY, action.at_ns)
        return
    keeps = (
        paper.params.shrink_keeps_place and action.px == order.px and action.qty <= order.qty
    )
    report = paper_tell(paper, REP_AMENDED, order.id, order.side, REJ_NONE, action.at_ns)
    report.venue_id = order.venue_id
    report.px = action.px
    report.qty = action.qty
    if keeps:
        order.qty = action.qty
        order.rem = action.qty - filled
        return
    paper_leave(paper, slot)
    order.px = action.px
    order.qty = action.qty
    order.rem = action.qty - filled
    paper_rest(paper, slot, action.seq, action.at_ns)


cdef inline void paper_cancel(Paper *paper, const PaperAction *action) noexcept nogil:
    """Cancel one order; one still on its way dies there."""
    cdef int32_t slot = action.slot
    cdef int reason = action.reason
    cdef Report *report
    if slot < 0:
        slot = paper_open_slot(paper, action.id)
        if slot < 0:
            slot = paper_pending_slot(paper, action.id, action.seq)
    elif paper.order[slot].state != PAPER_OPEN and paper.order[slot].state != PAPER_PENDING:
        slot = -1
    if reason == REJ_NONE and slot < 0:
        reason = REJ_NOT_FOUND
    if reason == REJ_NONE:
        paper_kill(paper, slot, REP_CANCELED, REJ_NONE, action.at_ns)
        return
    report = paper_tell(paper, REP_CANCEL_REJECT, action.id, action.side, reason, action.at_ns)
    report.px = action.px


cdef inline void paper_cancel_all(Paper *paper, const PaperAction *action) noexcept nogil:
    """Cancel every order that was sent before the command, resting or on its way."""
    cdef int64_t i
    cdef PaperOrder *order
    if action.reason != REJ_NONE:
        paper_tell(
            paper, REP_CANCEL_REJECT, action.id, action.side, action.reason, action.at_ns,
        )
        return
    for i in range(paper.n_slots):
        order = &paper.order[i]
        if order.age < action.seq and (
            order.state == PAPER_OPEN or order.state == PAPER_PENDING
        ):
            paper_kill(paper, <int32_t> i, REP_CANCELED, REJ_NONE, action.at_ns)


cdef inline void paper_expire(Paper *paper, ns_t now) noexcept nogil:
    """End the orders whose time is over and find the next one."""
    cdef int side
    cdef int64_t i
    cdef int32_t slot
    paper.next_expiry = NEVER
    for side in range(2):
        i = 0
        while i < paper.n_open[side]:
            slot = paper.open[side][i]
            if paper.order[slot].expiry_ns <= now:
                paper_kill(paper, slot, REP_EXPIRED, REJ_NONE, now)
                continue
            paper.next_expiry = min(paper.next_expiry, paper.order[slot].expiry_ns)
            i += 1
