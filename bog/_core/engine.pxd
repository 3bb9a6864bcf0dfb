"""The step: one event in, records and commands out. Listen, look, think, check, act.

It reads no clock, makes no system call, allocates nothing, and knows nothing of where events come
from: live, paper, replay and tests drive this same code.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from bog._core.book cimport BOOK_SOUND, book_check
from bog._core.exposure cimport Exposure
from bog._core.fixed cimport floor_div
from bog._core.inventory cimport Model, StrategyMemory, inventory_quote
from bog._core.lifecycle cimport (
    TRUTH_BOOK, TRUTH_COLD, TRUTH_DRAIN, TRUTH_GONE, TRUTH_PAUSE, TRUTH_WARM, lifecycle_next,
)
from bog._core.orders cimport (
    CHANGE_AMEND, CHANGE_KEEP, CHANGE_REPLACE, EFFECT_DUPLICATE, EFFECT_IGNORED, ORDERS_CAP,
    PLAN_AMEND, PLAN_CANCEL, PLAN_PLACE, PLAN_WAIT, OrderEffect, Orders, Plan, orders_age,
    orders_amend, orders_cancel, orders_exposure, orders_init, orders_on_report, orders_place,
    orders_plan, orders_sent,
)
from bog._core.position cimport (
    position_daily2, position_equity2, position_fill, position_funding, position_roll,
    position_sample_peak,
)
from bog._core.quota cimport quota_init, quota_short, quota_spend, quota_trade
from bog._core.risk cimport (
    Moment, Risk, risk_check, risk_clear_halt, risk_halt, risk_init, risk_restore, risk_standing,
    risk_take,
)
from bog._core.strategy cimport (
    MOVE_KEEP, MOVE_PULL, MOVE_RENEW, MOVE_WRONG_SIDE, QUIET_INVENTORY, QUIET_QUOTA, Quote,
    strategy_moves, strategy_paced, strategy_quote,
)
from bog._core.types cimport (
    ALLOW, ASK, BID, DENY_DAILY_LOSS, DENY_DRAWDOWN, DENY_RATE, F_SNAPSHOT, HALT_ACCOUNTING,
    HALT_DAILY_LOSS, HALT_DRAWDOWN, HALT_KILLED, HALT_VENUE, J_ACK, J_AMEND, J_AMENDED,
    J_AMEND_REJECT, J_CANCEL, J_CANCELED, J_CANCEL_REJECT, J_CLEAR_HALT, J_DAY, J_DENIED, J_EPOCH,
    J_EXPIRED, J_FILL, J_FUNDING, J_GAP, J_HALT, J_LEVEL, J_MODEL, J_PEAK, J_PLACE, J_REJECT,
    J_STALE, J_STRATEGY, J_UNKNOWN, LEVEL_DRAIN, LEVEL_KILLED, LEVEL_PAUSED, NEVER, NUMBERS,
    ORDER_FILLED, REC_BOOK, REC_STATS, REC_STATUS, REP_ACK, REP_AMENDED, REP_AMEND_REJECT,
    REP_CANCELED, REP_CANCEL_REJECT, REP_EXPIRED, REP_FILL, REP_FUNDING, REP_REJECT, STATUS_UP,
    STRATEGY_INVENTORY, W_CASH, W_COMMANDS, W_COST, W_DAY, W_DAY_OPEN, W_FEES, W_FILLS, W_FUNDING,
    W_HALT, W_HALT_ID, W_LAST_NS, W_LEVEL, W_MARK2, W_NEXT_ORDER_ID, W_PEAK, W_POS, W_REALIZED,
    W_VOLUME, Command, JournalRec, Limits, Order, Position, Record, Report, StrategyParams, half_t,
    ns_t, px_t, qty_t,
)
from bog._core.volatility cimport volatility_sample

cdef extern from "engine.h" nogil:
    enum: OUT_COMMANDS "BOG_OUT_COMMANDS"
    enum: OUT_RECORDS "BOG_OUT_RECORDS"

    cpdef enum EventKind "bog_event_kind":
        EVENT_RECORD "BOG_EVENT_RECORD"
        EVENT_REPORT "BOG_EVENT_REPORT"
        EVENT_TIMER "BOG_EVENT_TIMER"
        EVENT_LEVEL "BOG_EVENT_LEVEL"
        EVENT_CLEAR_HALT "BOG_EVENT_CLEAR_HALT"
        EVENT_GAP "BOG_EVENT_GAP"
        EVENT_EPOCH "BOG_EVENT_EPOCH"
        EVENT_MODEL "BOG_EVENT_MODEL"

    ctypedef struct Event "bog_event_t":
        uint64_t kind
        ns_t time_ns
        ns_t alive_ns
        uint64_t arg
        const Record *record
        const Report *report
        const Model *model

    ctypedef struct Out "bog_out_t":
        int64_t n_commands
        int64_t n_records
        Command command[40]
        JournalRec record[96]

    ctypedef struct Engine "bog_engine_t":
        Position position
        Record book
        Quote quote
        Limits limits
        StrategyParams params
        Risk risk
        Orders orders
        ns_t now_ns
        ns_t alive_ns
        px_t mark_px
        ns_t mark_ns
        px_t mid2
        ns_t sample_ns
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
        uint64_t unchanged
        uint64_t books
        uint64_t crossed
        uint64_t refused
        StrategyMemory memory


cdef inline JournalRec *engine_record(Engine *e, Out *out, int kind) noexcept nogil:
    """Return a fresh journal record of this turn; the last one is reused should a turn overflow."""
    cdef JournalRec *rec
    if out.n_records < OUT_RECORDS:
        out.n_records += 1
    rec = &out.record[out.n_records - 1]
    memset(rec, 0, sizeof(JournalRec))
    rec.kind = <uint8_t>kind
    rec.time_ns = e.now_ns
    return rec


cdef inline Command *engine_command(Engine *e, Out *out) noexcept nogil:
    """Return room for a command, NULL when this turn has given all it may."""
    if out.n_commands >= OUT_COMMANDS:
        return NULL
    return &out.command[out.n_commands]


cdef inline px_t engine_mark2(const Engine *e) noexcept nogil:
    """Return the mark in half ticks: the published one for five seconds, else the last mid."""
    if e.mark_px > 0 and e.now_ns - e.mark_ns <= 5_000_000_000LL:
        return 2 * e.mark_px
    return e.mid2


cdef inline void engine_halt(Engine *e, Out *out, int reason, int64_t evidence) noexcept nogil:
    """Halt for `reason` until an operator clears it by id; the first reason stands."""
    cdef JournalRec *rec
    if not risk_halt(&e.risk, reason):
        return
    rec = engine_record(e, out, J_HALT)
    rec.id = e.risk.halt_id
    rec.reason = <uint8_t>reason
    rec.val = evidence


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
    if report.kind == REP_FUNDING:
        if position_funding(&e.position, report.fee):
            engine_halt(e, out, HALT_ACCOUNTING, report.fee)
            return
        rec = engine_record(e, out, J_FUNDING)
        rec.val = report.fee
        rec.px = report.px
        rec.qty = e.position.pos
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
        rec.side = report.side
        rec.reason = report.reason
        rec.state = effect.state
    if fault:
        engine_halt(e, out, HALT_VENUE, fault)
    if effect.fill_qty > 0:
        engine_sample(e, out)


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
    if want == LEVEL_KILLED:
        engine_halt(e, out, HALT_KILLED, 0)


cdef inline void engine_on_model(Engine *e, const Model *model, Out *out) noexcept nogil:
    """Quote on these numbers from now on; journal those that changed."""
    cdef JournalRec *rec
    cdef int i
    for i in range(NUMBERS):
        if e.memory.model.steps == 0 or model.number_q16[i] != e.memory.model.number_q16[i]:
            rec = engine_record(e, out, J_MODEL)
            rec.id = <uint64_t>i
            rec.val = model.number_q16[i]
    memcpy(&e.memory.model, model, sizeof(Model))
    e.pending = 1


cdef inline void engine_lifecycle(Engine *e, Out *out) noexcept nogil:
    """Follow what is true of the strategy's world; journal each state that it passes."""
    cdef JournalRec *rec
    cdef int truth = TRUTH_WARM, state, _
    if e.level >= LEVEL_DRAIN:
        truth = TRUTH_DRAIN if e.orders.live else TRUTH_GONE
    elif e.level == LEVEL_PAUSED or e.risk.halt:
        truth = TRUTH_PAUSE
    elif not e.book_ok:
        truth = TRUTH_COLD
    elif e.params.kind == STRATEGY_INVENTORY and (
        e.memory.volatility.fast.samples < e.params.warm_samples or e.memory.model.steps == 0
    ):
        truth = TRUTH_BOOK
    # two steps: from the start, or from a pause, at once to where its estimates allow
    for _ in range(2):
        state = lifecycle_next(<int>e.memory.state, truth)
        if state == <int>e.memory.state:
            return
        rec = engine_record(e, out, J_STRATEGY)
        rec.state = <uint8_t>state
        rec.reason = <uint8_t>e.memory.state
        e.memory.state = <uint64_t>state
        e.pending = 1


cdef inline void engine_void_book(Engine *e) noexcept nogil:
    """Trust no book until the next whole message: an empty one is quoted by nobody."""
    memset(&e.book, 0, sizeof(Record))
    e.book_ok = 0
    e.pending = 1


cdef inline int engine_on_record(Engine *e, const Record *record, Out *out) noexcept nogil:
    """Look: take a market record; return 1 when there is something to think about."""
    cdef int check
    if record.kind == REC_STATS:
        if record.mark_px > 0:
            e.mark_px = record.mark_px
            e.mark_ns = e.now_ns
        return 1
    if record.kind == REC_STATUS:
        if record.status != STATUS_UP:
            engine_void_book(e)
        return 1
    if record.kind != REC_BOOK:
        return 0
    e.books += 1
    check = book_check(record)
    if check != BOOK_SOUND:
        # a book that cannot be: quotes must not rest on the last good one
        e.refused += 1
        e.invalid = <uint8_t>check
        engine_void_book(e)
        return 1
    if (
        e.book_ok
        and not e.pending
        and record.bid == e.book.bid
        and record.bid_qty == e.book.bid_qty
        and record.ask == e.book.ask
        and record.ask_qty == e.book.ask_qty
    ):
        e.unchanged += 1
        return 0
    memcpy(&e.book, record, sizeof(Record))
    e.book_ok = 1
    if record.bid > 0 and record.ask > 0:
        if record.bid < record.ask:
            e.mid2 = record.bid + record.ask
        else:
            e.crossed += 1
    return 1


cdef inline void engine_moment(const Engine *e, Moment *m) noexcept nogil:
    """Write what the gate must know of this moment."""
    cdef px_t mark2 = engine_mark2(e)
    m.now = e.now_ns
    m.alive_ns = e.alive_ns
    m.equity2 = position_equity2(&e.position, mark2)
    m.daily2 = position_daily2(&e.position, mark2)
    m.peak2 = e.position.peak
    m.pos = e.position.pos
    m.level = e.level
    m.connected = 1


cdef inline void engine_freshness(Engine *e, Out *out) noexcept nogil:
    """Notice that the feed has gone stale or is back; a stale feed voids the book."""
    cdef JournalRec *rec
    cdef uint8_t stale = e.now_ns - e.alive_ns > e.limits.stale_after_ns
    if stale == e.stale:
        return
    e.stale = stale
    rec = engine_record(e, out, J_STALE)
    rec.state = stale
    rec.val = e.now_ns - e.alive_ns
    if stale:
        engine_void_book(e)


cdef inline int engine_say(Engine *e, int side, int verdict, px_t px, qty_t qty, Out *out) noexcept nogil:
    """Journal a verdict on a side when it differs from the last one; return it."""
    cdef JournalRec *rec
    if verdict != ALLOW:
        e.why[side] = <uint8_t>(32 + verdict)
    if verdict != e.denied[side]:
        e.denied[side] = <uint8_t>verdict
        rec = engine_record(e, out, J_DENIED)
        rec.side = <uint8_t>side
        rec.reason = <uint8_t>verdict
        rec.px = px
        rec.qty = qty
    return verdict


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


cdef inline void engine_sent(Engine *e, Out *out) noexcept nogil:
    """Number the command just filled and let it go."""
    e.commands += 1
    out.command[out.n_commands].seq = e.commands
    out.n_commands += 1


cdef inline int engine_reduces(const Engine *e, int side, qty_t qty) noexcept nogil:
    """Return 1 when a fill of `qty` lots on `side` can only bring the position nearer to flat."""
    return qty <= (-e.position.pos if side == BID else e.position.pos)


cdef inline void engine_side(Engine *e, int side, const Moment *m, int standing, Out *out) noexcept nogil:
    """Think, check and act on one side: judge it by itself and take the smallest step."""
    cdef const Quote *quote = &e.quote
    cdef px_t px = quote.bid_px if side == BID else quote.ask_px
    cdef qty_t qty = quote.bid_qty if side == BID else quote.ask_qty
    cdef int move = MOVE_KEEP, change = CHANGE_KEEP, verdict, i, frugal = 0
    cdef ns_t expiry = NEVER
    cdef Exposure exposure
    cdef Order *order = NULL
    cdef Command *command
    cdef JournalRec *rec
    cdef Plan plan
    cdef int64_t slot, was_free = 0
    e.why[side] = quote.why[side]
    if standing != ALLOW:
        e.risk.denied[standing] += 1
        engine_say(e, side, standing, px, qty, out)
        qty = 0
    for i in range(ORDERS_CAP):
        if e.orders.live >> i & 1 and e.orders.slot[i].side == side:
            order = &e.orders.slot[i]
            if qty > 0:
                move = strategy_moves(&e.params, &e.memory.quota, quote, side, order, e.now_ns)
    if move == MOVE_RENEW:
        change = CHANGE_REPLACE
    elif move != MOVE_KEEP:
        change = CHANGE_AMEND
    if e.params.quota_start > 0:
        frugal = quota_short(
            &e.memory.quota, &e.params, engine_reduces(e, side, qty), e.now_ns
        )
        if frugal and order == NULL and qty > 0:
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
    verdict = risk_check(
        &e.limits, &e.risk, &e.book, m, &exposure, side, plan.px, plan.qty, slot >= 0
    )
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


cdef inline void engine_decide(Engine *e, Out *out) noexcept nogil:
    """Think about both sides, each judged by itself; a loss past its limit halts first."""
    cdef Moment m
    cdef int standing
    e.pending = 0
    engine_moment(e, &m)
    standing = risk_standing(&e.limits, &e.risk, &e.book, &m)
    if standing == DENY_DAILY_LOSS:
        engine_halt(e, out, HALT_DAILY_LOSS, m.daily2)
    elif standing == DENY_DRAWDOWN:
        engine_halt(e, out, HALT_DRAWDOWN, m.daily2)
    if e.params.kind == STRATEGY_INVENTORY:
        inventory_quote(
            &e.params, &e.memory, &e.book, e.orders.slot, ORDERS_CAP, e.position.pos, &e.quote
        )
    else:
        strategy_quote(&e.params, &e.book, e.orders.slot, ORDERS_CAP, e.position.pos, &e.quote)
    engine_side(e, BID, &m, standing, out)
    engine_side(e, ASK, &m, standing, out)


cdef inline void engine_step(Engine *e, const Event *event, Out *out) noexcept nogil:
    """Take one event and write the records and commands that follow from it into `out`.

    Time never runs backwards: an event from the past is taken at the present.
    """
    cdef JournalRec *rec
    cdef int look = 1
    out.n_commands = out.n_records = 0
    if event.time_ns > e.now_ns:
        e.now_ns = event.time_ns
    if event.alive_ns > e.alive_ns:
        e.alive_ns = event.alive_ns
    if event.kind == EVENT_RECORD:
        look = engine_on_record(e, event.record, out)
    elif event.kind == EVENT_REPORT:
        engine_on_report(e, event.report, out)
    elif event.kind == EVENT_TIMER:
        quota_trade(&e.memory.quota, &e.params, e.position.volume)
        if e.params.kind == STRATEGY_INVENTORY:
            volatility_sample(
                &e.memory.volatility, &e.params, e.mid2 if e.book_ok else 0, e.now_ns
            )
    elif event.kind == EVENT_MODEL:
        engine_on_model(e, event.model, out)
    elif event.kind == EVENT_LEVEL:
        engine_on_level(e, event.arg, out)
    elif event.kind == EVENT_GAP:
        rec = engine_record(e, out, J_GAP)
        rec.val = <int64_t>event.arg
        engine_void_book(e)
    elif event.kind == EVENT_EPOCH:
        rec = engine_record(e, out, J_EPOCH)
        rec.id = event.arg
        engine_void_book(e)
    elif event.kind == EVENT_CLEAR_HALT:
        if risk_clear_halt(&e.risk, event.arg):
            rec = engine_record(e, out, J_CLEAR_HALT)
            rec.id = event.arg
    if not look:
        return
    engine_freshness(e, out)
    if event.kind != EVENT_RECORD and (event.kind != EVENT_REPORT or e.level >= LEVEL_DRAIN):
        engine_lifecycle(e, out)
    if e.now_ns >= e.sample_ns:
        # whole seconds of the engine's clock, however far time jumped
        e.sample_ns = e.now_ns - e.now_ns % 1_000_000_000LL + 1_000_000_000LL
        engine_sample(e, out)
        orders_age(&e.orders, e.now_ns)
    engine_decide(e, out)


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


cdef inline int64_t engine_word(Engine *e, int word, int64_t value, bint store) noexcept nogil:
    """Return word `word` of the state that outlives a run (enum StateWord), after storing `value`.

    A level above RUN is not carried over: a run that drained ended, and an emergency stop is kept
    as a halt. A halt that is none reads as the strictest one.
    """
    cdef Position *p = &e.position
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
    return 0
