"""What an engine remembers, what it says to the journal, and what of it outlives a run."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from bog._core.breaker cimport Breaker
from bog._core.connection cimport Connection
from bog._core.freshness cimport Freshness
from bog._core.inventory cimport Model, StrategyMemory
from bog._core.orders cimport Orders
from bog._core.repeats cimport Repeats
from bog._core.risk cimport Risk, risk_halt, risk_restore
from bog._core.strategy cimport Quote
from bog._core.types cimport (
    ALLOW, DENY_KILLED, DENY_PAUSED, J_DENIED, J_HALT, W_CASH, W_COMMANDS, W_COST, W_DAY,
    W_DAY_OPEN, W_FEES, W_FILLS, W_FUNDED, W_FUNDING, W_HALT, W_HALT_ID, W_LAST_NS, W_LEVEL,
    W_MARK2, W_NEXT_ORDER_ID, W_PEAK, W_POS, W_REALIZED, W_TRADE, W_VOLUME, Ask, Command,
    JournalRec, Limits, Position, Record, Report, StrategyParams, half_t, ns_t, px_t, qty_t,
    quanta_t,
)

cdef extern from "engine_state.h" nogil:
    const ns_t MARK_NS "BOG_MARK_NS"
    enum: OUT_COMMANDS "BOG_OUT_COMMANDS"
    enum: OUT_RECORDS "BOG_OUT_RECORDS"

    enum EventKind "bog_event_kind":
        EVENT_RECORD "BOG_EVENT_RECORD"
        EVENT_REPORT "BOG_EVENT_REPORT"
        EVENT_TIMER "BOG_EVENT_TIMER"
        EVENT_LEVEL "BOG_EVENT_LEVEL"
        EVENT_CLEAR_HALT "BOG_EVENT_CLEAR_HALT"
        EVENT_GAP "BOG_EVENT_GAP"
        EVENT_EPOCH "BOG_EVENT_EPOCH"
        EVENT_CONNECTION "BOG_EVENT_CONNECTION"
        EVENT_MODEL "BOG_EVENT_MODEL"
        EVENT_ASK "BOG_EVENT_ASK"

    ctypedef struct Event "bog_event_t":
        uint64_t kind
        ns_t time_ns
        ns_t alive_ns
        uint64_t arg
        quanta_t room
        uint64_t over
        const Record *record
        const Report *report
        const Model *model
        const Ask *ask

    ctypedef struct Out "bog_out_t":
        int64_t n_commands
        int64_t n_records
        Command command[40]
        JournalRec record[96]

    void record_small "bog_record_small"(JournalRec *rec, int kind, int side)

    ctypedef struct Box "bog_box_t":
        qty_t qty
        px_t low
        uint64_t span
        px_t low2
        uint64_t span2
        quanta_t room
        half_t equity2
        int64_t live

    ctypedef struct Rest "bog_rest_t":
        qty_t keep
        px_t px
        px_t best
        int32_t slot
        int32_t boxed

    ctypedef struct Calm "bog_calm_t":
        ns_t until_ns
        px_t low2
        uint64_t span2
        uint64_t spread
        int64_t tokens
        uint64_t turns
        uint64_t moves
        Rest rest[2]
        Box box[2]

    ctypedef struct Engine "bog_engine_t":
        Position position
        Record book
        Quote quote
        Limits limits
        StrategyParams params
        Risk risk
        Orders orders
        Freshness freshness
        Breaker breaker
        Connection connection
        Repeats fills
        Repeats rejects
        ns_t now_ns
        ns_t alive_ns
        px_t mark_px
        ns_t mark_ns
        px_t mid2
        ns_t sample_ns
        quanta_t room
        ns_t quoted_ns[2]
        uint64_t commands
        uint32_t market
        uint32_t level
        uint8_t book_ok
        uint8_t stale
        uint8_t pending
        uint8_t denied[2]
        uint8_t why[2]
        uint8_t invalid
        uint64_t over
        Calm calm
        uint64_t unchanged
        uint64_t books
        uint64_t crossed
        uint64_t refused
        uint64_t aside
        StrategyMemory memory
        int64_t configured[11]
        uint64_t tightened_by[11]
        ns_t held_back_ns


cdef inline JournalRec *engine_next_record(Out *out) noexcept nogil:
    """Return room for a journal record of this turn; the last one's should a turn overflow."""
    cdef int64_t n = out.n_records
    if n < OUT_RECORDS:
        out.n_records = n + 1
        return &out.record[n]
    return &out.record[OUT_RECORDS - 1]


cdef inline JournalRec *engine_record(Engine *e, Out *out, int kind) noexcept nogil:
    """Return a fresh journal record of this turn, cleared but for its kind and time."""
    cdef JournalRec *rec = engine_next_record(out)
    memset(rec, 0, sizeof(JournalRec))
    rec.kind = <uint8_t>kind
    rec.time_ns = e.now_ns
    return rec


cdef inline Command *engine_command(Engine *e, Out *out) noexcept nogil:
    """Return room for a command, NULL when this turn has given all it may."""
    if out.n_commands >= OUT_COMMANDS:
        return NULL
    return &out.command[out.n_commands]


cdef inline int engine_marked(const Engine *e) noexcept nogil:
    """Return 1 while the published mark counts."""
    return e.mark_px > 0 and e.now_ns - e.mark_ns < MARK_NS


cdef inline px_t engine_mark2(const Engine *e) noexcept nogil:
    """Return the mark in half ticks: the published one for five seconds, else the last mid."""
    return 2 * e.mark_px if engine_marked(e) else e.mid2


cdef inline void engine_halt(Engine *e, Out *out, int reason, int64_t evidence) noexcept nogil:
    """Halt for `reason` until an operator clears it by id; the first reason stands."""
    cdef JournalRec *rec
    if not risk_halt(&e.risk, reason):
        return
    e.calm.until_ns = 0
    rec = engine_record(e, out, J_HALT)
    rec.id = e.risk.halt_id
    rec.reason = <uint8_t>reason
    rec.val = evidence


cdef inline void engine_say(
    Engine *e, int side, int verdict, px_t px, qty_t qty, Out *out
) noexcept nogil:
    """Count and journal a verdict on a side when it differs from the last one.

    So a refusal counts once however many ticks it lasts. An operator's level is no refusal: the
    record of the level says it.
    """
    cdef JournalRec *rec
    if verdict != ALLOW:
        e.why[side] = <uint8_t>(32 + verdict)
        if verdict == DENY_PAUSED or verdict == DENY_KILLED:
            return
    if verdict == e.denied[side]:
        return
    e.denied[side] = <uint8_t>verdict
    e.risk.denied[verdict] += 1
    rec = engine_record(e, out, J_DENIED)
    rec.side = <uint8_t>side
    rec.reason = <uint8_t>verdict
    rec.px = px
    rec.qty = qty


cdef inline void engine_unbox(Engine *e) noexcept nogil:
    """Forget which amends the gate allows: the position has changed."""
    e.calm.box[0].qty = e.calm.box[1].qty = 0


cdef inline int64_t engine_word(Engine *e, int word, int64_t value, bint store) noexcept nogil:
    """Return word `word` of the state that outlives a run (enum StateWord), after storing `value`.

    A level above RUN is not carried over: a run that drained ended, and an emergency stop is kept
    as a halt. A halt that is none reads as the strictest one.
    """
    cdef Position *p = &e.position
    if store:
        e.calm.until_ns = 0
        engine_unbox(e)
    if word == W_POS:
        if store:
            p.pos = value
        return p.pos
    if word == W_COST:
        if store:
            p.cost = value
        return p.cost
    if word == W_CASH:
        if store:
            p.cash = value
        return p.cash
    if word == W_REALIZED:
        if store:
            p.realized = value
        return p.realized
    if word == W_FEES:
        if store:
            p.fees = value
        return p.fees
    if word == W_FUNDING:
        if store:
            p.funding = value
        return p.funding
    if word == W_VOLUME:
        if store:
            p.volume = e.memory.quota.volume = value  # what earlier runs traded earns nothing now
        return p.volume
    if word == W_FILLS:
        if store:
            p.fills = <uint64_t>value
        return <int64_t>p.fills
    if word == W_DAY:
        if store:
            p.day = value
        return p.day
    if word == W_DAY_OPEN:
        if store:
            p.day_open = value
        return p.day_open
    if word == W_PEAK:
        if store:
            p.peak = value
        return p.peak
    if word == W_MARK2:
        if store:
            p.mark2 = value
        return p.mark2
    if word == W_NEXT_ORDER_ID:
        if store and value > 0:
            e.orders.next_id = <uint64_t>value
        return <int64_t>e.orders.next_id
    if word == W_HALT:
        if store:
            risk_restore(&e.risk, value, e.risk.halt_id)
        return e.risk.halt
    if word == W_HALT_ID:
        if store:
            risk_restore(&e.risk, e.risk.halt, <uint64_t>value)
        return <int64_t>e.risk.halt_id
    if word == W_LEVEL:
        return e.level
    if word == W_COMMANDS:
        if store:
            e.commands = <uint64_t>value
        return <int64_t>e.commands
    if word == W_LAST_NS:
        if store:
            e.now_ns = value
        return e.now_ns
    if word == W_TRADE:
        if store:
            p.trade = <uint32_t>value
        return <int64_t>p.trade
    if word == W_FUNDED:
        if store:
            p.funded = <uint32_t>value
        return <int64_t>p.funded
    return 0
