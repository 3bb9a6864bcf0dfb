"""simple_spread, and what every strategy shares: the look at the market, and persistence of quotes.

Rates are at most 1e6 ppm in size and max_pos is below QTY_MAX; then nothing here can overflow.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from bog._core.apart cimport apart_px, apart_void
from bog._core.fixed cimport ceil_div, floor_div, i128, product_below, product_past, sure
from bog._core.quota cimport Quota, quota_widen
from bog._core.record cimport level_count, level_px, level_qty
from bog._core.types cimport (
    ASK, BID, NEVER, ORDER_AMEND_SENT, ORDER_RESTING, PX_MAX, REC_BOOK, Order, Record,
    StrategyParams, ns_t, px_t, qty_t,
)

cdef extern from "strategy.h" nogil:
    cpdef enum Quiet "bog_quiet":
        QUIET_NONE "BOG_QUIET_NONE"
        QUIET_NO_BOOK "BOG_QUIET_NO_BOOK"
        QUIET_ONE_SIDED "BOG_QUIET_ONE_SIDED"
        QUIET_CROSSED "BOG_QUIET_CROSSED"
        QUIET_PRICE_RANGE "BOG_QUIET_PRICE_RANGE"
        QUIET_THIN "BOG_QUIET_THIN"
        QUIET_SPREAD_MIN "BOG_QUIET_SPREAD_MIN"
        QUIET_SPREAD_MAX "BOG_QUIET_SPREAD_MAX"
        QUIET_INVENTORY "BOG_QUIET_INVENTORY"
        QUIET_WARMING "BOG_QUIET_WARMING"
        QUIET_QUOTA "BOG_QUIET_QUOTA"
        QUIETS "BOG_QUIETS"

    cpdef enum Move "bog_move":
        MOVE_KEEP "BOG_MOVE_KEEP"
        MOVE_PRICE "BOG_MOVE_PRICE"
        MOVE_WRONG_SIDE "BOG_MOVE_WRONG_SIDE"
        MOVE_RESIZE "BOG_MOVE_RESIZE"
        MOVE_RENEW "BOG_MOVE_RENEW"
        MOVE_PULL "BOG_MOVE_PULL"

    ctypedef struct Quote "bog_quote_t":
        px_t bid_px
        qty_t bid_qty
        px_t ask_px
        qty_t ask_qty
        px_t fair2
        px_t half_ticks
        px_t floor_ticks
        uint8_t why[2]
        uint8_t pad[6]

    ctypedef struct Look "bog_look_t":
        px_t bid
        qty_t bid_qty
        px_t ask
        qty_t ask_qty
        px_t mid2


cdef inline qty_t strategy_own(const Order *orders, int n, int side, px_t px) noexcept nogil:
    """Return the lots of ours that the published book holds on `side` at `px`.

    Orders with a cancel or an amend under way count: they stand until the venue says otherwise.
    """
    cdef qty_t own = 0
    cdef int i
    for i in range(n):
        # the states from RESTING to AMEND_SENT are the ones the venue has in its book
        if (
            orders[i].px == px
            and orders[i].side == side
            and ORDER_RESTING <= orders[i].state <= ORDER_AMEND_SENT
        ):
            own += orders[i].qty - orders[i].filled
    return own


cdef inline px_t strategy_touch(
    const Record *record, int side, const Order *orders, int n, qty_t *qty
) noexcept nogil:
    """Return the best price of `side` at which somebody else stands, and the others' lots there.

    Return 0 x 0 when the ten levels of the side hold nobody but us. Without orders of ours (n 0)
    only the record's first line is read.
    """
    cdef qty_t others
    cdef px_t px
    cdef int i
    if n == 0:
        qty[0] = record.bid_qty if side == BID else record.ask_qty
        return record.bid if side == BID else record.ask
    for i in range(level_count(record, side)):
        px = level_px(record, side, i)
        others = level_qty(record, side, i) - strategy_own(orders, n, side, px)
        if others > 0:
            qty[0] = others
            return px
    qty[0] = 0
    return 0


cdef inline px_t strategy_floor_ratio(i128 num, i128 den) noexcept nogil:
    """Return num / den rounded towards minus infinity; den > 0."""
    cdef i128 whole
    if <int64_t> num == num and <int64_t> den == den:
        # a division of 128 bits is a call, one of 64 an instruction
        return floor_div(<int64_t> num, <int64_t> den)
    whole = num // den
    return <px_t> (whole - 1) if whole * den > num else <px_t> whole


cdef inline void strategy_side(
    const StrategyParams *params, qty_t room, px_t px, px_t *out_px, qty_t *out_qty, uint8_t *why
) noexcept nogil:
    """Write one side of the quote, cut to the `room` the position leaves, or why there is none."""
    cdef qty_t qty = params.order_qty if params.order_qty < room else room
    if qty <= 0 or qty < params.min_order or px <= 0 or px >= PX_MAX:
        strategy_no_side(params, qty, out_px, out_qty, why)
        return
    why[0] = QUIET_NONE
    out_px[0] = px
    out_qty[0] = qty


cdef inline apart_void strategy_no_side(
    const StrategyParams *params, qty_t qty, px_t *out_px, qty_t *out_qty, uint8_t *why
) noexcept nogil:
    """Write that a side is not quoted: for want of room, or of a price."""
    why[0] = QUIET_INVENTORY if qty <= 0 or qty < params.min_order else QUIET_PRICE_RANGE
    out_px[0] = out_qty[0] = 0


cdef inline int strategy_look(
    const StrategyParams *params, const Record *record, const Order *orders, int n, Quote *out,
    Look *look,
) noexcept nogil:
    """Look at the market without us; return why no side may be quoted (enum Quiet), QUIET_NONE if any.

    Empties `out`, then does what strategy_judge does. Own size is taken out of the book first, when
    the book contains it. On a one-sided book the side that is there is quoted around its own touch,
    which is further from the market than any mid.
    """
    cdef int own = n if params.own_in_book else 0
    cdef px_t bid = 0, ask = 0
    cdef qty_t bid_qty = 0, ask_qty = 0
    out.bid_px = out.ask_px = 0
    out.bid_qty = out.ask_qty = 0
    out.fair2 = out.half_ticks = out.floor_ticks = 0
    if record.kind == REC_BOOK:
        bid = strategy_touch(record, BID, orders, own, &bid_qty)
        ask = strategy_touch(record, ASK, orders, own, &ask_qty)
    if bid_qty <= 0 or ask_qty <= 0:
        if bid_qty == 0 and ask_qty == 0:
            return QUIET_NO_BOOK
        if bid_qty == 0:
            bid = ask
        if ask_qty == 0:
            ask = bid
    look.bid, look.bid_qty, look.ask, look.ask_qty = bid, bid_qty, ask, ask_qty
    return strategy_judge(params, look, out)


cdef inline int strategy_judge(
    const StrategyParams *params, Look *look, Quote *out
) noexcept nogil:
    """Return why nothing may be quoted at what a look has seen (enum Quiet), QUIET_NONE if a side may.

    Then the fair price is the mid, and the fee floor is set. The spread limits have nothing to judge
    on a one-sided book.
    """
    cdef px_t bid = look.bid, ask = look.ask, mid2 = bid + ask
    cdef qty_t bid_qty = look.bid_qty, ask_qty = look.ask_qty
    if bid < params.min_valid_px or ask > params.max_valid_px or bid <= 0 or ask >= PX_MAX:
        return QUIET_PRICE_RANGE
    if bid_qty > 0 and ask_qty > 0:
        if bid_qty < params.min_touch_qty or ask_qty < params.min_touch_qty:
            return QUIET_THIN
        # spread / mid against a rate, without a division: (a - b) * 2e6 against ppm * (a + b);
        # prices are below 2^40, so that only the rate's product may pass 63 bits
        if bid >= ask:
            return QUIET_CROSSED
        if params.min_spread_ppm > 0 and product_past(params.min_spread_ppm, mid2, (ask - bid) * 2000000):
            return QUIET_SPREAD_MIN
        if product_below(params.max_spread_ppm, mid2, (ask - bid) * 2000000):
            return QUIET_SPREAD_MAX
    elif 0 < bid_qty < params.min_touch_qty or 0 < ask_qty < params.min_touch_qty:
        return QUIET_THIN
    look.mid2 = out.fair2 = mid2
    out.floor_ticks = ceil_div(mid2 * (<px_t> params.maker_ppm + params.edge_ppm), 2000000)
    return QUIET_NONE


cdef inline void strategy_set(
    const StrategyParams *params, const Look *look, px_t bid, px_t ask, qty_t pos, Quote *out
) noexcept nogil:
    """Write both sides of the quote, each cut so that position and size stay within max_pos."""
    if look.bid_qty == 0:
        out.why[0] = QUIET_ONE_SIDED
    else:
        strategy_side(params, params.max_pos - pos, bid, &out.bid_px, &out.bid_qty, &out.why[0])
    if look.ask_qty == 0:
        out.why[1] = QUIET_ONE_SIDED
    else:
        strategy_side(params, params.max_pos + pos, ask, &out.ask_px, &out.ask_qty, &out.why[1])


cdef inline void strategy_quote(
    const StrategyParams *params, const Record *record, const Order *orders, int n, qty_t pos,
    Quote *out,
) noexcept nogil:
    """Write the quote that simple_spread wants at this book and position into `out`."""
    cdef Look look
    cdef int why = strategy_look(params, record, orders, n, out, &look)
    if why != QUIET_NONE:
        out.why[0] = out.why[1] = <uint8_t> why
    else:
        strategy_spread(params, &look, pos, out)


cdef inline void strategy_quote_touch(
    const StrategyParams *params, const Record *record, qty_t pos, Quote *out
) noexcept nogil:
    """Write what strategy_quote does, of a sound book that is not crossed and none of which is ours."""
    cdef Look look
    cdef int why
    look.bid, look.bid_qty = record.bid, record.bid_qty
    look.ask, look.ask_qty = record.ask, record.ask_qty
    sure(look.bid > 0)
    sure(look.bid < look.ask)
    sure(look.ask < PX_MAX)
    sure(look.bid_qty > 0)
    sure(look.ask_qty > 0)
    why = strategy_judge(params, &look, out)
    if why != QUIET_NONE:
        memset(out, 0, sizeof(Quote))
        out.why[0] = out.why[1] = <uint8_t> why
    else:
        strategy_spread(params, &look, pos, out)


cdef inline void strategy_spread(
    const StrategyParams *params, const Look *look, qty_t pos, Quote *out
) noexcept nogil:
    """Write the quote of simple_spread around what a look has seen.

    Around r = mid * (1 - skew * pos / max_pos), skew full at max_pos, both sides stand half a
    spread out: half = max(mid * half_ppm, fee floor), the bid rounded down, the ask up, in one exact
    division each; then the bid goes no higher than a tick below the best ask, the ask no lower than
    a tick above the best bid.
    """
    cdef qty_t full = params.max_pos, held = pos
    cdef px_t half_ppm_mid2, new_bid, new_ask
    cdef i128 whole, centre, half
    half_ppm_mid2 = look.mid2 * params.half_ppm
    out.half_ticks = ceil_div(half_ppm_mid2, 2000000)
    if out.half_ticks <= out.floor_ticks:
        out.half_ticks = out.floor_ticks
        half_ppm_mid2 = out.floor_ticks * 2000000
    if held == 0 or params.skew_ppm == 0:
        # no shift: max_pos cancels, and what is left divides by a constant
        new_bid = floor_div(look.mid2 * 1000000 - half_ppm_mid2, 2000000)
        new_ask = look.mid2 - new_bid  # as far from the mid, so that it is rounded up
    else:
        # in ticks x whole
        if full <= 0:
            full = 1
        if held > full:
            held = full
        elif held < -full:
            held = -full
        centre = look.mid2 * (<i128> full * 1000000 - <i128> held * params.skew_ppm)
        whole = <i128> full * 2000000
        half = <i128> half_ppm_mid2 * full
        new_bid = strategy_floor_ratio(centre - half, whole)
        new_ask = -strategy_floor_ratio(-centre - half, whole)
    if new_bid >= new_ask:
        # no spread at all and r on a tick: never meet ourselves
        new_bid -= 1
        new_ask += 1
    if look.ask_qty > 0 and new_bid >= look.ask:
        new_bid = look.ask - 1
    if look.bid_qty > 0 and new_ask <= look.bid:
        new_ask = look.bid + 1
    strategy_set(params, look, new_bid, new_ask, pos, out)


cdef inline px_t strategy_threshold(
    const StrategyParams *params, const Quota *quota, const Quote *quote
) noexcept nogil:
    """Return the ticks from which a better price is worth what a move costs.

    The place in the queue, and on a tier with a quota one of what is left: the less, the wider.
    """
    cdef px_t ticks = params.requote_ticks
    if ticks <= 0:
        ticks = quote.half_ticks // 4
        if ticks < 2:
            ticks = 2
    return strategy_widen(params, quota, ticks) if params.quota_start > 0 else ticks


cdef inline apart_px strategy_widen(
    const StrategyParams *params, const Quota *quota, px_t ticks
) noexcept nogil:
    """Return the threshold on a tier with a quota."""
    return quota_widen(quota, params, ticks)


cdef inline int strategy_price_moves(
    const Quote *quote, int side, px_t px, px_t threshold
) noexcept nogil:
    """Return MOVE_WRONG_SIDE or MOVE_PRICE when a wanted side moves an order at `px`, else MOVE_KEEP."""
    cdef px_t off = px - (quote.bid_px if side == BID else quote.ask_px)
    if side == BID:
        if off > 0 and 2 * (px + quote.floor_ticks) > quote.fair2:
            return MOVE_WRONG_SIDE
    elif off < 0 and 2 * (px - quote.floor_ticks) < quote.fair2:
        return MOVE_WRONG_SIDE
    if (off if off > 0 else -off) >= threshold:
        return MOVE_PRICE
    return MOVE_KEEP


cdef inline int strategy_size_moves(
    const StrategyParams *params, const Order *order, qty_t want_qty, ns_t now
) noexcept nogil:
    """Return MOVE_RESIZE or MOVE_RENEW when an order cannot stay for its size or age, else MOVE_KEEP."""
    cdef qty_t rest = order.qty - order.filled, off = rest - want_qty
    if rest < params.min_order:
        return MOVE_RESIZE
    if off != 0 and (
        <i128> (off if off > 0 else -off) * 1000000 > <i128> want_qty * params.size_off_ppm
    ):
        return MOVE_RESIZE
    if order.expiry_ns - now < params.expiry_margin_ns and order.expiry_ns != NEVER:
        return MOVE_RENEW
    return MOVE_KEEP


cdef inline int strategy_moves(
    const StrategyParams *params, const Quota *quota, const Quote *quote, int side,
    const Order *order, ns_t now,
) noexcept nogil:
    """Return what the quote means for an order that rests on `side` (enum Move).

    First reason wins: nothing wanted, wrong side of fair less the fee floor (only when the wanted
    price lies further out), price off by the threshold, remaining size off by more than
    size_off_ppm of the wanted one or below min_order, expiry nearer than expiry_margin_ns. Age is
    no reason. PULL and WRONG_SIDE act at once, if need be as a cancel; the others wait until
    strategy_paced allows a change.
    """
    cdef qty_t want_qty = quote.bid_qty if side == BID else quote.ask_qty
    cdef int move
    if want_qty <= 0:
        return MOVE_PULL
    move = strategy_price_moves(quote, side, order.px, strategy_threshold(params, quota, quote))
    return move if move != MOVE_KEEP else strategy_size_moves(params, order, want_qty, now)


cdef inline int strategy_paced(const StrategyParams *params, ns_t last_ns, ns_t now) noexcept nogil:
    """Return 1 when a side whose quote was last placed or amended at `last_ns` may change again.

    The first instant allowed is last_ns + min_interval_ns. Cancels need not ask. A side that was
    never quoted passes a last_ns far in the past, such as -NEVER // 2.
    """
    return now - last_ns >= params.min_interval_ns
