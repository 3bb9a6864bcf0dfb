"""Our account at the built-in market: commands on their way, the venue's rules, expiry.

A command takes effect at the first step at or after send + network + venue delay. Cancel and
amend of one order keep no order among each other beyond their delays, as on the real network.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from bog._core.fixed cimport mul_div_up, mul_overflows
from bog._core.market cimport SIM_OPEN, SIM_OWN, SIM_POST_ONLY, SIM_QUEUE, SIM_REQUESTS, Sim, SimOwn
from bog._core.market_match cimport (
    sim_crosses, sim_forget, sim_join, sim_leave, sim_own_cancel, sim_reducible, sim_report,
    sim_take,
)
from bog._core.market_send cimport sim_tell_order
from bog._core.types cimport (
    ASK, BID, CMD_AMEND, CMD_CANCEL_ALL, CMD_PLACE, NEVER, PX_MAX, QTY_MAX, REJ_DUPLICATE,
    REJ_HALTED, REJ_LOT, REJ_MARGIN, REJ_MIN_SIZE, REJ_NONE, REJ_NOT_FOUND, REJ_OPEN_ORDERS,
    REJ_OTHER, REJ_POST_ONLY, REJ_PRICE, REJ_RATE, REJ_TICK, REP_ACK, REP_AMENDED, REP_AMEND_REJECT,
    REP_CANCELED, REP_CANCEL_REJECT, REP_EXPIRED, REP_REJECT, REP_UNKNOWN, TIF_IOC, TIF_POST_ONLY,
    Command, Report, ns_t, px_t, qty_t,
)

cdef enum:
    MINUTE_NS = 60000000000
    LOST_ACK_NS = 1000000000  # a sender gives up on an answer after this


cdef inline int sim_send(Sim *m, const Command *command, ns_t now) noexcept nogil:
    """Take a command that is sent at `now`; return 0, or -1 when too many are under way.

    It takes effect after the network's and the venue's delay; never before the market's clock,
    which can be ahead of `now` by what `peek` had to look ahead.
    """
    cdef ns_t effect = now + m.venue.net_ns
    cdef int64_t i = m.n_pending
    if i == SIM_QUEUE:
        return -1
    if command.kind == CMD_PLACE:
        effect += m.venue.maker_ns if command.tif == TIF_POST_ONLY else m.venue.taker_ns
    elif command.kind == CMD_AMEND:
        effect += m.venue.amend_ns
    else:
        effect += m.venue.cancel_ns
        effect += m.late_cancel_ns
        m.late_cancel_ns = 0
    if effect < m.clock_ns:
        m.commands_late += 1
        effect = m.clock_ns
    while i > 0 and m.pending[i - 1].effect_ns > effect:
        m.pending[i] = m.pending[i - 1]
        i -= 1
    m.pending[i].command = command[0]
    m.pending[i].effect_ns = effect
    m.n_pending += 1
    return 0


cdef inline int32_t sim_find(const Sim *m, uint64_t order_id) noexcept nogil:
    """Return the slot of an open order of ours, -1 when there is none of that id."""
    cdef int32_t slot
    if m.n_own:
        for slot in range(SIM_OWN):
            if m.own[slot].used and m.own[slot].id == order_id:
                return slot
    return -1


cdef inline int sim_over_rate(Sim *m) noexcept nogil:
    """Count a request; return 1 when the limit of the last 60 s is used up."""
    cdef int64_t limit = m.venue.requests_per_min
    if limit <= 0:
        return 0
    while m.n_request and m.request[m.request_head] <= m.clock_ns - MINUTE_NS:
        m.request_head = (m.request_head + 1) % SIM_REQUESTS
        m.n_request -= 1
    if m.n_request >= limit:
        return 1
    m.request[(m.request_head + m.n_request) % SIM_REQUESTS] = m.clock_ns
    m.n_request += 1
    return 0


cdef inline int sim_over_margin(
    const Sim *m, int side, px_t px, qty_t qty, int32_t except_slot
) noexcept nogil:
    """Return 1 when the initial margin of the worst case exceeds the account's value.

    Worst case: everything open on the larger side fills. Value: collateral + cash + position at
    the mark. A size and price that overflow count as too much.
    """
    cdef qty_t buys = m.pos, sells = -m.pos, worst
    cdef int32_t slot
    cdef int64_t exposure, value
    if m.balance <= 0:
        return 0
    for slot in range(SIM_OWN):
        if m.own[slot].used and slot != except_slot:
            if m.own[slot].side == BID:
                buys += m.own[slot].qty - m.own[slot].filled
            else:
                sells += m.own[slot].qty - m.own[slot].filled
    if side == BID:
        buys += qty
    else:
        sells += qty
    worst = buys if side == BID else sells
    if worst <= (m.pos if m.pos > 0 else -m.pos):
        return 0
    if mul_overflows(px, worst, &exposure) or mul_overflows(m.pos, m.mark, &value):
        return 1
    return mul_div_up(exposure, m.margin_ppm, 1000000) > m.balance + m.cash + value


cdef inline int sim_refusal(
    Sim *m, const Command *c, int side, qty_t rest, int32_t except_slot
) noexcept nogil:
    """Return why the venue refuses an order of `rest` open lots, REJ_NONE when it does not."""
    cdef px_t middle = m.x >> 10
    cdef int64_t notional
    if m.halt_until_ns:
        return REJ_HALTED
    if c.px <= 0 or c.px >= PX_MAX:
        return REJ_TICK
    if rest <= 0 or c.qty >= QTY_MAX:
        return REJ_LOT
    # the venue's bound on one order's value, 2**48 - 1 quanta
    if side not in (BID, ASK) or mul_overflows(c.px, c.qty, &notional) or notional >= QTY_MAX:
        return REJ_OTHER
    if c.px < middle - m.par.price_band or c.px > middle + m.par.price_band:
        return REJ_PRICE
    if c.reduce_only and (m.pos >= 0 if side == BID else m.pos <= 0):
        return REJ_OTHER
    if c.tif != TIF_IOC:
        # the venue's minimums bind orders that may rest
        if rest < m.venue.min_qty:
            return REJ_MIN_SIZE
        if c.px * rest < m.venue.min_notional:
            return REJ_MIN_SIZE
    if sim_over_margin(m, side, c.px, rest, except_slot):
        return REJ_MARGIN
    return REJ_NONE


cdef inline void sim_rest(Sim *m, int32_t slot, qty_t rest) noexcept nogil:
    """Match what crosses of an order of ours, then queue the rest or end the order."""
    cdef SimOwn *own = &m.own[slot]
    rest = sim_reducible(m, own, rest)
    if sim_crosses(m, own.side, own.px):
        rest = sim_take(m, own.side, rest, own.px, 0, slot)
    if rest == 0 and own.filled == own.qty:
        sim_forget(m, slot)
    elif own.tif == TIF_IOC or rest == 0:
        sim_own_cancel(m, slot, REP_CANCELED, REJ_NONE)
    else:
        own.node = sim_join(m, own.side, own.px, rest, own.venue_id, slot)
        if own.node < 0:
            sim_own_cancel(m, slot, REP_CANCELED, REJ_OTHER)


cdef inline void sim_place(Sim *m, const Command *c) noexcept nogil:
    """A new order arrives."""
    cdef int32_t slot
    cdef int reason = sim_refusal(m, c, c.side, c.qty, -1)
    cdef SimOwn *own
    cdef SimOwn refused
    cdef Report *report
    if sim_over_rate(m):
        reason = REJ_RATE
    elif reason == REJ_NONE:
        if m.refuse_next > 0:
            m.refuse_next -= 1
            reason = REJ_OTHER
        elif sim_find(m, c.order_id) >= 0:
            reason = REJ_DUPLICATE
        elif m.n_own >= m.venue.max_open_orders or m.n_own >= SIM_OWN:
            reason = REJ_OPEN_ORDERS
        elif c.tif == TIF_POST_ONLY and sim_crosses(m, c.side, c.px):
            reason = REJ_POST_ONLY
    if reason != REJ_NONE:
        report = sim_report(m, REP_REJECT, c.side, c.order_id, reason, 0)
        report.px = c.px
        if reason == REJ_POST_ONLY:
            # the only refusal of which the venue's order channel speaks
            refused.id = c.order_id
            refused.venue_id = m.next_order_id
            refused.px = c.px
            refused.qty = c.qty
            refused.filled = refused.quote = 0
            refused.expiry_ns = c.expiry_ns
            refused.side = c.side
            refused.tif = c.tif
            refused.reduce_only = c.reduce_only
            m.next_order_id += 1
            sim_tell_order(m, &refused, SIM_POST_ONLY)
        return
    slot = 0
    while m.own[slot].used:
        slot += 1
    own = &m.own[slot]
    own.used = 1
    own.id = c.order_id
    own.venue_id = m.next_order_id
    own.px = c.px
    own.qty = c.qty
    own.filled = 0
    own.quote = 0
    own.expiry_ns = c.expiry_ns if c.expiry_ns > 0 else NEVER
    own.node = -1
    own.side = c.side
    own.tif = c.tif
    own.reduce_only = c.reduce_only
    m.n_own += 1
    m.next_order_id += 1
    if m.lose_next > 0:
        m.lose_next -= 1
        report = sim_report(m, REP_UNKNOWN, c.side, c.order_id, REJ_NONE, LOST_ACK_NS)
    else:
        report = sim_report(m, REP_ACK, c.side, c.order_id, REJ_NONE, 0)
    report.venue_id = own.venue_id
    report.px = c.px
    sim_tell_order(m, own, SIM_OPEN)
    sim_rest(m, slot, c.qty)


cdef inline void sim_amend(Sim *m, const Command *c) noexcept nogil:
    """New price and total size for an order; it goes to the back of the queue, whatever changed.

    A total that is not above what has filled ends the order; a post-only order that would now take
    is canceled: both as the venue does.
    """
    cdef int32_t slot = sim_find(m, c.order_id)
    cdef SimOwn *own
    cdef Report *report
    cdef Command as_new = c[0]
    cdef int reason = REJ_NOT_FOUND
    if sim_over_rate(m):
        reason = REJ_RATE
    elif slot >= 0:
        own = &m.own[slot]
        as_new.tif = own.tif
        as_new.reduce_only = own.reduce_only
        reason = REJ_NONE
        if c.qty > own.filled:
            reason = sim_refusal(m, &as_new, own.side, c.qty - own.filled, slot)
        elif m.halt_until_ns:
            reason = REJ_HALTED
    if reason != REJ_NONE:
        report = sim_report(m, REP_AMEND_REJECT, c.side, c.order_id, reason, 0)
        report.px = c.px
        return
    if c.qty <= own.filled:
        sim_own_cancel(m, slot, REP_CANCELED, REJ_NONE)
        return
    if own.tif == TIF_POST_ONLY and sim_crosses(m, own.side, c.px):
        sim_own_cancel(m, slot, REP_CANCELED, REJ_POST_ONLY)
        return
    sim_leave(m, own.node)
    own.node = -1
    own.px = c.px
    own.qty = c.qty
    own.venue_id = m.next_order_id
    m.next_order_id += 1
    report = sim_report(m, REP_AMENDED, own.side, own.id, REJ_NONE, 0)
    report.venue_id = own.venue_id
    report.px = c.px
    report.qty = c.qty
    sim_tell_order(m, own, SIM_OPEN)
    sim_rest(m, slot, c.qty - own.filled)


cdef inline void sim_cancel(Sim *m, const Command *c) noexcept nogil:
    """Cancel one order of ours, or all of them."""
    cdef int32_t slot
    cdef int over = sim_over_rate(m)
    if over:
        sim_report(m, REP_CANCEL_REJECT, c.side, c.order_id, REJ_RATE, 0)
    elif c.kind == CMD_CANCEL_ALL:
        for slot in range(SIM_OWN):
            if m.own[slot].used:
                sim_own_cancel(m, slot, REP_CANCELED, REJ_NONE)
    else:
        slot = sim_find(m, c.order_id)
        if slot < 0:
            sim_report(m, REP_CANCEL_REJECT, c.side, c.order_id, REJ_NOT_FOUND, 0)
        else:
            sim_own_cancel(m, slot, REP_CANCELED, REJ_NONE)


cdef inline void sim_account(Sim *m) noexcept nogil:
    """Carry out what has arrived at the venue, and let orders expire."""
    cdef int64_t done = 0, i
    cdef int32_t slot
    if m.n_own:
        for slot in range(SIM_OWN):
            if m.own[slot].used and m.own[slot].expiry_ns <= m.clock_ns:
                sim_own_cancel(m, slot, REP_EXPIRED, REJ_NONE)
    while done < m.n_pending and m.pending[done].effect_ns <= m.clock_ns:
        if m.pending[done].command.kind == CMD_PLACE:
            sim_place(m, &m.pending[done].command)
        elif m.pending[done].command.kind == CMD_AMEND:
            sim_amend(m, &m.pending[done].command)
        else:
            sim_cancel(m, &m.pending[done].command)
        done += 1
    if done:
        m.n_pending -= done
        for i in range(m.n_pending):
            m.pending[i] = m.pending[i + done]
