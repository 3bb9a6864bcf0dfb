"""The paper venue's verbs: commands in, market rows in, reports out.

The rules of a fill are those of docs/paper-venue.md. The clock is the receive time of the rows and
of the commands; it must not run backwards. A verb makes no system call and allocates nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memmove, memset

from bog._core.depth cimport (
    Depth, depth_best, depth_bound, depth_knows, depth_qty, depth_reset, depth_set,
)
from bog._core.fixed cimport fee, mul_div, mul_overflows
from bog._core.memory cimport lines
from bog._core.notes cimport (
    Note, Notes, notes_clear_used, notes_find, notes_get, sum_add, sum_at,
)
from bog._core.types cimport (
    ASK, BID, CMD_AMEND, CMD_CANCEL, CMD_CANCEL_ALL, CMD_PLACE, Command, F_OWN, F_PARTIAL,
    FILL_CROSS, FILL_QUEUE, FILL_TAKER, FILL_THROUGH, MODEL_FRONT, MODEL_LINEAR, MODEL_SQUARE,
    NEVER, PX_MAX, QTY_MAX, REJ_DUPLICATE, REJ_HALTED, REJ_LOT, REJ_MIN_SIZE, REJ_NONE,
    REJ_NOT_FOUND, REJ_OPEN_ORDERS, REJ_OTHER, REJ_POST_ONLY, REJ_PRICE, REJ_RATE, REP_ACK,
    REP_AMENDED, REP_AMEND_REJECT, REP_CANCELED, REP_CANCEL_REJECT, REP_EXPIRED, REP_FILL,
    REP_FUNDING, REP_REJECT, ROW_LEVEL, ROW_RESET, ROW_STATS, ROW_STATUS, ROW_TOUCH, ROW_TRADE,
    Report, Row, STATUS_HALTED, STATUS_UP, TIF_IOC, TIF_POST_ONLY, VenueParams, ns_t, ppm_t, px_t,
    qty_t, quanta_t,
)

cdef extern from "paper.h" nogil:
    const int64_t HOUR_NS "BOG_HOUR_NS"
    const int64_t MINUTE_NS "BOG_MINUTE_NS"

    cpdef enum PaperState "bog_paper_state":
        PAPER_FREE "BOG_PAPER_FREE"
        PAPER_PENDING "BOG_PAPER_PENDING"
        PAPER_OPEN "BOG_PAPER_OPEN"
        PAPER_DEAD "BOG_PAPER_DEAD"

    ctypedef struct PaperOrder "bog_paper_order_t":
        uint64_t id
        uint64_t venue_id
        px_t px
        qty_t qty
        qty_t rem
        qty_t ahead
        qty_t credit
        ns_t credit_until
        uint64_t age
        ns_t expiry_ns
        uint8_t side
        uint8_t state
        uint8_t tif
        uint8_t reduce_only
        uint8_t unknown

    ctypedef struct PaperAction "bog_paper_action_t":
        ns_t at_ns
        uint64_t seq
        uint64_t id
        px_t px
        qty_t qty
        ns_t expiry_ns
        int32_t slot
        uint32_t market
        uint8_t kind
        uint8_t side
        uint8_t reason

    ctypedef struct PaperCounts "bog_paper_counts_t":
        uint64_t requests
        uint64_t refused
        uint64_t post_only
        uint64_t overloaded
        uint64_t fills[6]
        uint64_t unfilled
        uint64_t unknown_ahead
        uint64_t own_prints
        uint64_t resets
        uint64_t funding
        uint64_t funding_skipped

    ctypedef struct Paper "bog_paper_t":
        VenueParams params
        Depth *depth
        Notes *notes
        PaperOrder *order
        int32_t *open[2]
        int32_t *spare
        PaperAction *action
        Report *report
        ns_t *request
        int64_t n_slots
        int64_t n_open[2]
        int64_t n_spare
        int64_t cap_actions
        int64_t n_actions
        int64_t cap_reports
        int64_t first_report
        int64_t n_reports
        int64_t first_request
        int64_t n_requests
        uint64_t next_seq
        uint64_t next_venue_id
        uint64_t next_trade
        ns_t next_expiry
        ns_t blind_until
        qty_t pos
        px_t mark
        int64_t rate_ppm
        int64_t stats_hour
        int64_t hour
        uint32_t market
        uint8_t rebuilding
        uint8_t rebuilt_rows
        uint8_t partial
        uint8_t halted
        uint8_t distinct
        PaperCounts counts

    qty_t square_share "bog_square_share"(qty_t dec, qty_t f, qty_t b)


# ---- memory: before the start and after the end ------------------------------------------------

cdef inline void paper_free(Paper *paper) noexcept nogil:
    """Give back what paper_new took; the depth is its owner's. NULL is fine."""
    if paper == NULL:
        return
    free(paper.notes)
    free(paper.order)
    free(paper.open[0])
    free(paper.open[1])
    free(paper.spare)
    free(paper.action)
    free(paper.report)
    free(paper.request)
    free(paper)


cdef inline Paper *paper_new(
    const VenueParams *params, Depth *depth, int64_t orders, int64_t actions,
) noexcept nogil:
    """Return a venue with room for so many live orders and commands in flight, or NULL.

    `depth` is the book that paper_row keeps; it must outlive the venue. The report queue has room
    for what the orders and the commands in flight can still cause, and as many fills again.
    """
    cdef Paper *paper = <Paper *> lines(sizeof(Paper))
    cdef int64_t i
    if paper == NULL:
        return NULL
    paper.params = params[0]
    paper.depth = depth
    paper.n_slots = paper.n_spare = orders
    paper.cap_actions = actions
    paper.cap_reports = 4 * (orders + actions) + 64
    paper.notes = <Notes *> lines(sizeof(Notes))
    paper.order = <PaperOrder *> lines(<size_t> orders * sizeof(PaperOrder))
    paper.open[0] = <int32_t *> lines(<size_t> orders * sizeof(int32_t))
    paper.open[1] = <int32_t *> lines(<size_t> orders * sizeof(int32_t))
    paper.spare = <int32_t *> lines(<size_t> orders * sizeof(int32_t))
    paper.action = <PaperAction *> lines(<size_t> actions * sizeof(PaperAction))
    paper.report = <Report *> lines(<size_t> paper.cap_reports * sizeof(Report))
    paper.request = <ns_t *> lines(<size_t> (params.requests_per_min + 1) * sizeof(ns_t))
    if (
        paper.notes == NULL or paper.order == NULL or paper.open[0] == NULL
        or paper.open[1] == NULL or paper.spare == NULL or paper.action == NULL
        or paper.report == NULL or paper.request == NULL
    ):
        paper_free(paper)
        return NULL
    for i in range(orders):
        paper.spare[i] = <int32_t> (orders - 1 - i)
    paper.next_seq = paper.next_venue_id = paper.next_trade = 1
    paper.blind_until = -1
    paper.next_expiry = NEVER
    return paper


# ---- reports -----------------------------------------------------------------------------------

cdef inline Report *paper_tell(
    Paper *paper, int kind, uint64_t order_id, int side, int reason, ns_t now,
) noexcept nogil:
    """Queue a report of what happens at venue time `now` and return it, NULL when there is no room.

    paper_command and paper_fill keep enough room free, so that only a fill ever meets NULL.
    """
    cdef Report *report
    cdef int64_t at
    if paper.n_reports == paper.cap_reports:
        return NULL
    at = paper.first_report + paper.n_reports
    if at >= paper.cap_reports:
        at -= paper.cap_reports
    paper.n_reports += 1
    report = &paper.report[at]
    memset(report, 0, sizeof(Report))
    report.kind = <uint8_t> kind
    report.order_id = order_id
    report.side = <uint8_t> side
    report.reason = <uint8_t> reason
    report.venue_ns = now
    report.time_ns = now + paper.params.response_ns
    report.market = paper.market
    if kind == REP_REJECT or kind == REP_CANCEL_REJECT or kind == REP_AMEND_REJECT:
        paper.counts.refused += 1
    return report


cdef inline int64_t paper_reserve(const Paper *paper) noexcept nogil:
    """Return how many report slots the live orders and the commands in flight may still need."""
    return 2 * (paper.n_slots - paper.n_spare + paper.n_actions)


# ---- the list of resting orders ----------------------------------------------------------------

cdef inline int paper_better(int side, px_t px, px_t than) noexcept nogil:
    """Return 1 when `px` stands in front of `than` on a side."""
    return px > than if side == BID else px < than


cdef inline int64_t paper_place_of(
    const Paper *paper, int side, px_t px, uint64_t age,
) noexcept nogil:
    """Return where an order of this price and age stands, or would stand, among the resting."""
    cdef int64_t low = 0, high = paper.n_open[side], mid
    cdef const PaperOrder *order
    while low < high:
        mid = (low + high) >> 1
        order = &paper.order[paper.open[side][mid]]
        if paper_better(side, order.px, px) or (order.px == px and order.age < age):
            low = mid + 1
        else:
            high = mid
    return low


cdef inline void paper_enter(Paper *paper, int32_t slot) noexcept nogil:
    """Put an order among the resting ones."""
    cdef PaperOrder *order = &paper.order[slot]
    cdef int side = order.side
    cdef int64_t at = paper_place_of(paper, side, order.px, order.age), n = paper.n_open[side]
    cdef int32_t *list = paper.open[side]
    memmove(list + at + 1, list + at, <size_t> (n - at) * sizeof(int32_t))
    list[at] = slot
    paper.n_open[side] = n + 1


cdef inline void paper_leave(Paper *paper, int32_t slot) noexcept nogil:
    """Take an order out of the resting ones."""
    cdef PaperOrder *order = &paper.order[slot]
    cdef int side = order.side
    cdef int64_t at = paper_place_of(paper, side, order.px, order.age), n = paper.n_open[side]
    cdef int32_t *list = paper.open[side]
    memmove(list + at, list + at + 1, <size_t> (n - at - 1) * sizeof(int32_t))
    paper.n_open[side] = n - 1


cdef inline void paper_spare(Paper *paper, int32_t slot) noexcept nogil:
    """Give a slot back."""
    paper.order[slot].state = PAPER_FREE
    paper.spare[paper.n_spare] = slot
    paper.n_spare += 1


cdef inline int32_t paper_open_slot(const Paper *paper, uint64_t order_id) noexcept nogil:
    """Return the slot of the resting order with this id, -1 when none rests."""
    cdef int side
    cdef int64_t i
    for side in range(2):
        for i in range(paper.n_open[side]):
            if paper.order[paper.open[side][i]].id == order_id:
                return paper.open[side][i]
    return -1


cdef inline int32_t paper_pending_slot(
    const Paper *paper, uint64_t order_id, uint64_t before,
) noexcept nogil:
    """Return the slot of the oldest order on its way with this id, sent before a command, or -1."""
    cdef int64_t i
    cdef int32_t found = -1
    cdef const PaperOrder *order
    for i in range(paper.n_slots):
        order = &paper.order[i]
        if order.state == PAPER_PENDING and order.id == order_id and order.age < before:
            if found < 0 or order.age < paper.order[found].age:
                found = <int32_t> i
    return found


# ---- fills -------------------------------------------------------------------------------------

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


# ---- commands that take effect -----------------------------------------------------------------

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


# ---- commands on their way ---------------------------------------------------------------------

cdef inline int paper_sooner(const PaperAction *a, const PaperAction *b) noexcept nogil:
    """Return 1 when `a` takes effect before `b`."""
    return a.at_ns < b.at_ns or (a.at_ns == b.at_ns and a.seq < b.seq)


cdef inline void paper_push(Paper *paper, const PaperAction *action) noexcept nogil:
    """Put an action on the heap; the caller has seen that there is room."""
    cdef int64_t at = paper.n_actions, up
    paper.n_actions += 1
    while at > 0:
        up = (at - 1) >> 1
        if not paper_sooner(action, &paper.action[up]):
            break
        paper.action[at] = paper.action[up]
        at = up
    paper.action[at] = action[0]


cdef inline void paper_pop(Paper *paper, PaperAction *out) noexcept nogil:
    """Take the next action off the heap, which must not be empty."""
    cdef int64_t at = 0, down, n = paper.n_actions - 1
    cdef PaperAction *last = &paper.action[n]
    out[0] = paper.action[0]
    paper.n_actions = n
    while True:
        down = 2 * at + 1
        if down >= n:
            break
        if down + 1 < n and paper_sooner(&paper.action[down + 1], &paper.action[down]):
            down += 1
        if not paper_sooner(&paper.action[down], last):
            break
        paper.action[at] = paper.action[down]
        at = down
    if n > 0:
        paper.action[at] = last[0]


cdef inline void paper_advance(Paper *paper, ns_t now) noexcept nogil:
    """Let everything take effect that is due at or before `now`, in order; expiries first."""
    cdef PaperAction action
    cdef ns_t at
    while True:
        at = paper.action[0].at_ns if paper.n_actions > 0 else NEVER
        if paper.next_expiry <= at:
            if paper.next_expiry > now or paper.next_expiry == NEVER:
                return
            paper_expire(paper, paper.next_expiry)
            continue
        if at > now:
            return
        paper_pop(paper, &action)
        if action.kind == CMD_PLACE:
            paper_arrive(paper, action.slot, action.reason, at)
        elif action.kind == CMD_CANCEL:
            paper_cancel(paper, &action)
        elif action.kind == CMD_AMEND:
            paper_amend(paper, &action)
        else:
            paper_cancel_all(paper, &action)


cdef inline int paper_rate(Paper *paper, ns_t at) noexcept nogil:
    """Count a request that reaches the venue at `at`; return REJ_RATE when the minute is full.

    The minute is rolling: a request counts for less than 60 s. A refused one does not count.
    """
    cdef int64_t limit = paper.params.requests_per_min, where
    if limit <= 0:
        return REJ_NONE
    while paper.n_requests > 0 and at - paper.request[paper.first_request] >= MINUTE_NS:
        paper.first_request = (paper.first_request + 1) % limit
        paper.n_requests -= 1
    if paper.n_requests >= limit:
        return REJ_RATE
    where = (paper.first_request + paper.n_requests) % limit
    paper.request[where] = at
    paper.n_requests += 1
    return REJ_NONE


cdef inline int32_t paper_send(
    Paper *paper, const Command *command, ns_t at, uint64_t age, uint64_t seq, int32_t slot,
    int reason,
) noexcept nogil:
    """Queue a command that takes effect at `at`; return the order's slot, -1 without, -2 when full.

    `age` is the order's send order, `seq` decides among commands of one time, `slot` names the
    order of a cancel when the caller knows it (-1: by id), `reason` refuses it at the door.
    """
    cdef PaperAction action
    cdef PaperOrder *order
    if paper.n_actions == paper.cap_actions:
        return -2
    if command.kind == CMD_PLACE:
        if paper.n_spare == 0:
            return -2
        paper.n_spare -= 1
        slot = paper.spare[paper.n_spare]
        order = &paper.order[slot]
        memset(order, 0, sizeof(PaperOrder))
        order.id = command.order_id
        order.px = command.px
        order.qty = order.rem = command.qty
        order.side = BID if command.side == BID else ASK
        order.tif = command.tif
        order.reduce_only = command.reduce_only
        order.expiry_ns = command.expiry_ns
        order.age = age
        order.state = PAPER_PENDING
    memset(&action, 0, sizeof(PaperAction))
    action.at_ns = at
    action.seq = seq
    action.id = command.order_id
    action.px = command.px
    action.qty = command.qty
    action.slot = slot
    action.kind = command.kind
    action.side = command.side
    action.reason = <uint8_t> reason
    paper_push(paper, &action)
    return slot


cdef inline int paper_command(Paper *paper, const Command *command, ns_t now) noexcept nogil:
    """Send a command at `now`; it takes effect after the way to the venue and the venue's delay.

    Refusals, too, are reported after the way there and back. Return 0, or 1 when the queues are so
    full that not even a refusal can be reported; then nothing of the command happens.
    """
    cdef ns_t at = now + paper.params.net_ns
    cdef int reason, kind
    cdef uint64_t seq
    paper.market = command.market
    if (
        paper.n_actions == paper.cap_actions
        or (command.kind == CMD_PLACE and paper.n_spare == 0)
        or paper.cap_reports - paper.n_reports < paper_reserve(paper) + 4
    ):
        paper.counts.overloaded += 1
        paper_advance(paper, now)
        kind = REP_CANCEL_REJECT
        if command.kind == CMD_PLACE:
            kind = REP_REJECT
        elif command.kind == CMD_AMEND:
            kind = REP_AMEND_REJECT
        return paper_tell(
            paper, kind, command.order_id, command.side, REJ_OTHER, now,
        ) == NULL
    paper.counts.requests += 1
    reason = paper_rate(paper, at)
    if reason == REJ_NONE:
        if command.kind == CMD_PLACE:
            # whether a plain limit order takes shows on arrival: it waits as a taker does
            at += (
                paper.params.maker_ns if command.tif == TIF_POST_ONLY else paper.params.taker_ns
            )
        elif command.kind == CMD_AMEND:
            at += paper.params.amend_ns
        else:
            at += paper.params.cancel_ns
    seq = paper.next_seq
    paper.next_seq += 1
    paper_send(paper, command, at, seq, seq, -1, reason)
    return 0


# ---- the market --------------------------------------------------------------------------------

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


cdef inline void paper_end(Paper *paper, ns_t now) noexcept nogil:
    """The message is complete: the book may be read."""
    if paper.rebuilding and paper.rebuilt_rows:
        paper_rebuilt(paper, now)
    if not paper.rebuilding:
        paper_cross(paper, now)


cdef inline void paper_hour(Paper *paper, ns_t exch_ns, ns_t now) noexcept nogil:
    """Pay funding when the venue's clock passes a full hour, on the hour's last mark and rate.

    What we pay is rounded up, what we receive down. An hour without a stats row pays nothing and is
    counted.
    """
    cdef int64_t hour = exch_ns // HOUR_NS
    cdef Report *report = NULL
    cdef quanta_t paid
    if hour <= paper.hour:
        return
    if paper.hour > 0:
        paper.counts.funding_skipped += <uint64_t> (hour - paper.hour)
        if paper.mark > 0 and paper.stats_hour == paper.hour:
            paper.counts.funding_skipped -= 1
            if paper.pos != 0:
                paid = fee(paper.mark, paper.pos, <ppm_t> paper.rate_ppm)
                report = paper_tell(
                    paper, REP_FUNDING, 0, BID if paper.pos > 0 else ASK, REJ_NONE, now,
                )
                if report != NULL:
                    report.px = paper.mark
                    report.qty = paper.pos
                    report.fee = paid
                    paper.counts.funding += 1
    paper.hour = hour


cdef inline void paper_row(Paper *paper, const Row *row) noexcept nogil:
    """Apply one row of market data: first what is due, then the row, then crosses at its end."""
    cdef ns_t now = row.recv_ns
    paper_advance(paper, now)
    if row.kind == ROW_TOUCH:
        return
    if row.exch_ns > 0:
        paper_hour(paper, row.exch_ns, now)
    if row.kind == ROW_LEVEL:
        paper.partial |= row.flags & F_PARTIAL
        paper_level(paper, row.side, row.px, row.qty, now)
    elif row.kind == ROW_TRADE:
        if row.flags & F_OWN:
            paper.counts.own_prints += 1
        elif row.qty > 0:
            paper_print(paper, 1 - row.side, row.px, row.qty, now)
    elif row.kind == ROW_RESET:
        depth_reset(paper.depth)
        notes_clear_used(paper.notes)
        paper.rebuilding = 1
        paper.rebuilt_rows = 0
        paper.partial = row.flags & F_PARTIAL
        paper.counts.resets += 1
    elif row.kind == ROW_STATS:
        if row.px > 0:
            paper.mark = row.px
            paper.rate_ppm = row.id
            paper.stats_hour = paper.hour
    elif row.kind == ROW_STATUS:
        if row.px == STATUS_HALTED:
            paper.halted = 1
        elif row.px == STATUS_UP:
            paper.halted = 0
    if row.eom:
        paper_end(paper, now)


# ---- what the engine hears ---------------------------------------------------------------------

cdef inline ns_t paper_due(const Paper *paper) noexcept nogil:
    """Return the earliest time at which paper_report may have something, NEVER when there is none.

    A command that is to take effect, or an order that is to expire, counts with the way back added;
    when it turns out to need no report, paper_report gives none and the time moves on.
    """
    cdef ns_t at = NEVER
    if paper.n_reports > 0:
        return paper.report[paper.first_report].time_ns
    if paper.n_actions > 0:
        at = paper.action[0].at_ns
    if paper.next_expiry < at:
        at = paper.next_expiry
    return at if at == NEVER else at + paper.params.response_ns


cdef inline int paper_report(Paper *paper, ns_t now, Report *out) noexcept nogil:
    """Pop the next report that is due at `now`; return 1, or 0 when none is.

    Every row received before `now` less the way back must have been given to paper_row.
    """
    paper_advance(paper, now - paper.params.response_ns)
    if paper.n_reports == 0 or paper.report[paper.first_report].time_ns > now:
        return 0
    out[0] = paper.report[paper.first_report]
    paper.first_report += 1
    if paper.first_report == paper.cap_reports:
        paper.first_report = 0
    paper.n_reports -= 1
    return 1
