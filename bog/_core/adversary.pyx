"""A hostile venue that plays random schedules against position, orders and risk, for tests.

It delays, reorders, repeats and loses whatever a venue may, and lets fills race cancels and amends.
It keeps the true position and the true orders (the god view) and compares after every event.
Two promises it keeps, because the rooms rely on them: no fill is lost, and no message arrives later
than `DELAY` after it was sent.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.exposure cimport Exposure
from bog._core.grid cimport (
    GRID_AMEND, GRID_CANCEL, GRID_ORDERS, GRID_PLACE, GridStep, Ladder, grid_plan, grid_want,
)
from bog._core.memory cimport lines
from bog._core.orders cimport (
    CHANGE_KEEP, CHANGE_REPLACE, EFFECT_DUPLICATE, FAULT_NONE, ORDERS_CAP,
    PLAN_AMEND, PLAN_CANCEL, PLAN_PLACE, OrderEffect, Orders, Plan, orders_amend, orders_cancel,
    orders_exposure, orders_init, orders_on_report, orders_place, orders_plan, orders_rem,
    orders_sent,
)
from bog._core.position cimport (
    position_daily2, position_equity2, position_fill, position_holds,
)
from bog._core.quota cimport Quota
from bog._core.risk cimport (
    TOKEN, Moment, Risk, risk_check, risk_init, risk_refill, risk_take,
)
from bog._core.strategy cimport Quote
from bog._core.types cimport (
    ALLOW, ASK, BID, CMD_AMEND, CMD_PLACE, LEVEL_RUN, NEVER, ORDER_AMEND_SENT,
    ORDER_CANCEL_SENT, ORDER_FILLED, ORDER_FREE, ORDER_UNKNOWN, PX_MAX, REJ_NOT_FOUND,
    REJ_POST_ONLY, REP_ACK, REP_AMENDED, REP_AMEND_REJECT, REP_CANCELED, REP_CANCEL_REJECT,
    REP_EXPIRED, REP_FILL, REP_REJECT, REP_UNKNOWN, VERDICTS, Command, Limits, Position, Record, Report,
    StrategyParams, ns_t, px_t, qty_t, quanta_t,
)

cdef enum:
    TRUTHS = 4096  # orders of one schedule
    POOL = 512     # messages under way, each direction
    BOOK_BID = 990
    BOOK_ASK = 1010

cdef ns_t DELAY = 1000

cpdef enum Planted:
    """A bug planted into the gate or the books, to show that the harness sees it."""

    PLANT_NONE = 0
    PLANT_FORGET_CANCEL_SENT = 1  # exposure without orders whose cancel is under way
    PLANT_FORGET_UNKNOWN = 2      # exposure without orders whose outcome is unknown
    PLANT_FORGET_AMEND = 3        # exposure of an amended order at its old size and price
    PLANT_NO_LINGER = 4           # a canceled order is forgotten while fills are under way
    PLANT_COUNT_TWICE = 5         # a repeated fill moves the position again
    PLANT_OWN_LIMIT = 6           # the gate looks at the position alone


cdef enum Phase:
    COMING  # the create is under way
    ALIVE
    DEAD
    LOST    # the create never arrives


ctypedef struct Truth:
    int side
    int phase
    px_t px
    qty_t qty
    qty_t filled
    int64_t changes  # amends under way
    px_t change_px
    qty_t change_qty


ctypedef struct Parcel:
    Report report
    ns_t due


# every struct with its own cache lines stands in one block of lines()
ctypedef struct World:
    Orders orders
    Position position
    Risk risk
    Limits limits
    Record book
    Quote quote
    StrategyParams params
    Quota quota
    Parcel mail[512]
    Command wire[512]
    Truth truth[4096]
    int active[4096]  # truths that are not dead
    int n_active
    int n_mail
    int n_wire
    int plant
    int grid
    px_t interval
    uint64_t rng
    ns_t now
    uint64_t trade
    uint64_t next_truth
    qty_t pos
    quanta_t cash
    # odds of this schedule, in 1/256
    uint32_t odds_repeat
    uint32_t odds_lose
    uint32_t odds_refuse
    uint32_t odds_trade
    uint32_t odds_unasked
    uint32_t odds_lost
    uint32_t odds_free
    uint32_t odds_watch
    # what happened
    int64_t events
    int64_t violations
    int64_t first_violation
    int64_t why
    int64_t fault
    int64_t fault_state
    int64_t fault_report
    int64_t places
    int64_t amends
    int64_t cancels
    int64_t fills
    int64_t allowed
    int64_t refused
    int64_t at_limit
    int64_t self_matches
    int64_t late_fills
    int64_t duplicates
    int64_t unknowns
    int64_t full  # ladders after which a side had all its orders


cpdef enum Why:
    """What was violated first."""

    WHY_NOTHING = 0
    WHY_LIMIT = 1        # true worst case past a limit
    WHY_BELIEF = 2       # true worst case past what we believe it is
    WHY_IDENTITY = 3     # cash = realized - cost - fees + funding
    WHY_FAULT = 4        # a true report was called impossible
    WHY_RECOUNT = 5      # the sums are not those of the orders
    WHY_SELF_MATCH = 6   # two true orders of ours would meet
    WHY_TOKENS = 7       # too few tokens to cancel what lives
    WHY_TRUTH = 8        # at rest, our position or cash is not the true one
    WHY_COUNT = 9        # more orders than allowed, in all or on a side of a grid
    WHY_WATCH = 10       # an order while feed, market or connection was suspected


cdef inline uint64_t draw(World *w, uint64_t n) noexcept nogil:
    """Return a number in 0..n-1 (splitmix64)."""
    cdef uint64_t z
    w.rng += <uint64_t>0x9E3779B97F4A7C15ULL
    z = w.rng
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return (z ^ (z >> 31)) % n


cdef inline int odds(World *w, uint32_t in_256) noexcept nogil:
    return draw(w, 256) < in_256


cdef void violated(World *w, int why) noexcept nogil:
    if w.violations == 0:
        w.first_violation = w.events
        w.why = why
    w.violations += 1


cdef void say(World *w, int kind, uint64_t id, px_t px, qty_t qty, uint64_t venue_id,
              int reason) noexcept nogil:
    """Post a report, sometimes twice; it arrives in any order, within DELAY."""
    cdef Parcel *p
    cdef int copies = 2 if odds(w, w.odds_repeat) else 1
    cdef int _
    for _ in range(copies):
        if w.n_mail == POOL:
            return
        p = &w.mail[w.n_mail]
        w.n_mail += 1
        memset(p, 0, sizeof(Parcel))
        p.report.kind = <unsigned char>kind
        p.report.order_id = id
        p.report.side = <unsigned char>w.truth[id - 1].side
        p.report.px = px
        p.report.qty = qty
        p.report.fee = 1 if kind == REP_FILL else 0
        p.report.venue_id = venue_id
        p.report.reason = <unsigned char>reason
        p.report.venue_ns = w.now
        p.due = w.now + 1 + <ns_t>draw(w, <uint64_t>DELAY)


cdef void die(World *w, uint64_t id) noexcept nogil:
    cdef int i
    w.truth[id - 1].phase = DEAD
    for i in range(w.n_active):
        if w.active[i] == <int>(id - 1):
            w.n_active -= 1
            w.active[i] = w.active[w.n_active]
            return


cdef void arrive(World *w) noexcept nogil:
    """Let the venue act on one of the commands under way."""
    cdef int i = <int>draw(w, w.n_wire)
    cdef Command c = w.wire[i]
    cdef uint64_t id = c.order_id
    cdef Truth *o = &w.truth[id - 1]
    w.n_wire -= 1
    w.wire[i] = w.wire[w.n_wire]
    if c.kind == CMD_PLACE:
        if odds(w, w.odds_lose):
            # never arrives: the sender learns that it cannot know, and later that it is dead
            die(w, id)
            o.phase = LOST
            say(w, REP_UNKNOWN, id, 0, 0, 0, 0)
        elif odds(w, w.odds_refuse):
            die(w, id)
            say(w, REP_REJECT, id, c.px, 0, 0, REJ_POST_ONLY)
        else:
            o.phase = ALIVE
            if not odds(w, w.odds_lose):
                say(w, REP_ACK, id, c.px, 0, id + 1_000_000, 0)
    elif c.kind == CMD_AMEND:
        o.changes -= 1
        if odds(w, w.odds_lose):
            say(w, REP_UNKNOWN, id, 0, 0, 0, 0)
        elif o.phase != ALIVE or odds(w, w.odds_refuse):
            say(w, REP_AMEND_REJECT, id, o.px, 0, 0, REJ_NOT_FOUND)
        else:
            o.px = c.px
            o.qty = c.qty
            if not odds(w, w.odds_lose):
                say(w, REP_AMENDED, id, c.px, c.qty, 0, 0)
            if o.qty <= o.filled:
                die(w, id)
                say(w, REP_CANCELED, id, o.px, 0, 0, 0)
    elif odds(w, w.odds_lose):
        if odds(w, 128):
            say(w, REP_UNKNOWN, id, 0, 0, 0, 0)
    elif o.phase != ALIVE or odds(w, w.odds_refuse):
        say(w, REP_CANCEL_REJECT, id, o.px, 0, 0, REJ_NOT_FOUND)
    else:
        die(w, id)
        say(w, REP_CANCELED, id, o.px, 0, 0, 0)


cdef void trade(World *w) noexcept nogil:
    """Fill a random part of a random order that rests."""
    cdef int at = w.active[draw(w, w.n_active)]
    cdef Truth *o = &w.truth[at]
    cdef qty_t rem = o.qty - o.filled, qty
    cdef int sign = 1 if o.side == BID else -1
    if o.phase != ALIVE or w.n_mail >= POOL - 1:
        return
    qty = rem if odds(w, 96) else 1 + <qty_t>draw(w, rem)
    o.filled += qty
    w.pos += sign * qty
    w.cash -= sign * qty * o.px + 1
    w.trade += 1
    w.fills += 1
    say(w, REP_FILL, <uint64_t>at + 1, o.px, qty, w.trade, 0)
    if o.filled == o.qty:
        die(w, <uint64_t>at + 1)


cdef void unasked(World *w) noexcept nogil:
    """Do what a venue does by itself, or say again what became of an order."""
    cdef uint64_t id
    cdef Truth *o
    cdef int n = w.n_active
    if n > 0 and odds(w, 128):
        id = <uint64_t>w.active[draw(w, n)] + 1
        if w.truth[id - 1].phase == ALIVE:
            die(w, id)
            say(w, REP_EXPIRED if odds(w, 128) else REP_CANCELED, id, w.truth[id - 1].px, 0, 0, 0)
        return
    if w.next_truth == 0:
        return
    id = 1 + w.next_truth - 1 - draw(w, w.next_truth if w.next_truth < 40 else 40)
    o = &w.truth[id - 1]
    if o.phase == DEAD and o.filled < o.qty:
        say(w, REP_CANCELED, id, o.px, 0, 0, 0)
    elif o.phase == LOST:
        say(w, REP_CANCELED, id, o.px, 0, 0, 0)


cdef void hear(World *w, int i) noexcept nogil:
    """Let one report reach us and book what it did."""
    cdef Report r = w.mail[i].report
    cdef OrderEffect e
    w.n_mail -= 1
    w.mail[i] = w.mail[w.n_mail]
    r.time_ns = w.now
    if orders_on_report(&w.orders, &r, &e) != FAULT_NONE:
        if w.violations == 0:
            w.fault, w.fault_state, w.fault_report = e.fault, e.was, r.kind
        violated(w, WHY_FAULT)
    if r.kind == REP_UNKNOWN:
        w.unknowns += 1
    if e.fill_qty > 0:
        position_fill(&w.position, e.side, e.fill_px, e.fill_qty, e.fee)
    elif w.plant == PLANT_COUNT_TWICE and e.flags & EFFECT_DUPLICATE:
        position_fill(&w.position, r.side, r.px, r.qty, r.fee)


cdef void seen(World *w, int64_t skip, Exposure *x) noexcept nogil:
    """Write the exposure that the gate is shown: the room's, or one with a bug planted."""
    cdef int64_t i
    cdef int state
    cdef qty_t rem
    orders_exposure(&w.orders, w.now, skip, x)
    if w.plant == PLANT_OWN_LIMIT:
        x.rem[0] = x.rem[1] = 0
    for i in range(ORDERS_CAP):
        state = w.orders.slot[i].state
        if i == skip or state == ORDER_FREE:
            continue
        rem = orders_rem(&w.orders.slot[i], w.now)
        if w.plant == PLANT_FORGET_CANCEL_SENT and state == ORDER_CANCEL_SENT:
            x.rem[w.orders.slot[i].side] -= rem
        elif w.plant == PLANT_FORGET_UNKNOWN and state == ORDER_UNKNOWN:
            x.rem[w.orders.slot[i].side] -= rem
        elif w.plant == PLANT_FORGET_AMEND and state == ORDER_AMEND_SENT:
            x.rem[w.orders.slot[i].side] -= rem - (w.orders.slot[i].qty - w.orders.slot[i].filled)
        elif w.plant == PLANT_NO_LINGER and state >= ORDER_FILLED:
            x.rem[w.orders.slot[i].side] -= rem


cdef int gate(World *w, int64_t slot, int side, px_t px, qty_t qty) noexcept nogil:
    """Return 1 when risk lets the create or amend pass and a token was there for it."""
    cdef Moment m
    cdef Exposure x
    m.now = m.alive_ns = w.now
    m.equity2 = position_equity2(&w.position, BOOK_BID + BOOK_ASK)
    m.daily2 = position_daily2(&w.position, BOOK_BID + BOOK_ASK)
    m.peak2 = w.position.peak
    m.pos = w.position.pos
    m.level = LEVEL_RUN
    m.connected = 1
    # now and then feed or market is suspected, or the venue cannot be reached
    m.watch = <int64_t>draw(w, VERDICTS) if odds(w, w.odds_watch) else ALLOW
    if odds(w, w.odds_watch):
        m.connected = 0
    m.room = INT64_MAX
    seen(w, slot, &x)
    if risk_check(&w.limits, &w.risk, &w.book, &m, &x, side, px, qty, slot >= 0) != ALLOW:
        w.refused += 1
        return 0
    w.allowed += 1
    if m.watch != ALLOW or m.connected != 1:
        violated(w, WHY_WATCH)
    if risk_take(&w.risk, &w.limits, w.now, x.live + (slot < 0), 0) != ALLOW:
        violated(w, WHY_TOKENS)
    return 1


cdef void put(World *w, const Command *c) noexcept nogil:
    """Hand a command to the wire and tell the god view."""
    cdef Truth *o = &w.truth[c.order_id - 1]
    w.wire[w.n_wire] = c[0]
    w.n_wire += 1
    if c.kind == CMD_PLACE:
        w.places += 1
        o.side = c.side
        o.phase = COMING
        o.px = c.px
        o.qty = c.qty
        w.active[w.n_active] = <int>(c.order_id - 1)
        w.n_active += 1
        w.next_truth = c.order_id
    elif c.kind == CMD_AMEND:
        w.amends += 1
        # one at a time, else the room has a bug, which the sums will show
        o.changes += 1
        o.change_px = c.px
        o.change_qty = c.qty
    else:
        w.cancels += 1


cdef void send(World *w, int kind, int64_t slot, int side, px_t px, qty_t qty) noexcept nogil:
    """Pass a step through the gate and, when it passes, out."""
    cdef Command c
    cdef Exposure x
    if w.n_wire == POOL or w.orders.next_id >= TRUTHS:
        return
    if kind == PLAN_CANCEL:
        risk_refill(&w.risk, &w.limits, w.now)
        if w.risk.tokens >= TOKEN and orders_cancel(&w.orders, slot, w.now, &c) == 0:
            risk_take(&w.risk, &w.limits, w.now, 0, 1)
            put(w, &c)
        return
    if kind == PLAN_PLACE:
        if not gate(w, -1, side, px, qty):
            return
        slot = orders_place(&w.orders, side, px, qty, NEVER, w.now, &c)
        if slot < 0:
            return
        orders_sent(&w.orders, slot)
    elif kind == PLAN_AMEND:
        if not gate(w, slot, side, px, qty):
            return
        if orders_amend(&w.orders, slot, px, qty, w.now, &c):
            return
    put(w, &c)
    orders_exposure(&w.orders, w.now, -1, &x)
    if w.risk.tokens < x.live * TOKEN:
        violated(w, WHY_TOKENS)
    if kind == PLAN_PLACE and x.live > w.limits.max_open_orders:
        violated(w, WHY_COUNT)


cdef void decide(World *w) noexcept nogil:
    """Want something: by the plan, or freely with any live order, as no strategy would."""
    cdef int side = <int>draw(w, 2)
    cdef px_t px = 985 + <px_t>draw(w, 31)
    cdef qty_t qty = 1 + <qty_t>draw(w, 20)
    cdef Plan p
    cdef int64_t slot
    cdef int _
    if odds(w, w.odds_free):
        slot = <int64_t>draw(w, ORDERS_CAP)
        for _ in range(ORDERS_CAP):
            if w.orders.live >> slot & 1:
                break
            slot = (slot + 1) % ORDERS_CAP
        if w.orders.live == 0 or odds(w, 96):
            send(w, PLAN_PLACE, -1, side, px, qty)
        elif odds(w, 80):
            send(w, PLAN_CANCEL, slot, side, px, qty)
        else:
            send(w, PLAN_AMEND, slot, w.orders.slot[slot].side, px,
                 w.orders.slot[slot].filled + qty)
        return
    orders_plan(&w.orders, side, px, 0 if odds(w, 48) else qty,
                CHANGE_KEEP + <int>draw(w, CHANGE_REPLACE + 1), w.now, &p)
    if p.kind == PLAN_PLACE or p.kind == PLAN_AMEND or p.kind == PLAN_CANCEL:
        send(w, <int>p.kind, p.slot, side, p.px, p.qty)


cdef void decide_grid(World *w) noexcept nogil:
    """Want a ladder on one side, now and then another one, and take its steps as the engine does."""
    cdef int side = <int>draw(w, 2)
    cdef int64_t live[2]
    cdef Ladder ladder
    cdef GridStep step
    cdef int i, sent
    if w.params.order_qty == 0 or odds(w, 24):
        w.params.order_qty = 1 + <qty_t>draw(w, 2 + 20 // <uint64_t>w.grid)
        w.quote.bid_px = 985 + <px_t>draw(w, 31)
        w.quote.ask_px = 985 + <px_t>draw(w, 31)
        w.quote.fair2 = 1990 + <px_t>draw(w, 21)
        w.interval = 1 + <px_t>draw(w, 6)
    w.quote.bid_qty = w.quote.ask_qty = 0 if odds(w, 8) else w.params.order_qty
    grid_want(&w.params, &w.quote, side, w.interval, w.position.pos, &ladder)
    ladder.paced = odds(w, 160)
    ladder.refused = <uint32_t>1 << draw(w, GRID_ORDERS) if odds(w, 40) else 0
    while True:
        grid_plan(
            &ladder, &w.params, &w.quota, &w.quote, w.orders.slot, w.orders.live, w.now,
            w.orders.retry_ns, &step,
        )
        sent = w.n_wire
        if step.kind == GRID_PLACE:
            send(w, PLAN_PLACE, -1, side, step.px, step.qty)
        elif step.kind == GRID_AMEND:
            send(w, PLAN_AMEND, step.slot, side, step.px,
                 w.orders.slot[step.slot].filled + step.qty)
        elif step.kind == GRID_CANCEL:
            send(w, PLAN_CANCEL, step.slot, side, 0, 0)
        if w.n_wire > sent:
            continue
        if step.kind != GRID_PLACE and step.kind != GRID_AMEND:
            break
        ladder.refused |= <uint32_t>1 << step.level
        if step.kind == GRID_AMEND:
            send(w, PLAN_CANCEL, step.slot, side, 0, 0)
    live[0] = live[1] = 0
    for i in range(ORDERS_CAP):
        if w.orders.live >> i & 1:
            live[w.orders.slot[i].side] += 1
    if live[0] > w.grid or live[1] > w.grid:
        violated(w, WHY_COUNT)
    if live[0] == w.grid or live[1] == w.grid:
        w.full += 1


cdef void judge(World *w) noexcept nogil:
    """Compare the god view with the limits and with what we believe."""
    cdef qty_t worst[2]
    cdef qty_t count[2]
    cdef px_t best_bid = 0, best_ask = PX_MAX, px
    cdef Truth *o
    cdef Exposure x
    cdef int i, k
    cdef qty_t size
    worst[0], worst[1] = w.pos, -w.pos
    for i in range(w.n_active):
        o = &w.truth[w.active[i]]
        size = o.qty
        if o.changes > 0 and o.change_qty > size:
            size = o.change_qty
        worst[o.side] += size - o.filled
        for k in range(2):
            px = o.px if k == 0 else o.change_px
            if k == 1 and o.changes == 0:
                continue
            if o.side == BID and px > best_bid:
                best_bid = px
            elif o.side == ASK and px < best_ask:
                best_ask = px
    if worst[0] > w.limits.max_long or worst[1] > w.limits.max_short:
        violated(w, WHY_LIMIT)
    if worst[0] == w.limits.max_long or worst[1] == w.limits.max_short:
        w.at_limit += 1
    if best_bid >= best_ask:
        violated(w, WHY_SELF_MATCH)
    orders_exposure(&w.orders, w.now, -1, &x)
    if worst[0] > w.position.pos + x.rem[0] or worst[1] > x.rem[1] - w.position.pos:
        violated(w, WHY_BELIEF)
    count[0] = count[1] = 0
    for i in range(ORDERS_CAP):
        if w.orders.slot[i].state != ORDER_FREE:
            count[w.orders.slot[i].side] += orders_rem(&w.orders.slot[i], w.now)
    if count[0] != x.rem[0] or count[1] != x.rem[1]:
        violated(w, WHY_RECOUNT)
    if not position_holds(&w.position):
        violated(w, WHY_IDENTITY)


cdef void turn(World *w) noexcept nogil:
    """Let one thing happen."""
    cdef int i, oldest = -1
    cdef ns_t step
    w.events += 1
    for i in range(w.n_mail):
        if oldest < 0 or w.mail[i].due < w.mail[oldest].due:
            oldest = i
    step = <ns_t>draw(w, 40)
    if oldest >= 0 and w.mail[oldest].due <= w.now + step:
        w.now = w.mail[oldest].due if w.mail[oldest].due > w.now else w.now
        hear(w, oldest)
        judge(w)
        return
    w.now += step
    if w.n_active > 0 and odds(w, w.odds_trade):
        trade(w)
    elif odds(w, w.odds_unasked):
        unasked(w)
    elif w.n_active > 0 and odds(w, w.odds_lost):
        say(w, REP_UNKNOWN, <uint64_t>w.active[draw(w, w.n_active)] + 1, 0, 0, 0, 0)
    elif w.n_wire > 0 and odds(w, 100):
        arrive(w)
    elif w.n_mail > 0 and odds(w, 80):
        hear(w, <int>draw(w, w.n_mail))
    elif w.grid > 0:
        decide_grid(w)
    else:
        decide(w)
    judge(w)


cdef void begin(World *w, uint64_t seed, int plant, int grid) noexcept nogil:
    """Begin a schedule; the counters of what happened go on."""
    memset(&w.orders, 0, sizeof(Orders))
    memset(&w.position, 0, sizeof(Position))
    memset(&w.limits, 0, sizeof(Limits))
    memset(w.truth, 0, sizeof(w.truth))
    w.n_active = w.n_mail = w.n_wire = 0
    w.plant = plant
    w.grid = grid
    w.rng = seed
    w.now = 1
    w.trade = 0
    w.next_truth = 0
    w.pos = w.cash = 0
    # swarm: each schedule has its own mix, some of them without a fault at all
    w.odds_repeat = <uint32_t>draw(w, 3) * 40
    w.odds_lose = <uint32_t>draw(w, 3) * 12
    w.odds_refuse = <uint32_t>draw(w, 3) * 30
    w.odds_trade = 10 + <uint32_t>draw(w, 60)
    w.odds_unasked = <uint32_t>draw(w, 3) * 10
    w.odds_lost = <uint32_t>draw(w, 3) * 6
    w.odds_free = <uint32_t>draw(w, 3) * 90
    w.odds_watch = <uint32_t>draw(w, 3) * 12
    orders_init(&w.orders, 1, 0, 0, 50, 0 if plant == PLANT_NO_LINGER else DELAY + 1)
    w.limits.max_long = 5 + <qty_t>draw(w, 40)
    w.limits.max_short = 5 + <qty_t>draw(w, 40)
    w.limits.min_order = 1
    w.limits.max_order = 1000
    w.limits.max_notional = w.limits.max_exposure = 1_000_000_000
    w.limits.max_daily_loss = 1_000_000_000
    w.limits.drawdown_min_peak = 1_000_000_000
    w.limits.max_px = 2000
    w.limits.min_px = 1
    w.limits.px_step = w.limits.qty_step = 1
    w.limits.collar_ppm = 50_000
    w.limits.max_open_orders = 1 + <int64_t>draw(w, 10)
    w.limits.rate_per_min = 600_000_000
    w.limits.rate_burst = 4 + <int64_t>draw(w, 30)
    w.limits.rate_reserve = <int64_t>draw(w, 3)
    w.limits.stale_after_ns = 1
    w.book.bid = BOOK_BID
    w.book.ask = BOOK_ASK
    w.book.bid_qty = w.book.ask_qty = 1
    risk_init(&w.risk, &w.limits, 1, 5, w.now)
    if grid > 0:
        # as wide as the limit, so that it is the gate that holds
        w.limits.max_open_orders = 1 + <int64_t>draw(w, 2 * <uint64_t>grid)
        w.limits.rate_burst = 4 + <int64_t>draw(w, 2 * <uint64_t>grid + 20)
        w.params.grid_orders = grid
        w.params.order_qty = 0
        w.params.max_pos = 5 + <qty_t>draw(w, 80)
        w.params.min_order = 1
        w.params.requote_ticks = 1 + <px_t>draw(w, 4)
        w.params.size_off_ppm = 250_000


cdef void settle(World *w) noexcept nogil:
    """Let everything under way arrive; then our position and cash are the true ones."""
    cdef int i, oldest
    while w.n_wire > 0 and w.n_mail < POOL - 2:
        arrive(w)
    while w.n_mail > 0:
        oldest = 0
        for i in range(w.n_mail):
            if w.mail[i].due < w.mail[oldest].due:
                oldest = i
        w.now = w.mail[oldest].due if w.mail[oldest].due > w.now else w.now
        hear(w, oldest)
        judge(w)
    if w.position.pos != w.pos or w.position.cash != w.cash:
        violated(w, WHY_TRUTH)
    w.late_fills += <int64_t>w.orders.late_fills
    w.duplicates += <int64_t>w.orders.duplicates
    w.self_matches += <int64_t>w.risk.denied[16]


def play(uint64_t seed, int schedules, int length, int plant=PLANT_NONE, int grid=0):
    """Play `schedules` schedules of `length` events and return what happened, by name.

    `violations` counts every event after which something did not hold; `why` (enum Why) and
    `first` say what the first one was. With `grid`, all that is wanted are ladders of so many orders a
    side. The same arguments give the same answer.
    """
    cdef World *w
    cdef int i, _
    if length < 1 or length > 2 * TRUTHS or schedules < 1:
        raise ValueError(f"{schedules} schedules of {length} events: 1 to {2 * TRUTHS} events each")
    if not 0 <= grid <= GRID_ORDERS:
        raise ValueError(f"{grid} orders a side: want 0 to {GRID_ORDERS}")
    w = <World *> lines(sizeof(World))
    if w == NULL:
        raise MemoryError("no memory for a venue")
    try:
        with nogil:
            for i in range(schedules):
                begin(w, seed + <uint64_t>i * 1_000_003, plant, grid)
                for _ in range(length):
                    turn(w)
                settle(w)
        return {
            "events": w.events, "violations": w.violations, "why": w.why,
            "first": w.first_violation, "fault": (w.fault, w.fault_state, w.fault_report),
            "places": w.places, "amends": w.amends,
            "cancels": w.cancels, "fills": w.fills, "allowed": w.allowed, "refused": w.refused,
            "at_limit": w.at_limit, "self_matches": w.self_matches, "late_fills": w.late_fills,
            "duplicates": w.duplicates, "unknowns": w.unknowns, "full": w.full,
        }
    finally:
        free(w)
