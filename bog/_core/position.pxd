"""What we hold and what it earned: exact in integers, all or nothing on overflow.

The verbs write struct Position and nobody else does. Values at a mark are in half quanta because a
mark is in half ticks. Identity after every verb: cash = realized - cost - fees + funding.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t

from bog._core.fixed cimport add_near, add_overflows, fee, mul_div, mul_near, mul_overflows
from bog._core.types cimport ASK, BID, Position, half_t, ppm_t, px_t, qty_t, quanta_t


cdef inline int position_fill(
    Position *p, int side, px_t px, qty_t qty, quanta_t paid
) noexcept nogil:
    """Book a fill of `qty` lots at `px` ticks on our `side` with a fee of `paid` quanta.

    A reduction removes cost in proportion, rounded down; what goes beyond flat opens at `px`.
    Return 0, or 1 with the position unchanged: a side that is none, a price or size that is not
    positive, or a sum that does not fit an int64.
    """
    cdef quanta_t notional = 0, closed_value = 0, removed = 0
    cdef quanta_t cost = 0, cash = 0, realized = 0, fees = 0, volume = 0
    cdef qty_t pos = 0, closed = 0, held, signed_qty
    cdef int sign = 1 if side == BID else -1
    if (side != BID and side != ASK) or px <= 0 or qty <= 0 or mul_overflows(px, qty, &notional):
        return 1
    signed_qty = sign * qty
    held = p.pos if p.pos >= 0 else -p.pos
    if add_overflows(p.pos, signed_qty, &pos) or pos == INT64_MIN or paid == INT64_MIN:
        return 1
    if held != 0 and (p.pos > 0) != (signed_qty > 0):
        closed = qty if qty < held else held
        removed = mul_div(p.cost, closed, held)
    closed_value = px * closed  # closed <= qty, so it fits as notional does
    if add_overflows(p.realized, -sign * closed_value, &realized):
        return 1
    if add_overflows(realized, -removed, &realized):
        return 1
    # removed lies between 0 and cost, so the first difference fits
    if add_overflows(p.cost - removed, sign * (notional - closed_value), &cost):
        return 1
    if cost == INT64_MIN:
        return 1  # so that a later removal can be negated
    if add_overflows(p.cash, -sign * notional, &cash) or add_overflows(cash, -paid, &cash):
        return 1
    if add_overflows(p.fees, paid, &fees) or add_overflows(p.volume, notional, &volume):
        return 1
    p.pos = pos
    p.cost = cost
    p.cash = cash
    p.realized = realized
    p.fees = fees
    p.volume = volume
    p.fills += 1
    return 0


cdef inline void position_trade(Position *p, uint64_t id) noexcept nogil:
    """Remember the trade of a fill that was booked, when it is newer than those before it.

    The journal keeps 32 bits of an id: of two, the later one is less than half of them ahead.
    """
    cdef uint32_t ahead = <uint32_t>id - <uint32_t>p.trade
    if p.trade == 0 or ahead < <uint32_t>1 << 31:
        p.trade = <uint32_t>id


cdef inline int position_funding_is_new(Position *p, uint64_t second) noexcept nogil:
    """Remember the venue's funding payment of a Unix second; return 0 when it was booked before.

    0 is one on paper, which has no such name: always new.
    """
    if second == 0:
        return 1
    if second <= p.funded:
        return 0
    p.funded = <uint32_t>second
    return 1


cdef inline int position_funding(Position *p, quanta_t paid) noexcept nogil:
    """Book a funding payment: `paid` quanta left us, negative when we received.

    Return 0, or 1 with the position unchanged when a sum does not fit.
    """
    cdef quanta_t cash = 0, funding = 0
    if paid == INT64_MIN:
        return 1
    if add_overflows(p.cash, -paid, &cash) or add_overflows(p.funding, -paid, &funding):
        return 1
    p.cash = cash
    p.funding = funding
    return 0


cdef inline int position_adopt(Position *p, int side, qty_t lots, quanta_t cost) noexcept nogil:
    """Hold `lots` on a `side` that cost `cost` quanta, as the venue says, whatever was booked.

    What was earned, paid and received stays; cash follows from the identity. Return 0, or 1 with the
    position unchanged: a side that is none, a size or a cost below zero, a cost of nothing, or a sum
    that does not fit.
    """
    cdef quanta_t cash = 0, signed_cost = cost if side == BID else -cost
    if (side != BID and side != ASK) or lots < 0 or cost < 0 or (lots == 0 and cost != 0):
        return 1
    if add_overflows(p.realized, -signed_cost, &cash) or p.fees == INT64_MIN:
        return 1
    if add_overflows(cash, -p.fees, &cash) or add_overflows(cash, p.funding, &cash):
        return 1
    p.pos = lots if side == BID else -lots
    p.cost = signed_cost
    p.cash = cash
    return 0


cdef inline quanta_t position_funding_due(const Position *p, px_t mark, ppm_t rate) noexcept nogil:
    """Return what we pay at an hour's end: pos x mark ticks x rate ppm, in quanta.

    Negative when we receive; rounded up, against us; the nearest int64 when it does not fit.
    """
    return fee(mark, p.pos, rate)


cdef inline half_t position_unrealized2(const Position *p, px_t mark2) noexcept nogil:
    """Return the profit of the open part at `mark2` half ticks, in half quanta.

    0 when flat and 0 without a mark (mark2 <= 0). The nearest int64 when it does not fit.
    """
    if p.pos == 0 or mark2 <= 0:
        return 0
    return add_near(mul_near(p.pos, mark2), mul_near(p.cost, -2))


cdef inline half_t position_equity2(const Position *p, px_t mark2) noexcept nogil:
    """Return 2 * cash + pos * mark2: what the account earned since it began, in half quanta.

    Without a mark (mark2 <= 0) the open part counts at its cost. The nearest int64 when it does
    not fit.
    """
    if mark2 <= 0:
        return add_near(mul_near(p.cash, 2), mul_near(p.cost, 2))
    return add_near(mul_near(p.cash, 2), mul_near(p.pos, mark2))


cdef inline half_t position_today2(const Position *p, half_t equity2) noexcept nogil:
    """Return what of `equity2`, what the account earned, was earned since the day began."""
    if p.day_open == INT64_MIN:
        return INT64_MAX
    return add_near(equity2, -p.day_open)


cdef inline half_t position_daily2(const Position *p, px_t mark2) noexcept nogil:
    """Return the profit since the day began at `mark2`, in half quanta."""
    return position_today2(p, position_equity2(p, mark2))


cdef inline int position_roll(Position *p, int64_t day, px_t mark2) noexcept nogil:
    """Begin UTC day number `day` at `mark2`: the day's opening equity and its peak, together.

    Return 1 when a day began, 0 when `day` is not later than the current one.
    """
    if day <= p.day:
        return 0
    p.day_open = position_equity2(p, mark2)
    p.peak = 0
    p.day = day
    p.mark2 = mark2
    return 1


cdef inline int position_sample_peak(Position *p, px_t mark2) noexcept nogil:
    """Raise the day's peak profit to the profit at `mark2`; return 1 when it rose."""
    cdef half_t profit = position_daily2(p, mark2)
    if profit <= p.peak:
        return 0
    p.peak = profit
    p.mark2 = mark2
    return 1


cdef inline int position_holds(const Position *p) noexcept nogil:
    """Return 1 when cash = realized - cost - fees + funding, exactly."""
    cdef int64_t wrapped = <int64_t>(
        <unsigned long long>p.realized - <unsigned long long>p.cost
        - <unsigned long long>p.fees + <unsigned long long>p.funding
    )
    return wrapped == p.cash
