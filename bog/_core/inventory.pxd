"""Quotes that manage inventory: one verb for every model, which comes as integers.

Avellaneda and Stoikov 2008, Gueant, Lehalle and Fernandez-Tapia 2013, and a grid differ in their
numbers alone: a half spread, and a shift of both quotes by what is held.
"""

from libc.stdint cimport int64_t, uint64_t

from bog._core.fixed cimport i128
from bog._core.grid cimport grid_interval
from bog._core.quota cimport Quota
from bog._core.signals cimport signals_shift_q16
from bog._core.strategy cimport (
    QUIET_NONE, QUIET_WARMING, Look, Quote, strategy_look, strategy_set, strategy_threshold,
)
from bog._core.types cimport (
    MODEL_GRID, STRATEGY_ACTIVE, Order, Record, StrategyParams, px_t, qty_t,
)
from bog._core.volatility cimport Volatility, volatility_seen

cdef extern from "inventory.h" nogil:
    enum: MODEL_STEPS "BOG_MODEL_STEPS"
    enum: MODEL_POINTS "BOG_MODEL_POINTS"

    ctypedef struct Model "bog_model_t":
        int64_t half_q16
        int64_t steps
        int64_t shift_q16[33]
        int64_t number_q16[6]

    ctypedef struct StrategyMemory "bog_strategy_memory_t":
        Quota quota
        Model model
        Volatility volatility
        uint64_t state
        px_t interval


cdef inline int64_t inventory_shift_q16(
    const Model *model, qty_t pos, qty_t max_pos
) noexcept nogil:
    """Return the shift of both quotes at a position: between two points in proportion, rounded down.

    A position past max_pos counts as max_pos; model.steps > 0.
    """
    cdef qty_t full = max_pos if max_pos > 0 else 1
    cdef qty_t held = full if pos > full else -full if pos < -full else pos
    cdef qty_t way = (held + full) * model.steps  # along the points, in parts of `full`
    cdef int64_t i = way // full
    cdef i128 part = way - i * full
    cdef i128 step
    if i >= 2 * model.steps:
        return model.shift_q16[2 * model.steps]
    # the step is 0 or less: floor by rounding its size up
    step = (<i128> model.shift_q16[i] - model.shift_q16[i + 1]) * part
    return model.shift_q16[i] - <int64_t> ((step + full - 1) // full)


cdef inline px_t inventory_snap(px_t px, px_t interval) noexcept nogil:
    """Return the largest multiple of `interval` at or below px."""
    cdef px_t rest = px % interval
    return px - (rest + interval if rest < 0 else rest)


cdef inline void inventory_quote(
    const StrategyParams *params, StrategyMemory *memory, const Record *record,
    const Order *orders, int n, qty_t pos, Quote *out,
) noexcept nogil:
    """Write the quote that the model wants at this book and position into `out`.

    Around fair = mid + signals, moved by the shift of the inventory, both sides stand the model's
    half spread out, never less than the fee floor; the bid rounded down, the ask up. On a grid, both
    go outwards to the next multiple of the half spread, so that an order stays where it is while the
    fair price moves inside a cell. Before that the bid goes no higher than a tick below the best ask,
    the ask no lower than a tick above the best bid. Nothing is quoted before the strategy is active.
    Of a grid of several orders the quote is the nearest level.
    """
    cdef const Model *model = &memory.model
    cdef int64_t fair_q16, half_q16 = model.half_q16, centre
    cdef px_t bid, ask, interval
    cdef Look look
    cdef int why = strategy_look(params, record, orders, n, out, &look)
    if why == QUIET_NONE:
        volatility_seen(&memory.volatility, look.mid2)
        if memory.state != STRATEGY_ACTIVE or model.steps <= 0:
            why = QUIET_WARMING
    if why != QUIET_NONE:
        out.why[0] = out.why[1] = why
        return
    fair_q16 = look.mid2 << 15
    if look.bid_qty > 0 and look.ask_qty > 0:
        fair_q16 += signals_shift_q16(params, look.bid, look.bid_qty, look.ask, look.ask_qty)
    if half_q16 < out.floor_ticks * 65536:
        half_q16 = out.floor_ticks * 65536
    # what the persistence of quotes asks about: rounded down to half ticks
    out.fair2 = fair_q16 >> 15
    out.half_ticks = (half_q16 + 0xFFFF) >> 16
    centre = fair_q16 + inventory_shift_q16(model, pos, params.max_pos)
    bid = (centre - half_q16) >> 16
    ask = -((-centre - half_q16) >> 16)
    if bid >= ask:
        # no spread at all and the centre on a tick: never meet ourselves
        bid -= 1
        ask += 1
    if look.ask_qty > 0 and bid >= look.ask:
        bid = look.ask - 1
    if look.bid_qty > 0 and ask <= look.bid:
        ask = look.bid + 1
    if params.model == MODEL_GRID:
        interval = (half_q16 + 0x8000) >> 16
        if params.grid_orders > 1:
            interval = memory.interval = grid_interval(
                memory.interval, interval, strategy_threshold(params, &memory.quota, out)
            )
        if interval > 1:
            bid = inventory_snap(bid, interval)
            ask = -inventory_snap(-ask, interval)
    strategy_set(params, &look, bid, ask, pos, out)
