"""The paper venue's plug: commands in, market rows in, reports out.

paper_state holds the memory, paper_fills says what the market does to our orders, paper_orders what
our commands do; docs/paper-venue.md says how each rule of a fill is read.

The clock is the receive time of the rows and of the commands; it must not run backwards. A verb
makes no system call and allocates nothing.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from bog._core.depth cimport depth_reset
from bog._core.fixed cimport fee
from bog._core.notes cimport notes_clear_used
from bog._core.paper_fills cimport paper_cross, paper_level, paper_print, paper_rebuilt
from bog._core.paper_orders cimport (
    paper_amend, paper_arrive, paper_cancel, paper_cancel_all, paper_expire,
)
from bog._core.paper_state cimport (
    HOUR_NS, MINUTE_NS, PAPER_PENDING, Paper, PaperAction, PaperOrder, paper_reserve, paper_tell,
)
from bog._core.types cimport (
    ASK, BID, CMD_AMEND, CMD_CANCEL, CMD_PLACE, Command, F_OWN, F_PARTIAL, NEVER, REJ_NONE,
    REJ_OTHER, REJ_RATE, REP_AMEND_REJECT, REP_CANCEL_REJECT, REP_FUNDING, REP_REJECT, ROW_LEVEL,
    ROW_RESET, ROW_STATS, ROW_STATUS, ROW_TOUCH, ROW_TRADE, Report, Row, STATUS_HALTED, STATUS_UP,
    TIF_POST_ONLY, ns_t, ppm_t, quanta_t,
)


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
    paper.n_reports -= 1
    # a queue that is empty begins again in the lines that were just used
    if paper.first_report == paper.cap_reports or paper.n_reports == 0:
        paper.first_report = 0
    return 1
