"""What the market does to our resting orders: prints, level changes, snapshots, crossed books.

Rules 2 to 4 of section 5 of market-making.md; docs/paper-venue.md says how each is read.
"""

from libc.stdint cimport int32_t, int64_t

from bog._core.depth cimport depth_best, depth_bound, depth_knows, depth_qty, depth_set
from bog._core.fixed cimport fee, mul_div
from bog._core.notes cimport Note, notes_find, notes_get, sum_add, sum_at
from bog._core.paper_state cimport (
    Paper, PaperOrder, paper_better, paper_leave, paper_place_of, paper_reserve, paper_spare,
    paper_tell,
)
from bog._core.types cimport (
    ASK, BID, FILL_CROSS, FILL_QUEUE, FILL_TAKER, FILL_THROUGH, MODEL_LINEAR, MODEL_SQUARE, PX_MAX,
    QTY_MAX, REP_FILL, Report, ns_t, ppm_t, px_t, qty_t,
)

cdef extern from "paper_fills.h" nogil:
    qty_t square_share "bog_square_share"(qty_t dec, qty_t f, qty_t b)


# ---- one fill ----------------------------------------------------------------------------------

cdef inline int paper_fill(
    Paper *paper, int32_t slot, px_t px, qty_t qty, int reason, ns_t now,
) noexcept nogil:
    """Fill part of an order and report it; return 0, and fill nothing, when the queue is full.

    The order's remaining size falls; the caller takes an order without rest from the list.
    """
    cdef PaperOrder *order = &paper.order[slot]
    cdef Report *report
    cdef ppm_t ppm = paper.params.taker_ppm if reason == FILL_TAKER else paper.params.maker_ppm
    if paper.cap_reports - paper.n_reports <= paper_reserve(paper):
        paper.counts.unfilled += 1
        return 0
    report = paper_tell(paper, REP_FILL, order.id, order.side, reason, now)
    report.venue_id = paper.next_trade
    report.px = px
    report.qty = qty
    report.fee = fee(px, qty, ppm)
    paper.next_trade += 1
    paper.counts.fills[reason] += 1
    order.rem -= qty
    paper.pos += qty if order.side == BID else -qty
    return 1


cdef inline int paper_done(Paper *paper, int32_t slot) noexcept nogil:
    """Take a resting order that is wholly filled off the list; return 1 when it was."""
    if paper.order[slot].rem > 0:
        return 0
    paper_leave(paper, slot)
    paper_spare(paper, slot)
    return 1


# ---- a print: rule 3 ---------------------------------------------------------------------------

cdef inline void paper_print(
    Paper *paper, int side, px_t px, qty_t qty, ns_t now,
) noexcept nogil:
    """A taker traded `qty` at `px` against `side`: rule 3, best price first, then age."""
    cdef qty_t left = qty, older = 0, reach, step, size
    cdef int64_t i = 0
    cdef int32_t slot
    cdef int reason
    cdef PaperOrder *order
    cdef Note *note
    while i < paper.n_open[side]:
        slot = paper.open[side][i]
        order = &paper.order[slot]
        if paper_better(side, order.px, px):
            reason = FILL_THROUGH
            size = order.rem if paper.params.through_full else min(order.rem, left)
        elif order.px == px:
            reason = FILL_QUEUE
            reach = 0
            if not order.unknown:
                # every order meets the whole print: the queue of others shrank by all of it
                step = min(qty, sum_at(order.credit, order.credit_until, now))
                order.credit -= step
                reach = qty - step
                step = min(reach, order.ahead)
                order.ahead -= step
                reach -= step
            reach -= older
            older += order.rem
            size = min(order.rem, reach, left)
        else:
            break
        i += 1
        if size > 0 and paper_fill(paper, slot, order.px, size, reason, now):
            left = max(left - size, 0)
            if paper_done(paper, slot):
                i -= 1
    note = notes_find(paper.notes, side, px)
    step = 0
    if note != NULL:
        step = min(qty, sum_at(note.unexplained, note.unexplained_until, now))
        note.unexplained -= step
    elif now <= paper.blind_until:
        return
    else:
        note = notes_get(paper.notes, side, px, now, paper.params.window_ns)
    if note != NULL:
        sum_add(&note.seen, &note.seen_until, qty - step, now, now + paper.params.window_ns)


# ---- a level changes: rule 2 -------------------------------------------------------------------

cdef inline qty_t paper_ahead_after(
    const Paper *paper, qty_t f, qty_t dec, qty_t rest, qty_t size,
) noexcept nogil:
    """Return the queue in front after `dec` unexplained lots left a level that now shows `size`.

    f: the queue in front before; rest: the level before, less what prints explain.
    """
    cdef qty_t b = max(rest - f, 0), ahead = f
    if f > 0 and paper.params.model == MODEL_LINEAR:
        ahead = f - mul_div(dec, f, f + b)
    elif f > 0 and paper.params.model == MODEL_SQUARE:
        ahead = f - square_share(dec, f, b)
    return min(ahead, size)


cdef inline void paper_told(
    Paper *paper, PaperOrder *order, qty_t size, ns_t now,
) noexcept nogil:
    """A row tells the size of a level where the queue in front of an order was not known.

    Prints of the next window may belong to what left before the row, so that none counts.
    """
    order.ahead = size
    order.unknown = 0
    order.credit = QTY_MAX
    order.credit_until = now + paper.params.window_ns


cdef inline void paper_level(
    Paper *paper, int side, px_t px, qty_t size, ns_t now,
) noexcept nogil:
    """Set a level of the displayed book and move the queues in front of our orders: rule 2."""
    cdef qty_t old = depth_set(paper.depth, side, px, size)
    cdef qty_t dec, step = 0, ahead
    cdef int64_t i
    cdef PaperOrder *order
    cdef Note *note = notes_find(paper.notes, side, px)
    if note != NULL:
        note.used = 0
    if paper.rebuilding:
        paper.rebuilt_rows = 1
        return
    dec = old - size
    if dec > 0:
        if note != NULL:
            step = min(dec, sum_at(note.seen, note.seen_until, now))
            note.seen -= step
            dec -= step
        if dec > 0:
            if note == NULL:
                note = notes_get(paper.notes, side, px, now, paper.params.window_ns)
            if note != NULL:
                sum_add(
                    &note.unexplained, &note.unexplained_until, dec, now,
                    now + paper.params.window_ns,
                )
            else:
                paper.blind_until = now + paper.params.window_ns
    if paper.n_open[side] == 0:
        return
    i = paper_place_of(paper, side, px, 0)
    while i < paper.n_open[side]:
        order = &paper.order[paper.open[side][i]]
        if order.px != px:
            break
        i += 1
        if order.unknown:
            paper_told(paper, order, size, now)
        elif old > size:
            ahead = paper_ahead_after(paper, order.ahead, dec, old - step, size)
            if dec > 0:
                sum_add(
                    &order.credit, &order.credit_until, order.ahead - ahead, now,
                    now + paper.params.window_ns,
                )
            order.ahead = ahead


cdef inline void paper_rebuilt(Paper *paper, ns_t now) noexcept nogil:
    """The snapshot after a reset is complete: our orders are not behind more than it shows.

    What left while we did not look is no decrease that a print could explain: it adds neither to
    `credit` nor to `unexplained`. A partial snapshot is known up to its last level.
    """
    cdef int side
    cdef int64_t i
    cdef qty_t size
    cdef PaperOrder *order
    paper.rebuilding = 0
    if paper.partial:
        depth_bound(
            paper.depth, BID, paper.depth.px[0][0] - 1 if paper.depth.n[0] > 0 else PX_MAX,
        )
        depth_bound(paper.depth, ASK, paper.depth.px[1][0] + 1 if paper.depth.n[1] > 0 else 1)
    for side in range(2):
        for i in range(paper.n_open[side]):
            order = &paper.order[paper.open[side][i]]
            if not depth_knows(paper.depth, side, order.px):
                continue
            size = depth_qty(paper.depth, side, order.px)
            if order.unknown:
                paper_told(paper, order, size, now)
            else:
                order.ahead = min(order.ahead, size)


# ---- the other side reaches us: rule 4 ---------------------------------------------------------

cdef inline qty_t paper_offered(
    const Paper *paper, int side, int64_t at, ns_t now,
) noexcept nogil:
    """Return what a level still offers us: displayed, less what our fills had of it."""
    cdef qty_t size = paper.depth.qty[side][at]
    cdef const Note *note = notes_find(paper.notes, side, paper.depth.px[side][at])
    if note != NULL:
        size -= note.used + sum_at(note.taken, note.taken_until, now)
    return size if size > 0 else 0


cdef inline qty_t paper_crossed(
    Paper *paper, int side, px_t px, qty_t want, ns_t now,
) noexcept nogil:
    """Return how much of `want` the opposite levels that reach `px` give, and mark it used.

    Best level first. A level that cannot be noted gives nothing, for it could be given twice.
    """
    cdef int against = 1 - side
    cdef int64_t at = paper.depth.n[against] - 1
    cdef qty_t size, total = 0
    cdef px_t level
    cdef Note *note
    while at >= 0 and total < want:
        level = paper.depth.px[against][at]
        if paper_better(side, level, px):
            break
        size = min(want - total, paper_offered(paper, against, at, now))
        at -= 1
        if size > 0:
            note = notes_get(paper.notes, against, level, now, paper.params.window_ns)
            if note != NULL:
                note.used += size
                total += size
    return total


cdef inline void paper_cross(Paper *paper, ns_t now) noexcept nogil:
    """After a message: fill the orders that the opposite side of the book reached, rule 4."""
    cdef int side
    cdef int64_t i
    cdef int32_t slot
    cdef px_t best
    cdef qty_t size
    cdef PaperOrder *order
    for side in range(2):
        best = depth_best(paper.depth, 1 - side)
        i = 0
        while best != 0 and i < paper.n_open[side]:
            slot = paper.open[side][i]
            order = &paper.order[slot]
            if paper_better(side, best, order.px):
                break
            i += 1
            size = paper_crossed(paper, side, order.px, order.rem, now)
            if size > 0 and paper_fill(paper, slot, order.px, size, FILL_CROSS, now):
                if paper_done(paper, slot):
                    i -= 1
