"""The life of our orders: what is sent, what the venue says of it, what may still fill.

The engine sends what a plan asks for: orders_place, orders_amend or orders_cancel fill the command,
orders_sent says that it left. orders_on_report takes the venue's word. An order is alive until a
report proves it dead.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from bog._core.exposure cimport Exposure
from bog._core.types cimport (
    ASK, BID, CMD_AMEND, CMD_CANCEL, CMD_PLACE, NEVER, ORDER_AMEND_SENT, ORDER_CANCELED,
    ORDER_CANCEL_SENT, ORDER_CREATED, ORDER_EXPIRED, ORDER_FILLED, ORDER_FREE, ORDER_IN_FLIGHT,
    ORDER_PARTIAL, ORDER_REJECTED, ORDER_RESTING, ORDER_UNKNOWN, REP_ACK, REP_AMENDED,
    REP_AMEND_REJECT, REP_CANCELED, REP_CANCEL_REJECT, REP_EXPIRED, REP_FILL, REP_REJECT,
    REP_UNKNOWN, TIF_POST_ONLY, Command, Order, Report, ns_t, px_t, qty_t, quanta_t,
)

cdef extern from "orders.h" nogil:
    void command_small "bog_command_small"(Command *command, int kind, int side, int tif, uint32_t market)

    enum: ORDERS_CAP "BOG_ORDERS_CAP"
    enum: TRADES_CAP "BOG_TRADES_CAP"

    cpdef enum OrderEvent "bog_order_event":
        EV_SEND "BOG_EV_SEND"
        EV_ACK "BOG_EV_ACK"
        EV_REJECT "BOG_EV_REJECT"
        EV_PARTIAL_FILL "BOG_EV_PARTIAL_FILL"
        EV_FULL_FILL "BOG_EV_FULL_FILL"
        EV_CANCEL "BOG_EV_CANCEL"
        EV_CANCELED "BOG_EV_CANCELED"
        EV_CANCEL_REJECT "BOG_EV_CANCEL_REJECT"
        EV_AMEND "BOG_EV_AMEND"
        EV_AMENDED "BOG_EV_AMENDED"
        EV_AMEND_REJECT "BOG_EV_AMEND_REJECT"
        EV_EXPIRED "BOG_EV_EXPIRED"
        EV_LOST "BOG_EV_LOST"
        ORDER_EVENTS "BOG_ORDER_EVENTS"

    cpdef enum OrderCell "bog_order_cell":
        CELL_IGNORE "BOG_CELL_IGNORE"
        CELL_BACK "BOG_CELL_BACK"
        CELL_LATE "BOG_CELL_LATE"
        CELL_FAULT "BOG_CELL_FAULT"

    cpdef enum OrderFault "bog_order_fault":
        FAULT_NONE "BOG_FAULT_NONE"
        FAULT_STATE "BOG_FAULT_STATE"
        FAULT_FOREIGN "BOG_FAULT_FOREIGN"
        FAULT_FORGOTTEN "BOG_FAULT_FORGOTTEN"
        FAULT_OVERFILL "BOG_FAULT_OVERFILL"
        FAULT_SIZE "BOG_FAULT_SIZE"
        FAULT_SIDE "BOG_FAULT_SIDE"
        FAULT_MARKET "BOG_FAULT_MARKET"
        FAULT_TRADE "BOG_FAULT_TRADE"
        FAULT_AMEND "BOG_FAULT_AMEND"
        FAULT_KIND "BOG_FAULT_KIND"
        ORDER_FAULTS "BOG_ORDER_FAULTS"

    cpdef enum EffectFlag "bog_effect_flag":
        EFFECT_LATE "BOG_EFFECT_LATE"
        EFFECT_DUPLICATE "BOG_EFFECT_DUPLICATE"
        EFFECT_IGNORED "BOG_EFFECT_IGNORED"
        EFFECT_DEAD "BOG_EFFECT_DEAD"

    cpdef enum Change "bog_change":
        CHANGE_KEEP "BOG_CHANGE_KEEP"
        CHANGE_AMEND "BOG_CHANGE_AMEND"
        CHANGE_REPLACE "BOG_CHANGE_REPLACE"

    cpdef enum PlanKind "bog_plan_kind":
        PLAN_NONE "BOG_PLAN_NONE"
        PLAN_PLACE "BOG_PLAN_PLACE"
        PLAN_AMEND "BOG_PLAN_AMEND"
        PLAN_CANCEL "BOG_PLAN_CANCEL"
        PLAN_WAIT "BOG_PLAN_WAIT"

    ctypedef struct Orders "bog_orders_t":
        Order slot[32]
        uint64_t ids[32]
        uint32_t live
        uint32_t late
        uint32_t market
        uint32_t asks
        uint64_t next_id
        ns_t keep_ns
        ns_t retry_ns
        ns_t linger_ns
        uint64_t ignored
        uint64_t duplicates
        uint64_t late_fills
        uint64_t faults
        uint64_t trades
        uint64_t top_trade
        uint64_t trade_id[128]
        uint64_t trade_order[128]

    ctypedef struct OrderEffect "bog_order_effect_t":
        uint64_t id
        int64_t slot
        px_t fill_px
        qty_t fill_qty
        quanta_t fee
        uint8_t side
        uint8_t was
        uint8_t state
        uint8_t fault
        uint8_t flags

    ctypedef struct Plan "bog_plan_t":
        int64_t kind
        int64_t slot
        px_t px
        qty_t qty

    const uint8_t order_next "bog_order_next"[12][13]
    int count_bits "bog_count_bits"(uint32_t bits)
    int highest_bit "bog_highest_bit"(uint32_t bits)

cdef extern from * nogil:
    int lowest_bit "__builtin_ctz"(uint32_t bits)


cdef inline void orders_init(
    Orders *t, uint64_t next_id, uint32_t market, ns_t keep_ns, ns_t retry_ns, ns_t linger_ns
) noexcept nogil:
    """Begin with an empty table whose first order gets `next_id` (at least 1).

    keep_ns: how long a dead order keeps its slot; retry_ns: when an unanswered cancel is sent
    again; linger_ns: how long fills may trail the word that an order is dead or smaller (0: never).
    """
    memset(t, 0, sizeof(Orders))
    t.next_id = next_id if next_id > 0 else 1
    t.market = market
    t.keep_ns = keep_ns
    t.retry_ns = retry_ns
    t.linger_ns = linger_ns


cdef inline qty_t orders_size(const Order *o) noexcept nogil:
    """Return the largest total size that the order has or may get: an amend in flight included."""
    return o.amend_qty if o.amend_qty > o.qty else o.qty


cdef inline qty_t orders_rem(const Order *o, ns_t now) noexcept nogil:
    """Return the lots of the order that may still fill, in the worst case.

    While an amend is in flight: the larger of what stood and what was asked for. After the word
    that it is dead or smaller: what it had before, until late_ns, because fills may trail the word.
    """
    cdef qty_t size = orders_size(o) if o.state < ORDER_FILLED else 0
    if o.late_qty > size and now < o.late_ns:
        size = o.late_qty
    return size - o.filled if size > o.filled else 0


cdef inline void orders_exposure(
    const Orders *t, ns_t now, int64_t skip, Exposure *out
) noexcept nogil:
    """Write what our orders can still do; slot `skip` (-1: none) apart, to be amended."""
    cdef uint32_t bits = t.live | t.late
    cdef const Order *o
    cdef int64_t i
    cdef px_t low, top
    memset(out, 0, sizeof(Exposure))
    while bits:
        i = lowest_bit(bits)
        bits &= bits - 1
        o = &t.slot[i]
        low = top = o.px
        if o.amend_qty > 0:
            top = o.amend_px if o.amend_px > top else top
            low = o.amend_px if o.amend_px < low else low
        if i == skip:
            out.live += 1
            out.own_rem = orders_rem(o, now)
            out.own_filled = o.filled
            out.own_top = top
            continue
        out.rem[o.side] += orders_rem(o, now)
        if top > out.top[o.side]:
            out.top[o.side] = top
        if o.state >= ORDER_FILLED:
            continue
        out.live += 1
        if o.side == BID:
            if top > out.best[0]:
                out.best[0] = top
        elif out.best[1] == 0 or low < out.best[1]:
            out.best[1] = low


cdef inline uint32_t orders_on(const Orders *t, int side, uint32_t bits) noexcept nogil:
    """Return those of the slots in `bits`, one bit each, whose order is on `side`."""
    return bits & (t.asks if side == ASK else ~t.asks)


cdef inline px_t orders_best(const Orders *t, int side) noexcept nogil:
    """Return the highest live bid or the lowest live ask, amend prices included; 0 when none."""
    cdef uint32_t bits = orders_on(t, side, t.live)
    cdef const Order *o
    cdef px_t px, best = 0
    while bits:
        o = &t.slot[lowest_bit(bits)]
        bits &= bits - 1
        px = o.px
        if side == BID:
            px = o.amend_px if o.amend_qty > 0 and o.amend_px > px else px
            best = px if px > best else best
        else:
            px = o.amend_px if o.amend_qty > 0 and o.amend_px < px else px
            best = px if best == 0 or px < best else best
    return best


cdef inline void orders_exposure_side(
    const Orders *t, ns_t now, int side, int64_t skip, Exposure *out
) noexcept nogil:
    """Write what the gate asks of for an order on `side`: as orders_exposure, but only what may fill
    on that side, and what stands on the other.
    """
    cdef uint32_t bits = orders_on(t, side, t.live | t.late)
    cdef const Order *o
    cdef px_t px, top = 0
    cdef qty_t rem = 0
    out.live = count_bits(t.live)
    out.rem[1 - side] = 0
    out.best[side] = 0
    out.best[1 - side] = orders_best(t, 1 - side)
    out.top[1 - side] = 0
    out.own_rem = 0
    out.own_filled = 0
    out.own_top = 0
    if skip >= 0:
        bits &= ~(<uint32_t>1 << skip)
        o = &t.slot[skip]
        out.own_rem = orders_rem(o, now)
        out.own_filled = o.filled
        out.own_top = o.amend_px if o.amend_qty > 0 and o.amend_px > o.px else o.px
    while bits:
        o = &t.slot[lowest_bit(bits)]
        bits &= bits - 1
        rem += orders_rem(o, now)
        px = o.amend_px if o.amend_qty > 0 and o.amend_px > o.px else o.px
        top = px if px > top else top
    out.rem[side] = rem
    out.top[side] = top


cdef inline int64_t orders_find(const Orders *t, uint64_t id) noexcept nogil:
    """Return the slot of order `id`, -1 when it has none."""
    cdef int64_t i
    if id == 0:
        return -1
    for i in range(ORDERS_CAP):
        if t.ids[i] == id:
            return i
    return -1


cdef inline int64_t orders_free(const Orders *t, ns_t now) noexcept nogil:
    """Return a slot for a new order: a free one, else the one dead for longest; -1 when full.

    A canceled or expired order keeps its slot for keep_ns; a filled or rejected one can have no
    fill to come and makes room at once.
    """
    cdef int64_t i, at = -1
    cdef const Order *o
    for i in range(ORDERS_CAP):
        o = &t.slot[i]
        if o.state == ORDER_FREE:
            return i
        if o.state < ORDER_FILLED:
            continue
        if now < o.late_ns:
            continue
        if o.state != ORDER_FILLED and o.state != ORDER_REJECTED:
            if now - o.touched_ns < t.keep_ns:
                continue
        if at < 0 or o.touched_ns < t.slot[at].touched_ns:
            at = i
    return at


cdef inline void orders_become(Orders *t, int64_t i, int state, ns_t now) noexcept nogil:
    """Put slot `i` into `state`, with what follows from its fills and from an amend in flight."""
    cdef Order *o = &t.slot[i]
    if state < ORDER_FILLED and o.amend_qty == 0 and o.filled >= o.qty:
        state = ORDER_FILLED
    elif state == ORDER_RESTING or state == ORDER_PARTIAL or state == ORDER_AMEND_SENT:
        o.before = ORDER_RESTING
        if o.amend_qty > 0:
            state = ORDER_AMEND_SENT
        else:
            state = ORDER_PARTIAL if o.filled > 0 else ORDER_RESTING
    if state >= ORDER_FILLED:
        t.live &= ~(<uint32_t>1 << i)
        if (state == ORDER_CANCELED or state == ORDER_EXPIRED) and t.linger_ns > 0:
            if orders_size(o) > o.late_qty:
                o.late_qty = orders_size(o)
            o.late_ns = now + t.linger_ns
        if now < o.late_ns:
            t.late |= <uint32_t>1 << i
    o.state = <uint8_t>state


cdef inline void orders_age(Orders *t, ns_t now) noexcept nogil:
    """Let go of dead orders whose last fills can no longer be under way."""
    cdef uint32_t bits = t.late
    cdef int64_t i
    while bits:
        i = lowest_bit(bits)
        bits &= bits - 1
        if now >= t.slot[i].late_ns:
            t.late &= ~(<uint32_t>1 << i)


cdef inline void orders_command(
    const Orders *t, const Order *o, int kind, int side, px_t px, qty_t qty, ns_t now, Command *out
) noexcept nogil:
    """Fill a command about an order; its number is the engine's to give."""
    out.seq = 0
    out.order_id = o.id
    out.px = px
    out.qty = qty
    out.tick_ns = now
    out.expiry_ns = o.expiry_ns
    command_small(out, kind, side, TIF_POST_ONLY, t.market)
    out.pad = 0


cdef inline int64_t orders_place(
    Orders *t, int side, px_t px, qty_t qty, ns_t expiry_ns, ns_t now, Command *out
) noexcept nogil:
    """Create a post-only order of `qty` lots at `px` ticks and fill its command.

    Return its slot; -1 with nothing changed when the table is full or an argument is no order.
    expiry_ns is NEVER for an order that does not expire. The order is CREATED until orders_sent.
    """
    cdef Order *o
    cdef int64_t i
    if (side != BID and side != ASK) or px <= 0 or qty <= 0:
        return -1
    orders_age(t, now)
    i = orders_free(t, now)
    if i < 0:
        return -1
    o = &t.slot[i]
    memset(o, 0, sizeof(Order))
    o.id = t.ids[i] = t.next_id
    t.next_id += 1
    o.px = px
    o.qty = qty
    o.side = <uint8_t>side
    o.market = t.market
    o.expiry_ns = expiry_ns
    o.sent_ns = o.touched_ns = now
    o.state = ORDER_CREATED
    t.live |= <uint32_t>1 << i
    t.asks = t.asks & ~(<uint32_t>1 << i) | <uint32_t>side << i
    orders_command(t, o, CMD_PLACE, side, px, qty, now, out)
    return i


cdef inline int orders_restore(
    Orders *t, uint64_t id, int side, px_t px, qty_t qty, qty_t filled, ns_t now
) noexcept nogil:
    """Take over an order of the last run that is not proven dead: UNKNOWN until a report says more.

    Return 0; -1 with nothing changed when the table is full or it is no order of ours.
    """
    cdef Order *o
    cdef int64_t i = orders_free(t, now)
    if i < 0 or (side != BID and side != ASK) or px <= 0 or qty <= 0 or not 0 <= filled <= qty:
        return -1
    if id == 0 or id >= t.next_id or orders_find(t, id) >= 0:
        return -1
    o = &t.slot[i]
    memset(o, 0, sizeof(Order))
    o.id = t.ids[i] = id
    o.px = px
    o.qty = qty
    o.filled = filled
    o.side = <uint8_t>side
    o.market = t.market
    o.expiry_ns = NEVER
    o.sent_ns = o.touched_ns = now
    o.before = ORDER_RESTING
    o.state = ORDER_UNKNOWN
    t.live |= <uint32_t>1 << i
    t.asks = t.asks & ~(<uint32_t>1 << i) | <uint32_t>side << i
    return 0


cdef inline int orders_request(const Orders *t, int64_t slot, int event) noexcept nogil:
    """Return the state that a request of ours leads to, -1 when the table does not allow it."""
    cdef int cell
    if slot < 0 or slot >= ORDERS_CAP:
        return -1
    cell = order_next[t.slot[slot].state][event]
    return cell if cell < CELL_IGNORE else -1


cdef inline int orders_sent(Orders *t, int64_t slot) noexcept nogil:
    """Say that the command that created the order left: 0, or -1 when it had left before."""
    cdef int state = orders_request(t, slot, EV_SEND)
    if state < 0:
        return -1
    t.slot[slot].state = <uint8_t>state
    return 0


cdef inline int orders_drop(Orders *t, int64_t slot, int reason, ns_t now) noexcept nogil:
    """Say that the command never left (journal or ring full): 0, or -1 when it did leave."""
    cdef Order *o
    if slot < 0 or slot >= ORDERS_CAP or t.slot[slot].state != ORDER_CREATED:
        return -1
    o = &t.slot[slot]
    o.reason = <uint8_t>reason
    o.touched_ns = now
    orders_become(t, slot, ORDER_REJECTED, now)
    return 0


cdef inline int orders_amend(
    Orders *t, int64_t slot, px_t px, qty_t qty, ns_t now, Command *out
) noexcept nogil:
    """Ask for another price and total size (filled part included) and fill the command.

    Return 0; -1 with nothing changed when the order cannot be amended now, or to that: at most what
    is filled, or what stands already.
    """
    cdef int state = orders_request(t, slot, EV_AMEND)
    cdef Order *o
    if state < 0 or px <= 0 or qty <= t.slot[slot].filled:
        return -1
    o = &t.slot[slot]
    if px == o.px and qty == o.qty:
        return -1
    orders_amend_resting(t, o, o.side, px, qty, now, out)
    return 0


cdef inline void orders_amend_resting(
    const Orders *t, Order *o, int side, px_t px, qty_t qty, ns_t now, Command *out
) noexcept nogil:
    """Do what orders_amend does to an order that the venue took, where there is something to amend."""
    o.before = o.state
    o.state = ORDER_AMEND_SENT
    o.amend_px = px
    o.amend_qty = qty
    o.amend_ns = o.touched_ns = now
    orders_command(t, o, CMD_AMEND, side, px, qty, now, out)


cdef inline int orders_cancel(Orders *t, int64_t slot, ns_t now, Command *out) noexcept nogil:
    """Ask for a cancel, or ask again, and fill the command; the order lives until proven dead.

    Return 0; -1 with nothing changed when there is nothing that could be canceled.
    """
    cdef int state = orders_request(t, slot, EV_CANCEL)
    cdef Order *o
    if state < 0:
        return -1
    o = &t.slot[slot]
    if o.state != ORDER_CANCEL_SENT:
        o.before = o.state
    o.state = <uint8_t>state
    o.touched_ns = now
    orders_command(t, o, CMD_CANCEL, o.side, o.px, 0, now, out)
    return 0


cdef inline void orders_plan(
    const Orders *t, int side, px_t px, qty_t qty, int change, ns_t now, Plan *out
) noexcept nogil:
    """Write the smallest step from what rests on `side` to `qty` lots open at `px`; qty 0: nothing.

    `change` says how much the resting order may differ (enum Change; an unknown one replaces). One
    step a call; the oldest order is the one to keep, all count go first. A side with something in
    flight waits, except for a cancel, which never waits for an ack or an amend, and which is sent
    again when retry_ns passed without an answer.
    """
    cdef uint32_t mine = orders_on(t, side, t.live), bits = mine
    cdef int64_t i, keep, pull = -1
    cdef const Order *o
    out.kind = PLAN_NONE
    out.slot = -1
    out.px = px
    out.qty = qty
    if mine == 0:
        if qty > 0:
            out.kind = PLAN_PLACE
        return
    keep = lowest_bit(bits)
    bits &= bits - 1
    while bits:
        i = lowest_bit(bits)
        bits &= bits - 1
        if t.slot[i].id < t.slot[keep].id:
            keep = i
    bits = mine
    while bits:
        i = lowest_bit(bits)
        bits &= bits - 1
        o = &t.slot[i]
        if o.state == ORDER_CREATED:
            continue
        if o.state == ORDER_CANCEL_SENT or o.state == ORDER_UNKNOWN:
            if now - o.touched_ns >= t.retry_ns:
                pull = i
        elif qty <= 0 or i != keep:
            pull = i
    o = &t.slot[keep]
    if pull < 0 and mine & (mine - 1) == 0 and (o.state == ORDER_RESTING or o.state == ORDER_PARTIAL):
        if change == CHANGE_KEEP or (o.px == px and o.qty - o.filled == qty and
                                     change == CHANGE_AMEND):
            return
        if change == CHANGE_AMEND:
            out.kind = PLAN_AMEND
            out.slot = keep
            out.qty = o.filled + qty
            return
        pull = keep
    out.kind = PLAN_CANCEL if pull >= 0 else PLAN_WAIT
    out.slot = pull


cdef inline int orders_seen(Orders *t, uint64_t trade, uint64_t order) noexcept nogil:
    """Return 1 when this fill of this order is among the last TRADES_CAP that were counted."""
    cdef uint64_t i, n = t.trades if t.trades < TRADES_CAP else TRADES_CAP
    if trade > t.top_trade:
        return 0
    for i in range(n):
        if t.trade_id[i] == trade and t.trade_order[i] == order:
            return 1
    return 0


cdef inline void orders_remember(Orders *t, uint64_t trade, uint64_t order) noexcept nogil:
    """Remember a fill, forgetting the one TRADES_CAP fills ago."""
    t.trade_id[t.trades % TRADES_CAP] = trade
    t.trade_order[t.trades % TRADES_CAP] = order
    t.trades += 1
    if trade > t.top_trade:
        t.top_trade = trade


cdef inline int orders_fault(Orders *t, OrderEffect *out, int fault) noexcept nogil:
    """Count and return a fault."""
    t.faults += 1
    out.fault = <uint8_t>fault
    return fault


cdef inline int orders_ignore(Orders *t, OrderEffect *out) noexcept nogil:
    """Count a report that said nothing new."""
    t.ignored += 1
    out.flags |= EFFECT_IGNORED
    return FAULT_NONE


cdef inline int orders_on_fill(
    Orders *t, int64_t i, const Report *r, OrderEffect *out
) noexcept nogil:
    """Take a fill, once: on an order with a slot, or (i < 0) on one that has none.

    It fits when the order, at the largest size that it had or may have, has that much left. A fill
    of an order without a slot is handed on all the same, because we hold what the venue says.
    """
    cdef Order *o
    cdef qty_t filled
    cdef int event, cell
    if r.qty <= 0 or r.px <= 0:
        return orders_fault(t, out, FAULT_SIZE)
    if r.venue_id == 0:
        return orders_fault(t, out, FAULT_TRADE)
    if r.side != BID and r.side != ASK:
        return orders_fault(t, out, FAULT_SIDE)
    if orders_seen(t, r.venue_id, r.order_id):
        t.duplicates += 1
        out.flags |= EFFECT_DUPLICATE
        return FAULT_NONE
    if i < 0:
        out.fill_qty = r.qty
        orders_remember(t, r.venue_id, r.order_id)
        if r.order_id != 0 and r.order_id < t.next_id:
            return orders_fault(t, out, FAULT_FORGOTTEN)
        return orders_fault(t, out, FAULT_FOREIGN)
    o = &t.slot[i]
    if r.side != o.side:
        return orders_fault(t, out, FAULT_SIDE)
    if r.qty > orders_size(o) - o.filled and r.qty > o.late_qty - o.filled:
        return orders_fault(t, out, FAULT_OVERFILL)
    filled = o.filled + r.qty
    event = EV_FULL_FILL if filled >= orders_size(o) else EV_PARTIAL_FILL
    cell = order_next[o.state][event]
    if cell == CELL_FAULT:
        return orders_fault(t, out, FAULT_STATE)
    orders_remember(t, r.venue_id, r.order_id)
    o.filled = filled
    o.last_trade = r.venue_id
    o.touched_ns = r.time_ns if o.state < ORDER_FILLED else o.touched_ns
    out.fill_qty = r.qty
    if filled > o.qty:
        if filled <= o.late_qty:
            o.qty = filled  # trails the amend that made the order smaller: it is at its end
        else:
            o.qty = o.amend_qty  # proof that the amend in flight has taken effect
            o.px = o.amend_px
    if cell == CELL_LATE:
        t.late_fills += 1
        out.flags |= EFFECT_LATE
        return FAULT_NONE
    if o.before == ORDER_IN_FLIGHT:
        o.before = ORDER_RESTING
    if cell == ORDER_FILLED:
        o.amend_qty = o.amend_px = 0
    orders_become(t, i, cell, r.time_ns)
    return FAULT_NONE


cdef inline int orders_on_report(Orders *t, const Report *r, OrderEffect *out) noexcept nogil:
    """Take the venue's word about one order and write what it did.

    Return 0, or the fault (enum OrderFault) for which the engine halts. Beyond the table: an ack of
    an order acked before, an answer to an amend that was answered before or (by venue_ns) to an
    earlier one, and word about an order whose slot is gone say nothing new; a reject of an order
    that was acked or filled, and an amended price or size never asked for, cannot be true.
    """
    cdef int event, cell, fault
    cdef int64_t i
    cdef Order *o
    cdef ns_t now = r.time_ns
    memset(out, 0, sizeof(OrderEffect))
    out.id = r.order_id
    out.side = r.side
    out.fill_px = r.px
    out.fee = r.fee
    out.slot = -1
    if r.market != t.market:
        return orders_fault(t, out, FAULT_MARKET)
    i = out.slot = orders_find(t, r.order_id)
    if i >= 0:
        out.was = out.state = t.slot[i].state
    if r.kind == REP_FILL:
        fault = orders_on_fill(t, i, r, out)
        if i >= 0:
            out.state = t.slot[i].state
            if out.was < ORDER_FILLED and out.state >= ORDER_FILLED:
                out.flags |= EFFECT_DEAD
        return fault
    if r.kind == REP_ACK:
        event = EV_ACK
    elif r.kind == REP_REJECT:
        event = EV_REJECT
    elif r.kind == REP_CANCELED:
        event = EV_CANCELED
    elif r.kind == REP_CANCEL_REJECT:
        event = EV_CANCEL_REJECT
    elif r.kind == REP_AMENDED:
        event = EV_AMENDED
    elif r.kind == REP_AMEND_REJECT:
        event = EV_AMEND_REJECT
    elif r.kind == REP_EXPIRED:
        event = EV_EXPIRED
    elif r.kind == REP_UNKNOWN:
        event = EV_LOST
    else:
        return orders_fault(t, out, FAULT_KIND)
    if i < 0:
        if r.order_id == 0 or r.order_id >= t.next_id:
            return orders_fault(t, out, FAULT_FOREIGN)
        return orders_ignore(t, out)
    o = &t.slot[i]
    cell = order_next[o.state][event]
    if cell == CELL_FAULT:
        return orders_fault(t, out, FAULT_STATE)
    if event == EV_AMENDED and o.state < ORDER_FILLED and o.amend_qty == 0:
        if (r.venue_ns == 0 or r.venue_ns >= o.amend_ns) and (r.px != o.px or r.qty != o.qty):
            return orders_fault(t, out, FAULT_AMEND)
        return orders_ignore(t, out)
    if cell == CELL_IGNORE:
        return orders_ignore(t, out)
    if event == EV_ACK:
        if o.acked_ns != 0:
            return orders_ignore(t, out)
        o.acked_ns = now if now > 0 else 1
        o.venue_id = r.venue_id
        if o.state == ORDER_CANCEL_SENT and o.before != ORDER_AMEND_SENT:
            o.before = ORDER_RESTING
    elif event == EV_REJECT:
        if o.acked_ns != 0 or o.filled > 0:
            return orders_fault(t, out, FAULT_STATE)
        o.reason = r.reason
    elif event == EV_AMENDED or event == EV_AMEND_REJECT:
        if o.amend_qty == 0 or (r.venue_ns != 0 and r.venue_ns < o.amend_ns):
            return orders_ignore(t, out)
        if event == EV_AMENDED:
            if r.px != o.amend_px or r.qty != o.amend_qty:
                if r.px == o.px and r.qty == o.qty:
                    return orders_ignore(t, out)
                return orders_fault(t, out, FAULT_AMEND)
            if t.linger_ns > 0 and o.qty > o.amend_qty:
                o.late_qty = o.qty if o.qty > o.late_qty or now >= o.late_ns else o.late_qty
                o.late_ns = now + t.linger_ns
            o.px = o.amend_px
            o.qty = o.amend_qty if o.amend_qty > o.filled else o.filled
        else:
            if o.px == o.amend_px and o.qty == o.amend_qty:
                return orders_fault(t, out, FAULT_AMEND)
            o.reason = r.reason
        o.amend_px = o.amend_qty = 0
        if o.state == ORDER_CANCEL_SENT and o.before == ORDER_AMEND_SENT:
            o.before = ORDER_RESTING
    elif event == EV_CANCEL_REJECT:
        o.reason = r.reason
    o.touched_ns = now
    orders_become(t, i, o.before if cell == CELL_BACK else cell, now)
    out.state = o.state
    if o.state >= ORDER_FILLED:
        out.flags |= EFFECT_DEAD
    return FAULT_NONE
