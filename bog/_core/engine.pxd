"""The step: one event in, records and commands out. Listen, look, think, check, act.

It reads no clock, makes no system call, allocates nothing, and knows nothing of where events come
from: live, paper, replay and tests drive this same code. engine_state.pxd is what it remembers,
engine_watch.pxd what speaks against quoting, engine_side.pxd the act.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bog._core.apart cimport apart_void
from bog._core.book cimport (
    BOOK_BAD_PX, BOOK_SOUND, book_fault, book_full, book_same_touch,
)
from bog._core.engine_ask cimport engine_flattened, engine_on_ask, engine_sides_aside
from bog._core.engine_calm cimport engine_calm_turn, engine_is_calm, engine_settle
from bog._core.engine_grid cimport engine_grid
from bog._core.engine_side cimport engine_crowded, engine_side
from bog._core.engine_state cimport (
    EVENT_ASK, EVENT_CLEAR_HALT, EVENT_CONNECTION, EVENT_EPOCH, EVENT_GAP, EVENT_LEVEL, EVENT_MODEL,
    EVENT_RECORD, EVENT_REPORT, EVENT_TIMER, Engine, Event, Out, engine_halt, engine_mark2, engine_record,
    engine_unbox, engine_word,
)
from bog._core.engine_strategy cimport (
    engine_lifecycle, engine_on_beat, engine_on_model, engine_quote,
)
from bog._core.engine_watch cimport (
    engine_clear_halt, engine_doubt, engine_freshness, engine_garbage, engine_judge_book, engine_loss,
    engine_moment, engine_note_fill, engine_note_reject, engine_on_connection, engine_sample,
)
from bog._core.freshness cimport freshness_book
from bog._core.memory cimport copy_line
from bog._core.orders cimport (
    EFFECT_DUPLICATE, EFFECT_IGNORED, OrderEffect, orders_age, orders_init, orders_on_report,
)
from bog._core.position cimport (
    position_fill, position_funding, position_funding_is_new, position_trade,
)
from bog._core.quota cimport quota_init
from bog._core.risk cimport Moment, risk_init, risk_standing
from bog._core.types cimport (
    ALLOW, DENY_DAILY_LOSS, DENY_DRAWDOWN, FLATTENED_HELD, HALT_ACCOUNTING, HALT_KILLED,
    HALT_VENUE, J_ACK, J_AMENDED, J_AMEND_REJECT, J_CANCELED, J_CANCEL_REJECT, J_EPOCH, J_EXPIRED,
    J_FILL, J_FUNDING, J_GAP, J_LEVEL, J_REJECT, J_UNKNOWN, LEVEL_DRAIN, LEVEL_KILLED,
    LEVEL_PAUSED, REC_BOOK, REC_STATS, REC_STATUS, REP_ACK, REP_AMENDED, REP_AMEND_REJECT,
    REP_CANCELED, REP_CANCEL_REJECT, REP_EXPIRED, REP_FILL, REP_FUNDING, REP_REJECT,
    STATUS_HALTED, STATUS_UP, JournalRec, Limits, Record, Report, StrategyParams, ns_t,
)

cdef inline int engine_report_record(int kind) noexcept nogil:
    """Return the journal kind of a report kind; an unknown one reads as an unknown outcome."""
    if kind == REP_ACK:
        return J_ACK
    if kind == REP_REJECT:
        return J_REJECT
    if kind == REP_FILL:
        return J_FILL
    if kind == REP_CANCELED:
        return J_CANCELED
    if kind == REP_CANCEL_REJECT:
        return J_CANCEL_REJECT
    if kind == REP_AMENDED:
        return J_AMENDED
    if kind == REP_AMEND_REJECT:
        return J_AMEND_REJECT
    if kind == REP_EXPIRED:
        return J_EXPIRED
    return J_UNKNOWN


cdef inline void engine_on_report(Engine *e, const Report *report, Out *out) noexcept nogil:
    """Listen: take the venue's word, fills first of all into the position."""
    cdef OrderEffect effect
    cdef JournalRec *rec
    cdef int fault
    if report.kind == REP_FUNDING or report.kind == REP_FILL:
        engine_unbox(e)
    if report.kind == REP_FUNDING:
        if not position_funding_is_new(&e.position, report.venue_id):
            return
        if position_funding(&e.position, report.fee):
            engine_halt(e, out, HALT_ACCOUNTING, report.fee)
            return
        rec = engine_record(e, out, J_FUNDING)
        rec.val = report.fee
        rec.px = report.px
        rec.qty = e.position.pos
        rec.aux = <uint32_t>report.venue_id
        return
    fault = orders_on_report(&e.orders, report, &effect)
    if effect.flags & EFFECT_DUPLICATE:
        return
    if effect.fill_qty > 0 and position_fill(
        &e.position, report.side, report.px, effect.fill_qty, report.fee
    ):
        engine_halt(e, out, HALT_ACCOUNTING, report.qty)
        return
    if report.kind != REP_FILL or effect.fill_qty > 0:
        rec = engine_record(e, out, engine_report_record(report.kind))
        rec.id = report.order_id
        rec.px = report.px
        rec.qty = report.qty
        rec.val = report.fee if report.kind == REP_FILL else <int64_t>report.venue_id
        rec.aux = <uint32_t>report.venue_id
        if report.kind == REP_FILL:
            position_trade(&e.position, report.venue_id)
        rec.side = report.side
        rec.reason = report.reason
        rec.state = effect.state
    if fault:
        engine_halt(e, out, HALT_VENUE, fault)
    if effect.fill_qty > 0:
        engine_note_fill(e, out)
        engine_sample(e, out)
    elif not effect.flags & EFFECT_IGNORED and (
        report.kind == REP_REJECT or report.kind == REP_AMEND_REJECT
    ):
        engine_note_reject(e, report.reason, out)


cdef inline void engine_on_level(Engine *e, uint64_t level, Out *out) noexcept nogil:
    """Take an operator's level; an unknown one reads as the strictest. KILLED halts for good."""
    cdef JournalRec *rec
    cdef uint32_t want = <uint32_t>level if level <= LEVEL_KILLED else LEVEL_KILLED
    if want == e.level:
        return
    rec = engine_record(e, out, J_LEVEL)
    rec.reason = <uint8_t>e.level
    rec.state = <uint8_t>want
    e.level = want
    if want != LEVEL_PAUSED:
        engine_flattened(e, FLATTENED_HELD, out)
    if want == LEVEL_KILLED:
        engine_halt(e, out, HALT_KILLED, 0)


cdef inline apart_void engine_sides(
    Engine *e, const Moment *m, int standing, Out *out
) noexcept nogil:
    """Act on both sides, each judged by itself; on one of a grid, or where all markets hold too much."""
    cdef int side, verdict
    if e.aside:
        engine_sides_aside(e, m, standing, out)
        return
    for side in range(2):
        verdict = standing
        if verdict == ALLOW and e.over:
            verdict = engine_crowded(e, side, m)
        if e.params.grid_orders > 1:
            engine_grid(e, side, m, verdict, out)
        else:
            engine_side(e, side, m, verdict, out)


cdef inline void engine_decide(Engine *e, Out *out) noexcept nogil:
    """Think about both sides, each judged by itself; a loss past its limit halts first."""
    cdef Moment m
    cdef int standing
    engine_moment(e, &m, out)
    # a feed that warms up is looked at until it is warm, though nothing moves
    e.pending = m.watch != ALLOW
    standing = risk_standing(&e.limits, &e.risk, &e.book, &m)
    if standing == DENY_DAILY_LOSS or standing == DENY_DRAWDOWN:
        engine_loss(e, standing, m.daily2, out)
    engine_quote(e)
    engine_sides(e, &m, standing, out)
    engine_settle(e, standing, &m, out)


cdef inline apart_void engine_second(Engine *e, Out *out) noexcept nogil:
    """Take what is due at whole seconds of the engine's clock, however far time jumped."""
    e.sample_ns = e.now_ns - e.now_ns % 1_000_000_000LL + 1_000_000_000LL
    engine_sample(e, out)
    orders_age(&e.orders, e.now_ns)


cdef inline void engine_think(Engine *e, uint64_t kind, Out *out) noexcept nogil:
    """Watch the clocks, then decide: after an event of `kind` that left something to think about."""
    engine_freshness(e, out)
    if kind != EVENT_RECORD and (kind != EVENT_REPORT or e.level >= LEVEL_DRAIN):
        engine_lifecycle(e, out)
    if e.now_ns >= e.sample_ns:
        engine_second(e, out)
    engine_decide(e, out)


cdef inline int engine_on_record(Engine *e, const Record *record, Out *out) noexcept nogil:
    """Look: take a market record that is no book; return 1 when there is something to think about."""
    if record.kind == REC_STATS:
        if record.mark_px > 0:
            e.mark_px = record.mark_px
            e.mark_ns = e.now_ns
        return 1
    if record.kind == REC_STATUS:
        if record.status != STATUS_UP:
            engine_doubt(e)
        if record.status == STATUS_HALTED:
            engine_halt(e, out, HALT_VENUE, record.status)
        return 1
    return 0


cdef inline apart_void engine_on_bad_book(Engine *e, int fault, Out *out) noexcept nogil:
    """Take a book that cannot be: quotes must not rest on the last good one."""
    e.refused += 1
    e.invalid = <uint8_t>fault
    engine_doubt(e)
    if fault == BOOK_BAD_PX:
        engine_garbage(e, out)
    engine_think(e, EVENT_RECORD, out)


cdef inline apart_void engine_on_new_book(Engine *e, const Record *record, Out *out) noexcept nogil:
    """Take a sound book whose touch is not the last one's, or that was waited for."""
    if e.params.own_in_book:
        memcpy(&e.book, record, sizeof(Record))
    else:
        # nobody asks for what stands behind the touch: only our own orders would hide it
        copy_line(&e.book, record)
    e.book_ok = 1
    if record.bid > 0 and record.ask > 0:
        if record.bid < record.ask:
            engine_judge_book(e, record.bid, record.ask, out)
        else:
            e.crossed += 1
    engine_think(e, EVENT_RECORD, out)


cdef inline apart_void engine_on_touch(
    Engine *e, const Record *record, int late, Out *out
) noexcept nogil:
    """Take a sound book that is not unchanged and has two sides, by the short way if it may be."""
    if engine_is_calm(e, record, late):
        engine_calm_turn(e, record, out)
    else:
        engine_on_new_book(e, record, out)


cdef inline int engine_late(Engine *e, const Record *record) noexcept nogil:
    """Count a book, sound or not, and return 1 when the venue's time of it says that it is late."""
    e.books += 1
    return freshness_book(&e.freshness, &e.limits, e.now_ns, record.exch_ns)


cdef inline int engine_unchanged(Engine *e, const Record *record, int late) noexcept nogil:
    """Return 1 when a sound book has the touch that was thought about: there is nothing to do."""
    return e.book_ok and not e.pending and not late and book_same_touch(record, &e.book)


cdef inline void engine_on_other_book(Engine *e, const Record *record, Out *out) noexcept nogil:
    """Take a book that book_full has not passed: with fewer levels, or none that can be believed."""
    cdef int late = engine_late(e, record)
    cdef int fault = book_fault(record)
    if fault != BOOK_SOUND:
        engine_on_bad_book(e, fault, out)
    elif engine_unchanged(e, record, late):
        e.unchanged += 1
    elif record.bid > 0 and record.ask > 0:
        engine_on_touch(e, record, late, out)
    else:
        engine_on_new_book(e, record, out)


cdef inline apart_void engine_on_other(Engine *e, const Event *event, Out *out) noexcept nogil:
    """Take any event but a full sound book."""
    cdef JournalRec *rec
    if event.kind == EVENT_RECORD:
        if event.record.kind == REC_BOOK:
            engine_on_other_book(e, event.record, out)
            return
        if not engine_on_record(e, event.record, out):
            return
    elif event.kind == EVENT_REPORT:
        engine_on_report(e, event.report, out)
    elif event.kind == EVENT_TIMER:
        engine_on_beat(e)
    elif event.kind == EVENT_MODEL:
        engine_on_model(e, event.model, out)
    elif event.kind == EVENT_LEVEL:
        engine_on_level(e, event.arg, out)
    elif event.kind == EVENT_GAP:
        rec = engine_record(e, out, J_GAP)
        rec.val = <int64_t>event.arg
        engine_doubt(e)
    elif event.kind == EVENT_EPOCH:
        rec = engine_record(e, out, J_EPOCH)
        rec.id = event.arg
        engine_doubt(e)
    elif event.kind == EVENT_CLEAR_HALT:
        engine_clear_halt(e, event.arg, out)
    elif event.kind == EVENT_CONNECTION:
        engine_on_connection(e, event.arg, out)
    elif event.kind == EVENT_ASK:
        engine_on_ask(e, event.ask, out)
    engine_think(e, event.kind, out)


cdef inline int engine_step(Engine *e, const Event *event, Out *out) noexcept nogil:
    """Take one event and write the records and commands that follow from it into `out`.

    Return 0 when there are none for certain. Time never runs backwards: an event from the past is
    taken at the present.
    """
    cdef int late
    out.n_commands = out.n_records = 0
    if event.time_ns > e.now_ns:
        e.now_ns = event.time_ns
    if event.alive_ns > 0:
        e.alive_ns = event.alive_ns
    if e.over != event.over:
        e.over = event.over
        e.pending = 1
        e.calm.until_ns = 0
    if event.kind != EVENT_RECORD or not book_full(event.record):
        e.room = event.room
        engine_on_other(e, event, out)
        return 1
    # an unchanged touch of a sound book is nothing to think about
    late = engine_late(e, event.record)
    if engine_unchanged(e, event.record, late):
        e.unchanged += 1
        return 0
    e.room = event.room
    engine_on_touch(e, event.record, late, out)
    return 1


cdef inline int engine_init(
    Engine *e, const Limits *limits, const StrategyParams *params, uint32_t market,
    int px_decimals, int qty_decimals,
) noexcept nogil:
    """Begin flat, with no book; return 0, or which limit is past the compiled caps (enum Cap)."""
    memset(e, 0, sizeof(Engine))
    memcpy(&e.limits, limits, sizeof(Limits))
    memcpy(&e.params, params, sizeof(StrategyParams))
    e.market = market
    quota_init(&e.memory.quota, &e.params, 0)
    # a slot is kept as long as a late fill may be told, a cancel is asked again after two seconds
    orders_init(&e.orders, 1, market, 3_000_000_000LL, 2_000_000_000LL, 0)
    return risk_init(&e.risk, &e.limits, px_decimals, qty_decimals, 0)
