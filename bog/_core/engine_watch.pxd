"""Watch feed, market, venue and account: what speaks against quoting, and what halts."""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from bog._core.apart cimport apart_void
from bog._core.breaker cimport breaker_look, breaker_reset, breaker_tripped, breaker_violated
from bog._core.connection cimport connection_on, connection_time
from bog._core.engine_state cimport Engine, Out, engine_halt, engine_mark2, engine_record
from bog._core.fixed cimport apart, floor_div, mul_overflows
from bog._core.freshness cimport freshness_doubt, freshness_good, freshness_verdict
from bog._core.position cimport (
    position_equity2, position_roll, position_sample_peak, position_today2,
)
from bog._core.repeats cimport repeats_note
from bog._core.risk cimport Moment, risk_clear_halt
from bog._core.types cimport (
    CONNECTION_CLOSED, CONNECTION_OPEN, DENY_BREAKER, DENY_DAILY_LOSS, DENY_DELAYED, HALT_DAILY_LOSS,
    HALT_DRAWDOWN, HALT_EXECUTIONS, HALT_MARKET, HALT_REJECTS, J_BREAKER, J_CLEAR_HALT, J_CONNECTION,
    J_DAY, J_PEAK, J_STALE, REJ_QUOTA, REJ_RATE, VIOLATION_NONE, VIOLATION_PRICE, JournalRec, Record,
    half_t, px_t, qty_t, quanta_t,
)

cdef enum:
    HELD_BACK_NS = 1_000_000_000  # no create after one that was refused for the rate


cdef inline void engine_sample(Engine *e, Out *out) noexcept nogil:
    """Roll the UTC day and raise its peak: only here, so that the journal knows each change."""
    cdef JournalRec *rec
    cdef px_t mark2 = engine_mark2(e)
    cdef int64_t day = floor_div(e.now_ns + e.limits.unix_offset_ns, 86_400_000_000_000LL)
    if mark2 <= 0:
        return
    if position_roll(&e.position, day, mark2):
        rec = engine_record(e, out, J_DAY)
        rec.id = <uint64_t>day
        rec.val = e.position.day_open
        rec.px = mark2
    if position_sample_peak(&e.position, mark2):
        rec = engine_record(e, out, J_PEAK)
        rec.val = e.position.peak
        rec.px = mark2


cdef inline void engine_doubt(Engine *e) noexcept nogil:
    """Trust no book until the next whole message, and none to quote on until the feed is warm."""
    memset(&e.book, 0, sizeof(Record))
    e.book_ok = 0
    e.pending = 1
    freshness_doubt(&e.freshness)


cdef inline void engine_freshness(Engine *e, Out *out) noexcept nogil:
    """Notice that the feed has gone stale or is back; a stale feed voids the book.

    A sign of life far ahead of the event is none: another clock, or an engine that fell behind.
    """
    cdef uint8_t stale = apart(e.now_ns, e.alive_ns, e.limits.stale_after_ns)
    if stale != e.stale:
        engine_stale(e, stale, out)


cdef inline apart_void engine_stale(Engine *e, uint8_t stale, Out *out) noexcept nogil:
    """Journal that the feed has gone stale or is back."""
    cdef JournalRec *rec
    e.stale = stale
    rec = engine_record(e, out, J_STALE)
    rec.state = stale
    rec.val = e.now_ns - e.alive_ns
    if stale:
        engine_doubt(e)


cdef inline apart_void engine_violation(Engine *e, int violation, px_t mid2, Out *out) noexcept nogil:
    """Journal a violation of the market breaker, or the end of a row of them; too many halt."""
    cdef JournalRec *rec
    if violation != VIOLATION_NONE:
        freshness_doubt(&e.freshness)
    if e.risk.halts >> HALT_MARKET & 1:
        return
    rec = engine_record(e, out, J_BREAKER)
    rec.reason = <uint8_t>violation
    rec.val = e.breaker.count
    rec.px = mid2
    rec.qty = e.breaker.mid2
    if breaker_tripped(&e.breaker, &e.limits):
        engine_halt(e, out, HALT_MARKET, mid2)


cdef inline void engine_garbage(Engine *e, Out *out) noexcept nogil:
    """Count a book with an impossible price against the market."""
    engine_violation(e, breaker_violated(&e.breaker, VIOLATION_PRICE), 0, out)


cdef inline void engine_judge_book(Engine *e, px_t bid, px_t ask, Out *out) noexcept nogil:
    """Let the market breaker judge a two-sided book; what it believes is the mid and counts as good.

    A move that enough books in a row confirm is where the market is: it halts, and marks.
    """
    cdef int64_t before = e.breaker.count
    cdef int violation = breaker_look(&e.breaker, &e.limits, bid, ask)
    if violation != VIOLATION_NONE or before > 0:
        engine_violation(e, violation, bid + ask, out)
    if violation == VIOLATION_NONE:
        e.mid2 = bid + ask
        if not e.freshness.warm and not e.freshness.delayed:
            freshness_good(&e.freshness, e.now_ns)
    elif breaker_tripped(&e.breaker, &e.limits):
        e.mid2 = bid + ask


cdef inline void engine_note_fill(Engine *e, Out *out) noexcept nogil:
    """Count a fill; too many in too short a time halt."""
    if repeats_note(&e.fills, e.now_ns, e.limits.max_fills, e.limits.fills_window_ns):
        engine_halt(e, out, HALT_EXECUTIONS, e.limits.max_fills)


cdef inline void engine_note_reject(Engine *e, int reason, Out *out) noexcept nogil:
    """Count a refusal by the venue; too many in too short a time halt.

    For the rate or the quota the next create would be refused as well: it waits.
    """
    if reason == REJ_RATE or reason == REJ_QUOTA:
        e.held_back_ns = e.now_ns + HELD_BACK_NS
    if repeats_note(&e.rejects, e.now_ns, e.limits.max_rejects, e.limits.rejects_window_ns):
        engine_halt(e, out, HALT_REJECTS, e.limits.max_rejects)


cdef inline apart_void engine_loss(Engine *e, int verdict, half_t daily2, Out *out) noexcept nogil:
    """Halt for a loss past its limit."""
    engine_halt(e, out, HALT_DAILY_LOSS if verdict == DENY_DAILY_LOSS else HALT_DRAWDOWN, daily2)


cdef inline void engine_connection_changed(Engine *e, uint32_t before, Out *out) noexcept nogil:
    """Journal a new state of the resilience breaker."""
    cdef JournalRec *rec = engine_record(e, out, J_CONNECTION)
    rec.reason = <uint8_t>before
    rec.state = <uint8_t>e.connection.state


cdef inline void engine_connection_time(Engine *e, Out *out) noexcept nogil:
    """Let the resilience breaker see that time passes."""
    if connection_time(&e.connection, e.now_ns):
        engine_connection_changed(e, CONNECTION_OPEN, out)  # without a gateway it stays LOST


cdef inline void engine_on_connection(Engine *e, uint64_t attempt, Out *out) noexcept nogil:
    """Take the outcome of an attempt to reach the venue (enum Attempt)."""
    cdef uint32_t before
    engine_connection_time(e, out)
    before = e.connection.state
    if connection_on(&e.connection, attempt, e.now_ns):
        engine_connection_changed(e, before, out)


cdef inline void engine_clear_halt(Engine *e, uint64_t halt_id, Out *out) noexcept nogil:
    """Clear the halt by the newest id. Market, fills and refusals are counted anew from here.

    After a halt of the market the next book is the breaker's reference, not the one that halted.
    """
    cdef int by_market = e.risk.halts >> HALT_MARKET & 1
    cdef JournalRec *rec
    if not risk_clear_halt(&e.risk, halt_id):
        return
    rec = engine_record(e, out, J_CLEAR_HALT)
    rec.id = halt_id
    e.fills.n = e.rejects.n = 0
    if by_market:
        breaker_reset(&e.breaker)
        engine_doubt(e)


cdef inline int engine_watch(Engine *e) noexcept nogil:
    """Return what the newest book says against quoting: ALLOW, or the first reason."""
    cdef int verdict = freshness_verdict(&e.freshness, &e.limits, e.now_ns)
    if verdict != DENY_DELAYED and e.breaker.violation != VIOLATION_NONE:
        return DENY_BREAKER
    return verdict


cdef inline quanta_t engine_room(const Engine *e) noexcept nogil:
    """Return what may be held at worst, in quanta: no less than the position at the mid."""
    cdef quanta_t held = 0
    cdef qty_t pos = e.position.pos
    if pos == 0 or e.room == INT64_MAX:
        return e.room
    if mul_overflows(pos if pos > 0 else -pos, (e.book.bid + e.book.ask + 1) >> 1, &held):
        return e.room
    return held if held > e.room else e.room


cdef inline void engine_moment(Engine *e, Moment *m, Out *out) noexcept nogil:
    """Write what the gate must know of this moment."""
    cdef px_t mark2 = engine_mark2(e)
    engine_connection_time(e, out)
    m.now = e.now_ns
    m.alive_ns = e.alive_ns
    m.equity2 = position_equity2(&e.position, mark2)
    m.daily2 = position_today2(&e.position, m.equity2)
    m.peak2 = e.position.peak
    m.pos = e.position.pos
    m.level = e.level
    m.connected = e.connection.state == CONNECTION_CLOSED
    m.watch = engine_watch(e)
    m.room = engine_room(e)
