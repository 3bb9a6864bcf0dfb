"""The flow of the built-in market: fair price, limit orders, cancels and takers of one step.

Events come from exponential clocks: each stream has a budget of 1e-9 events, a step takes the
total rate from it, and an event happens whenever it is used up. That is the exact process for
rates that are constant within a step, and costs one draw per event instead of one per step.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from bog._core.fixed cimport floor_div, isqrt
from bog._core.market cimport (
    ASKS, BIDS, RNG_CANCEL, RNG_FAIR, RNG_LIMIT, RNG_TAKER, SIM_BANDS, Sim, SimLevel, reaction,
)
from bog._core.market_match cimport (
    sim_crosses, sim_join, sim_kth, sim_leave, sim_level, sim_orders, sim_take,
)
from bog._core.rng cimport rng_below, rng_exp2, rng_exponential, rng_lognormal, rng_normal, rng_u32
from bog._core.types cimport ASK, BID, px_t, qty_t

cdef enum:
    REACT_JOIN = 0
    REACT_CANCEL = 1
    REACT_TRADE = 2
    REACT_IMPROVE = 3


cdef inline int64_t sim_budget(int64_t draw) noexcept nogil:
    """Return an exponential draw (Q16, mean 1) as a budget in 1e-9 events."""
    return (draw * 1000000000) >> 16


cdef inline int64_t sim_reaction(const Sim *m, int row, int side) noexcept nogil:
    """Return the multiplier (Q16) of a stream by the size of the touch; 1 up to 1-2 BTC."""
    cdef int64_t column = 0
    cdef qty_t qty
    if m.best[side] == 0:
        return 65536
    qty = sim_level(m, m.best[side]).qty
    while column < 4 and qty > m.par.queue_at[column]:
        column += 1
    return reaction[row][column] * 65536 / reaction[row][0]


cdef inline void sim_rates(Sim *m) noexcept nogil:
    """Count the orders per band of distance from their own best; set the rates of adds and cancels.

    Stale orders leave their band: they have a hazard of their own.
    """
    cdef int side, b
    cdef px_t best, near, far, limit, reach = (m.window >> 1) - 1
    cdef int64_t n, total_add = 0, total_cancel = 0
    for side in range(2):
        best = m.best[side]
        m.weight_add[side][0] = (
            m.par.add_rate[0] * 14 // 100 * sim_reaction(m, REACT_JOIN, side)) >> 16
        m.weight_add[side][SIM_BANDS] = (
            m.par.add_rate[0] * 86 // 100 * sim_reaction(m, REACT_IMPROVE, side)) >> 16
        for b in range(1, SIM_BANDS):
            m.weight_add[side][b] = m.par.add_rate[b]
        for b in range(SIM_BANDS + 1):
            if m.dry[side]:
                m.weight_add[side][b] = 0
            total_add += m.weight_add[side][b]
            m.weight_cancel[side][b] = 0
        m.trade_mult[side] = sim_reaction(m, REACT_TRADE, side)
        if best == 0:
            continue
        limit = m.stale_px[side]
        if side == BID:
            m.weight_cancel[side][SIM_BANDS] = m.par.hstale * sim_orders(m, limit + 1, best)
        else:
            m.weight_cancel[side][SIM_BANDS] = m.par.hstale * sim_orders(m, best, limit - 1)
        near = 0
        for b in range(SIM_BANDS):
            far = m.par.band_end[b] if b < SIM_BANDS - 1 else reach
            if side == BID:
                n = sim_orders(m, best - far, best - near if best - near < limit else limit)
            else:
                n = sim_orders(m, best + near if best + near > limit else limit, best + far)
            m.weight_cancel[side][b] = m.par.cancel_rate[b] * n
            near = far + 1
        m.weight_cancel[side][0] = (
            m.weight_cancel[side][0] * sim_reaction(m, REACT_CANCEL, side)) >> 16
        for b in range(SIM_BANDS + 1):
            total_cancel += m.weight_cancel[side][b]
    m.total_add = total_add
    m.total_cancel = total_cancel
    m.stale_book = 0


cdef inline void sim_fair(Sim *m) noexcept nogil:
    """Move regime and fair price by one step."""
    cdef int64_t bid_qty, ask_qty, rate, drift
    cdef px_t bid_limit, ask_limit
    if rng_u32(&m.rng[RNG_FAIR]) < (m.par.to_calm if m.active else m.par.to_active):
        m.active = not m.active
    m.x += (rng_normal(&m.rng[RNG_FAIR]) * m.par.sigma[m.active] + 32768) >> 16
    rate = m.par.jump_rate * (4 if m.active else 1)  # 1e-6 per s, so 1e-9 per step
    if rng_below(&m.rng[RNG_FAIR], 1000000000) < rate:
        m.x += (rng_normal(&m.rng[RNG_FAIR]) * m.par.jump_size + 32768) >> 16
    if m.best[BIDS] and m.best[ASKS]:
        bid_qty = sim_level(m, m.best[BIDS]).qty
        ask_qty = sim_level(m, m.best[ASKS]).qty
        drift = m.drift_rest + m.par.drift * (bid_qty - ask_qty) // (bid_qty + ask_qty)
        m.x += drift >> 16
        m.drift_rest = drift & 0xFFFF
    if m.x < 1048576:
        m.x = 1048576  # a price of 1024 ticks is the floor of every market
    rate = m.par.unit >> 1
    if m.spread_times > 1:
        rate = m.par.half * m.spread_times * 3 // 10
    bid_limit = floor_div(m.x - rate, 1024)
    ask_limit = -floor_div(-(m.x + rate), 1024)
    if bid_limit != m.stale_px[BIDS] or ask_limit != m.stale_px[ASKS]:
        # rates hang on the limits only where an order is, or was, beyond one
        if (m.weight_cancel[BIDS][SIM_BANDS] or m.weight_cancel[ASKS][SIM_BANDS]
                or m.best[BIDS] > bid_limit or (m.best[ASKS] and m.best[ASKS] < ask_limit)):
            m.stale_book = 1
        m.stale_px[BIDS] = bid_limit
        m.stale_px[ASKS] = ask_limit


cdef inline px_t sim_limit_px(Sim *m, int side, int band) noexcept nogil:
    """Draw the price of a limit order: fair price, half spread and a log-uniform distance.

    Band 0 joins the best price, band SIM_BANDS improves. Rounded away from the fair price.
    """
    cdef int64_t half = m.par.half * m.spread_times, away, u
    if band == 0 and m.best[side]:
        return m.best[side]
    u = rng_u32(&m.rng[RNG_LIMIT])
    if band == 0 or band == SIM_BANDS:
        away = half * 3 // 10 + ((half * 14 // 10 * u) >> 32)
    else:
        away = half + rng_exp2(m.par.band_from[band], (m.par.band_log[band] * u) >> 32)
    if side == BID:
        return floor_div(m.x - away, 1024)
    return -floor_div(-(m.x + away), 1024)


cdef inline void sim_add(Sim *m, int side, int band) noexcept nogil:
    """Place one limit order of the model; drop it when it would cross or leave the window."""
    cdef px_t px = sim_limit_px(m, side, band)
    cdef int size = 0 if band == SIM_BANDS else band
    cdef qty_t qty = rng_lognormal(
        &m.rng[RNG_LIMIT], m.par.size_median[size], m.par.size_sigma[size]) >> 16
    cdef px_t far = m.window >> 2, middle = m.x >> 10
    if qty > m.par.size_cap:
        qty = m.par.size_cap
    if qty < 1:
        qty = 1
    if px <= 0 or px < middle - far or px > middle + far:
        return
    if sim_crosses(m, side, px):
        return
    m.adds += 1
    sim_join(m, side, px, qty, m.next_order_id, -1)
    m.next_order_id += 1


cdef inline void sim_adds(Sim *m) noexcept nogil:
    """Place the limit orders of one step."""
    cdef int64_t at
    cdef int side, band
    m.budget_add -= m.total_add * (3 if m.active else 1) * m.burst_times
    while m.budget_add <= 0:
        m.budget_add += sim_budget(rng_exponential(&m.rng[RNG_LIMIT]))
        if m.total_add == 0:
            continue
        at = rng_below(&m.rng[RNG_LIMIT], m.total_add)
        side = band = 0
        while at >= m.weight_add[side][band]:
            at -= m.weight_add[side][band]
            band += 1
            if band > SIM_BANDS:
                band = 0
                side += 1
        sim_add(m, side, band)
        if m.stale_book:
            sim_rates(m)


cdef inline int32_t sim_victim(Sim *m, int side, int band) noexcept nogil:
    """Return the node of a random order of a band; at the touch mostly from the queue's end."""
    cdef px_t best = m.best[side], limit = m.stale_px[side], px, low, high, near = 0, far
    cdef int64_t rank = 0, n, quarter
    cdef SimLevel *level
    cdef int32_t node
    if band == 0:
        level = sim_level(m, best)
        n = level.n
        quarter = (n + 3) >> 2
        # three of four come from the last quarter of the queue
        if rng_u32(&m.rng[RNG_CANCEL]) < <int64_t>3221225472:
            rank = n - 1 - rng_below(&m.rng[RNG_CANCEL], quarter)
        else:
            rank = rng_below(&m.rng[RNG_CANCEL], n)
    else:
        if band == SIM_BANDS:
            low, high = (limit + 1, best) if side == BID else (best, limit - 1)
        else:
            near = m.par.band_end[band - 1] + 1
            far = m.par.band_end[band] if band < SIM_BANDS - 1 else (m.window >> 1) - 1
            if side == BID:
                low, high = best - far, best - near if best - near < limit else limit
            else:
                low, high = best + near if best + near > limit else limit, best + far
        px = sim_kth(m, low, rng_below(&m.rng[RNG_CANCEL], sim_orders(m, low, high)), &rank)
        level = sim_level(m, px)
    node = level.head
    while rank > 0:
        node = m.order[node].next
        rank -= 1
    return node


cdef inline void sim_cancels(Sim *m) noexcept nogil:
    """Cancel the model's orders of one step. A draw that meets an order of ours changes nothing."""
    cdef int64_t at
    cdef int side, band
    cdef int32_t node
    m.budget_cancel -= m.total_cancel * (3 if m.active else 1) * m.burst_times
    while m.budget_cancel <= 0:
        m.budget_cancel += sim_budget(rng_exponential(&m.rng[RNG_CANCEL]))
        if m.total_cancel == 0:
            continue
        at = rng_below(&m.rng[RNG_CANCEL], m.total_cancel)
        side = band = 0
        while at >= m.weight_cancel[side][band]:
            at -= m.weight_cancel[side][band]
            band += 1
            if band > SIM_BANDS:
                band = 0
                side += 1
        node = sim_victim(m, side, band)
        if m.order[node].own < 0:
            m.cancels += 1
            sim_leave(m, node)
        if m.stale_book:
            sim_rates(m)


cdef inline int64_t sim_edge(const Sim *m, int side) noexcept nogil:
    """Return how far the fair price is through the other side's best, for a taker, 1/1024 tick."""
    if side == BID:
        return m.x - (m.best[ASKS] << 10) if m.best[ASKS] else 0
    return (m.best[BIDS] << 10) - m.x if m.best[BIDS] else 0


cdef inline int64_t sim_intensity(const Sim *m, int side) noexcept nogil:
    """Return the rate of takers of a side, millionths per second."""
    cdef int64_t base = m.par.mu * (17 if m.active else 7) // 10, lean = 65536, bid_qty, ask_qty
    cdef int64_t edge = sim_edge(m, side)
    cdef int other = ASK if side == BID else BID
    if m.best[other] == 0:
        return 0
    if m.best[side]:
        bid_qty = sim_level(m, m.best[BIDS]).qty
        ask_qty = sim_level(m, m.best[ASKS]).qty
        if side == BID:
            lean += m.par.kt * (bid_qty - ask_qty) // (bid_qty + ask_qty)
        else:
            lean += m.par.kt * (ask_qty - bid_qty) // (bid_qty + ask_qty)
        if lean < 0:
            lean = 0
    base = (base * lean) >> 16
    base = ((base + m.fast[side] + m.slow[side]) * m.trade_mult[other]) >> 16
    if edge > m.par.unit:
        base += m.par.kinf * (edge - m.par.unit) // m.par.unit
    return base


cdef inline void sim_excite(Sim *m, int side) noexcept nogil:
    """Raise both intensities after a taker: 60/s x 0.30 own, 0.05 other; 0.5/s x 0.15 own."""
    # the bound of 2000/s keeps the decay inside 64 bits; only a scripted jump comes near it
    m.fast[side] = min(m.fast[side] + 18000000, <int64_t>2000000000)
    m.fast[1 - side] = min(m.fast[1 - side] + 3000000, <int64_t>2000000000)
    m.slow[side] += 75000


cdef inline void sim_impact(Sim *m, int side, qty_t qty) noexcept nogil:
    """Move the fair price by imp x sqrt(taken size / 0.05 BTC) in the taker's direction."""
    cdef int64_t root = <int64_t>isqrt(<uint64_t>((qty << 20) // m.par.impact_qty))
    cdef int64_t move = (m.par.impact * root) >> 10
    m.x += move if side == BID else -move


cdef inline void sim_market_order(Sim *m, int side, qty_t qty, int flags) noexcept nogil:
    """One taker of the model. One that knows better (edge above a tick) stops at the fair price."""
    cdef int64_t edge = sim_edge(m, side)
    cdef px_t limit = 0
    if edge > m.par.unit and flags == 0:
        limit = m.x >> 10 if side == BID else -floor_div(-m.x, 1024)
    m.takers += 1
    qty -= sim_take(m, side, qty, limit, flags, -1)
    sim_excite(m, side)
    sim_impact(m, side, qty)


cdef inline void sim_takers(Sim *m) noexcept nogil:
    """The takers of one step."""
    cdef int64_t buy, sell
    cdef int side
    cdef qty_t qty
    # exp(-0.06) and exp(-0.0005) in Q32: decay at 60/s and 0.5/s over one step
    for side in range(2):
        m.fast[side] = (m.fast[side] * <int64_t>4044847872) >> 32
        m.slow[side] = (m.slow[side] * <int64_t>4292820349) >> 32
    buy = sim_intensity(m, BID)
    sell = sim_intensity(m, ASK)
    m.budget_take -= buy + sell
    while m.budget_take <= 0:
        m.budget_take += sim_budget(rng_exponential(&m.rng[RNG_TAKER]))
        side = BID if rng_below(&m.rng[RNG_TAKER], buy + sell) < buy else ASK
        qty = rng_lognormal(&m.rng[RNG_TAKER], m.par.taker_median, m.par.taker_sigma) >> 16
        if qty > m.par.size_cap:
            qty = m.par.size_cap
        if qty < 1:
            qty = 1
        sim_market_order(m, side, qty, 0)
        buy = sim_intensity(m, BID)
        sell = sim_intensity(m, ASK)
        if buy + sell == 0:
            break
