"""The gate: one verdict on each create and amend, and whether anything may rest at all.

First reason wins, in this order: level, halt, feed, book, watch (delayed, breaker, warming), price,
tick, lot, band, collar, order size, worst-case position, open orders, notional, self-match, cross,
rate, daily loss, drawdown, connection, balance, portfolio. A limit that was never set is 0 and refuses; an
unknown level, side, halt, watch or connection byte reads as the strictest one.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from bog._core.exposure cimport Exposure
from bog._core.fixed cimport add_overflows, apart, mul_overflows, product_past
from bog._core.types cimport (
    ALLOW, ASK, BID, DENY_BALANCE, DENY_BAND, DENY_BOOK, DENY_COLLAR, DENY_CONNECTION, DENY_CROSS,
    DENY_DAILY_LOSS, DENY_DRAWDOWN, DENY_HALTED, DENY_KILLED, DENY_LOT, DENY_MAX_SIZE,
    DENY_MIN_SIZE, DENY_NOTIONAL, DENY_OPEN_ORDERS, DENY_OVERFLOW, DENY_PAUSED, DENY_PORTFOLIO,
    DENY_POSITION, DENY_PX, DENY_RATE, DENY_SELF_MATCH, DENY_STALE, DENY_TICK, HALTS, HALT_KILLED,
    HALT_NONE, LEVEL_PAUSED, LEVEL_RUN, PX_MAX, VERDICTS, Limits, Record, half_t, ns_t, ppm_t, px_t, qty_t,
    quanta_t,
)

cdef extern from "risk.h" nogil:
    const int64_t TOKEN "BOG_TOKEN"
    const int64_t BURST_MAX "BOG_BURST_MAX"
    enum: HARD_CAPS "BOG_HARD_CAPS"

    ctypedef struct Risk "bog_risk_t":
        int64_t tokens
        ns_t refilled_ns
        uint64_t halt_id
        uint32_t halts
        uint8_t halt
        uint64_t denied[29]

    ctypedef struct Moment "bog_moment_t":
        ns_t now
        ns_t alive_ns
        half_t equity2
        half_t daily2
        half_t peak2
        qty_t pos
        int64_t level
        int64_t connected
        quanta_t room
        int64_t watch

    ctypedef struct Caps "bog_caps_t":
        qty_t position
        qty_t order
        quanta_t loss

    cpdef enum Cap "bog_cap":
        CAP_NONE "BOG_CAP_NONE"
        CAP_DECIMALS "BOG_CAP_DECIMALS"
        CAP_LONG "BOG_CAP_LONG"
        CAP_SHORT "BOG_CAP_SHORT"
        CAP_ORDER "BOG_CAP_ORDER"
        CAP_DAILY_LOSS "BOG_CAP_DAILY_LOSS"

    int64_t limit_get "bog_limit_get"(const Limits *limits, uint64_t limit)
    int limit_tighten "bog_limit_tighten"(Limits *limits, uint64_t limit, int64_t value)
    int past_collar "bog_past_collar"(px_t px, px_t mid2, ppm_t ppm)
    int leverage_past "bog_leverage_past"(
        qty_t qty, px_t px, quanta_t balance, half_t equity2, int64_t ppm)
    int loss_past "bog_loss_past"(half_t daily2, quanta_t limit)
    int drawdown_past "bog_drawdown_past"(
        half_t daily2, half_t peak2, quanta_t min_peak, ppm_t ppm)


cdef inline int risk_caps(int px_decimals, int qty_decimals, Caps *out) noexcept nogil:
    """Write the conservative caps: 0.5 base position, 0.1 base order, 100 quote daily loss.

    Rounded down to whole lots. Return 0, or CAP_DECIMALS for decimals outside 0..9.
    """
    cdef int64_t lots = 1, unit = 1
    cdef int _
    memset(out, 0, sizeof(Caps))
    if px_decimals < 0 or px_decimals > 9 or qty_decimals < 0 or qty_decimals > 9:
        return CAP_DECIMALS
    for _ in range(qty_decimals):
        lots *= 10
    # 100 x 10^18 does not fit; a loss cap that large binds nothing, hence the bound on the sum
    for _ in range(px_decimals + qty_decimals):
        unit = unit * 10 if unit <= INT64_MAX // 10 else INT64_MAX
    out.position = lots // 2
    out.order = lots // 10
    out.loss = unit * 100 if unit <= INT64_MAX // 100 else INT64_MAX
    return CAP_NONE


cdef inline int risk_over_caps(const Limits *limits, const Caps *caps) noexcept nogil:
    """Return which limit passes its cap (enum Cap), CAP_NONE when none does."""
    if limits.max_long > caps.position:
        return CAP_LONG
    if limits.max_short > caps.position:
        return CAP_SHORT
    if limits.max_order > caps.order:
        return CAP_ORDER
    if limits.max_daily_loss > caps.loss:
        return CAP_DAILY_LOSS
    return CAP_NONE


cdef inline int64_t risk_bucket(const Limits *limits) noexcept nogil:
    """Return the size of the token bucket, TOKEN for each request."""
    cdef int64_t burst = limits.rate_burst
    if burst <= 0:
        return 0
    return (burst if burst < BURST_MAX else BURST_MAX) * TOKEN


cdef inline int risk_init(
    Risk *r, const Limits *limits, int px_decimals, int qty_decimals, ns_t now
) noexcept nogil:
    """Begin with a full bucket and no halt, or refuse limits past the compiled caps.

    Return 0, or which limit is past its cap (enum Cap): then nothing may trade with these limits.
    Without BOG_CAPS=conservative at the build there are no caps.
    """
    cdef Caps caps
    cdef int over
    memset(r, 0, sizeof(Risk))
    if HARD_CAPS:
        over = risk_caps(px_decimals, qty_decimals, &caps)
        if over == CAP_NONE:
            over = risk_over_caps(limits, &caps)
        if over != CAP_NONE:
            return over
    r.tokens = risk_bucket(limits)
    r.refilled_ns = now
    return CAP_NONE


cdef inline void risk_restore(Risk *r, int64_t halt, uint64_t halt_id) noexcept nogil:
    """Go on with the halt of the run before; a reason that is none reads as HALT_KILLED."""
    r.halt_id = halt_id
    r.halts = 0
    r.halt = HALT_NONE
    if halt != HALT_NONE:
        r.halt = <uint8_t>halt if 0 < halt < HALTS else HALT_KILLED
        r.halts = <uint32_t>1 << r.halt


cdef inline uint64_t risk_halt(Risk *r, int reason) noexcept nogil:
    """Halt for `reason`; return the new halt's id, 0 when that reason stands already.

    An unknown reason reads as HALT_KILLED.
    """
    if reason <= HALT_NONE or reason >= HALTS:
        reason = HALT_KILLED
    if r.halts & (<uint32_t>1 << reason):
        return 0
    r.halts |= <uint32_t>1 << reason
    r.halt = <uint8_t>reason
    r.halt_id += 1
    return r.halt_id


cdef inline int risk_clear_halt(Risk *r, uint64_t halt_id) noexcept nogil:
    """Clear the halt when `halt_id` is the newest one's; return 1 when a halt was cleared.

    An older id clears nothing: whoever names it has not seen what came after it.
    """
    if r.halt == HALT_NONE or halt_id != r.halt_id:
        return 0
    r.halt = HALT_NONE
    r.halts = 0
    return 1


cdef inline void risk_refill(Risk *r, const Limits *limits, ns_t now) noexcept nogil:
    """Fill the bucket up to `now`: ns x requests a minute, exactly; time that goes back gives nothing."""
    cdef int64_t full = risk_bucket(limits), gain = 0
    cdef ns_t passed = now - r.refilled_ns
    if r.tokens > full:
        r.tokens = full
    if passed <= 0:
        return
    r.refilled_ns = now
    if limits.rate_per_min <= 0:
        return
    if mul_overflows(passed, limits.rate_per_min, &gain) or gain > full - r.tokens:
        r.tokens = full
    else:
        r.tokens += gain


cdef inline int64_t risk_needed(
    const Limits *limits, int64_t live_after, int is_cancel
) noexcept nogil:
    """Return what must be in the bucket (TOKEN for each request) for one request.

    A create or amend leaves enough to cancel every order that then lives, and the reserve.
    """
    cdef int64_t left = limits.rate_reserve if limits.rate_reserve > live_after else live_after
    if is_cancel or left < 0:
        left = 0
    return TOKEN * (1 + left) if left < BURST_MAX else INT64_MAX


cdef inline int risk_paid(
    Risk *r, const Limits *limits, ns_t now, int64_t live_after
) noexcept nogil:
    """Return 1 when the bucket, filled up to `now`, has what a create or an amend needs; take nothing."""
    risk_refill(r, limits, now)
    return r.tokens >= risk_needed(limits, live_after, 0)


cdef inline int risk_take(
    Risk *r, const Limits *limits, ns_t now, int64_t live_after, int is_cancel
) noexcept nogil:
    """Take one token for a request; return ALLOW, or DENY_RATE with nothing taken.

    `live_after`: orders not proven dead once a create or amend has gone out; for a cancel unused.
    """
    risk_refill(r, limits, now)
    if r.tokens < risk_needed(limits, live_after, is_cancel):
        return DENY_RATE
    r.tokens -= TOKEN
    return ALLOW


cdef inline void risk_spend(Risk *r) noexcept nogil:
    """Take a token that was seen in this same turn, by whoever allowed the request."""
    r.tokens -= TOKEN


cdef inline int risk_authority(
    const Limits *limits, const Risk *r, const Record *book, const Moment *m
) noexcept nogil:
    """Return the first of level, halt, feed, book and watch that forbids trading."""
    if m.level != LEVEL_RUN:
        return DENY_PAUSED if m.level == LEVEL_PAUSED else DENY_KILLED
    if r.halt != HALT_NONE:
        return DENY_HALTED
    # a sign of life may be newer than the event; one far ahead is another clock, not life
    if limits.stale_after_ns <= 0 or apart(m.now, m.alive_ns, limits.stale_after_ns):
        return DENY_STALE
    if book.bid <= 0 or book.ask >= PX_MAX or book.bid >= book.ask:
        return DENY_BOOK
    if book.bid_qty <= 0 or book.ask_qty <= 0:
        return DENY_BOOK
    if m.watch != ALLOW:
        return <int>m.watch if 0 < m.watch < VERDICTS else DENY_KILLED
    return ALLOW


cdef inline int risk_profit(const Limits *limits, half_t daily2, half_t peak2) noexcept nogil:
    """Return the first of daily loss and drawdown that forbids trading; a larger profit never does."""
    if loss_past(daily2, limits.max_daily_loss):
        return DENY_DAILY_LOSS
    if drawdown_past(daily2, peak2, limits.drawdown_min_peak, limits.drawdown_ppm):
        return DENY_DRAWDOWN
    return ALLOW


cdef inline int risk_health(const Limits *limits, const Moment *m) noexcept nogil:
    """Return the first of daily loss, drawdown and connection that forbids trading."""
    cdef int verdict = risk_profit(limits, m.daily2, m.peak2)
    if verdict == ALLOW and m.connected != 1:
        return DENY_CONNECTION
    return verdict


cdef inline int risk_standing(
    const Limits *limits, const Risk *r, const Record *book, const Moment *m
) noexcept nogil:
    """Return whether anything of ours may rest now, the first reason why not; counts nothing.

    Anything but ALLOW means that resting quotes are pulled.
    """
    cdef int verdict = risk_authority(limits, r, book, m)
    return verdict if verdict != ALLOW else risk_health(limits, m)


cdef inline int risk_order(
    const Limits *limits, const Record *book, const Moment *m, const Exposure *open,
    int side, px_t px, qty_t qty, int is_amend, qty_t *worst_out,
    px_t *high_out,
) noexcept nogil:
    """Return the first reason in the order itself: price, size, worst case, matching.

    When ALLOW and it can grow, write the worst-case position and its highest price: balance and
    portfolio, judged last, ask for them. A position of 0 or less is not worth a price.
    """
    cdef qty_t rest = qty - open.own_filled if is_amend else qty
    cdef qty_t worst = 0
    cdef px_t other, high = 0
    cdef quanta_t notional = 0
    if px <= 0:
        return DENY_PX
    # every number is a multiple of the usual step, which needs no division
    if limits.px_step != 1 and (limits.px_step <= 0 or px % limits.px_step != 0):
        return DENY_TICK
    if rest <= 0:
        return DENY_LOT
    if limits.qty_step != 1 and (limits.qty_step <= 0 or qty % limits.qty_step != 0):
        return DENY_LOT
    if px < limits.min_px or px > limits.max_px or px >= PX_MAX:
        return DENY_BAND
    if past_collar(px, book.bid + book.ask, limits.collar_ppm):
        return DENY_COLLAR
    if rest < limits.min_order:
        return DENY_MIN_SIZE
    if qty > limits.max_order:
        return DENY_MAX_SIZE
    if risk_worst(m, open, side, rest, is_amend, &worst):
        return DENY_OVERFLOW
    if worst > 0 and worst > (limits.max_long if side == BID else limits.max_short):
        return DENY_POSITION
    if not is_amend and open.live >= limits.max_open_orders:
        return DENY_OPEN_ORDERS
    if is_amend and open.live > limits.max_open_orders:
        return DENY_OPEN_ORDERS
    if mul_overflows(px, qty, &notional):
        return DENY_OVERFLOW
    if px * rest < limits.min_notional:
        return DENY_NOTIONAL
    if worst > 0:
        if notional > limits.max_notional:
            return DENY_NOTIONAL
        high = risk_worst_px(book, open, side, px, is_amend)
        if product_past(worst, high, limits.max_exposure):
            return DENY_NOTIONAL
    other = open.best[1 - side]
    if other > 0 and (px >= other if side == BID else px <= other):
        return DENY_SELF_MATCH
    if px >= book.ask if side == BID else px <= book.bid:
        return DENY_CROSS
    worst_out[0] = worst
    high_out[0] = high
    return ALLOW


cdef inline int risk_worst(
    const Moment *m, const Exposure *open, int side, qty_t rest, int is_amend,
    qty_t *worst
) noexcept nogil:
    """Write the worst-case position on `side` in lots: not above 0 when all of it can only reduce.

    The position plus everything on that side that may still fill, this order included; an amended
    order counts at the larger of what it is and what it becomes. Return 1 when a sum does not fit.
    """
    cdef qty_t own = open.own_rem if is_amend and open.own_rem > rest else rest
    if m.pos < -INT64_MAX or add_overflows(open.rem[side], own, &own):
        return 1
    return add_overflows(m.pos if side == BID else -m.pos, own, worst)


cdef inline px_t risk_worst_px(
    const Record *book, const Exposure *open, int side, px_t px, int is_amend
) noexcept nogil:
    """Return the highest price at which the worst case of `side` may be held, in ticks."""
    cdef px_t high = (book.bid + book.ask + 1) >> 1
    if px > high:
        high = px
    if open.top[side] > high:
        high = open.top[side]
    if is_amend and open.own_top > high:
        high = open.own_top
    return high


cdef inline int risk_judge(
    const Limits *limits, Risk *r, const Record *book, const Moment *m, const Exposure *open,
    int side, px_t px, qty_t qty, int is_amend,
) noexcept nogil:
    """Return the verdict of risk_check without counting it."""
    cdef int verdict
    cdef qty_t worst = 0
    cdef px_t high = 0
    if side != BID and side != ASK:
        return DENY_KILLED
    verdict = risk_authority(limits, r, book, m)
    if verdict != ALLOW:
        return verdict
    verdict = risk_order(limits, book, m, open, side, px, qty, is_amend, &worst, &high)
    if verdict != ALLOW:
        return verdict
    if not risk_paid(r, limits, m.now, open.live + (0 if is_amend else 1)):
        return DENY_RATE
    verdict = risk_health(limits, m)
    if verdict != ALLOW:
        return verdict
    if limits.max_leverage_ppm != 0 and worst > 0 and leverage_past(
        worst, high, limits.balance, m.equity2, limits.max_leverage_ppm
    ):
        return DENY_BALANCE
    return ALLOW


cdef inline int risk_room(
    const Record *book, const Moment *m, const Exposure *open, int side, px_t px, qty_t rest,
    int is_amend,
) noexcept nogil:
    """Return DENY_PORTFOLIO when `rest` lots more at `px` leave less than no room, else ALLOW.

    What cannot hold more than is held already, on either side, always passes: m.room is at least
    the value of the position at the mid. With `rest` 0: whether what rests may stay.
    """
    cdef qty_t worst = 0
    if risk_worst(m, open, side, rest, is_amend, &worst):
        return DENY_PORTFOLIO
    if worst > 0 and product_past(worst, risk_worst_px(book, open, side, px, is_amend), m.room):
        return DENY_PORTFOLIO
    return ALLOW


cdef inline int risk_weigh(
    const Limits *limits, Risk *r, const Record *book, const Moment *m, const Exposure *open,
    int side, px_t px, qty_t qty, int is_amend,
) noexcept nogil:
    """Return what risk_judge and then risk_room say, at a moment that risk_standing allows.

    What depends on the moment alone is judged there, once a turn, for both sides: here is the rest.
    """
    cdef qty_t worst = 0
    cdef px_t high = 0
    cdef int verdict = risk_order(
        limits, book, m, open, side, px, qty, is_amend, &worst, &high
    )
    if verdict != ALLOW:
        return verdict
    if not risk_paid(r, limits, m.now, open.live + (0 if is_amend else 1)):
        return DENY_RATE
    if worst <= 0:
        return ALLOW
    if limits.max_leverage_ppm != 0 and leverage_past(
        worst, high, limits.balance, m.equity2, limits.max_leverage_ppm
    ):
        return DENY_BALANCE
    return DENY_PORTFOLIO if product_past(worst, high, m.room) else ALLOW


cdef inline int risk_check(
    const Limits *limits, Risk *r, const Record *book, const Moment *m, const Exposure *open,
    int side, px_t px, qty_t qty, int is_amend,
) noexcept nogil:
    """Return the verdict on a create of `qty` lots at `px`, or on an amend to it, and count it.

    `open` is what orders_exposure says at m.now, with the amended order apart; for an amend `qty`
    is the new total size, filled part included. An order that cannot grow or flip the position,
    all live orders of its side counted, passes the rules on position, largest notional, exposure
    and balance; no other rule. Takes no token: risk_take does, when the command goes out.
    """
    cdef int verdict = risk_judge(limits, r, book, m, open, side, px, qty, is_amend)
    r.denied[verdict] += 1
    return verdict
