"""What trading earned and why, exact in half quanta."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from bog._core.types cimport BID, Report, half_t, ns_t, px_t, qty_t, quanta_t

cdef extern from "measure.h" nogil:
    enum: HORIZONS "BOG_HORIZONS"
    enum: REASONS "BOG_REASONS"
    enum: MIDS "BOG_MIDS"
    enum: PENDING "BOG_PENDING"
    enum: WHYS "BOG_WHYS"

    ctypedef struct Markout "bog_markout_t":
        half_t value
        quanta_t notional
        uint64_t fills

    ctypedef struct Pending "bog_pending_t":
        ns_t venue_ns
        px_t px
        qty_t qty
        uint8_t side
        uint8_t reason

    ctypedef struct Measure "bog_measure_t":
        half_t capture
        half_t inventory
        quanta_t fees
        quanta_t funding
        qty_t pos
        px_t mid2
        half_t start
        half_t peak
        half_t drawdown
        uint64_t fills[2]
        qty_t filled[2]
        qty_t sent[2]
        quanta_t volume
        ns_t first_ns
        ns_t last_ns
        ns_t both_ns
        ns_t touch_ns[2]
        ns_t limit_ns
        double pos_dt
        double abs_dt
        double sq_dt
        uint64_t by_reason[6]
        Markout markout[4][2][6]
        uint64_t markout_excluded[4]
        ns_t idle_ns[2][64]

    ctypedef struct Mid "bog_mid_t":
        ns_t time_ns
        px_t mid2

    ctypedef struct MeasureMemory "bog_measure_memory_t":
        uint64_t n_mids
        uint64_t n_fills
        uint64_t done[4]
        Mid mid[65536]
        Pending pending[16384]


cdef inline ns_t measure_horizon(int h) noexcept nogil:
    """Return markout horizon `h` in ns: 100 ms, 1 s, 10 s, 60 s."""
    if h == 0:
        return 100_000_000LL
    if h == 1:
        return 1_000_000_000LL
    return 10_000_000_000LL if h == 2 else 60_000_000_000LL


cdef inline px_t measure_mid_at(const MeasureMemory *memory, ns_t time_ns, bint before) noexcept nogil:
    """Return the mid at `time_ns` in half ticks, or just before it; 0 when that is forgotten.

    A mid holds from the moment of its change, so "at" includes a change at that very time.
    """
    cdef uint64_t high = memory.n_mids, low = high - MIDS if high > MIDS else 0, first = low, middle
    cdef const Mid *mid
    while low < high:
        middle = (low + high) >> 1
        mid = &memory.mid[middle & (MIDS - 1)]
        if mid.time_ns < time_ns or (mid.time_ns == time_ns and not before):
            low = middle + 1
        else:
            high = middle
    if low == first:
        return 0
    return memory.mid[(low - 1) & (MIDS - 1)].mid2


cdef inline void measure_settle(
    Measure *measure, MeasureMemory *memory, ns_t now, bint last
) noexcept nogil:
    """Book markouts whose horizon has passed by `now`; at the `last` call exclude all others.

    Fills stand in the order we learned of them, not of venue time: one that is not due holds up
    those behind it. Their mids are remembered, so that costs time only, but the end cannot wait.
    """
    cdef int h
    cdef uint64_t i
    cdef ns_t due
    cdef px_t mid2
    cdef half_t value
    cdef bint lost
    cdef const Pending *fill
    cdef Markout *out
    for h in range(HORIZONS):
        while memory.done[h] < memory.n_fills:
            i = memory.done[h]
            lost = memory.n_fills - i > PENDING
            fill = &memory.pending[i & (PENDING - 1)]
            due = fill.venue_ns + measure_horizon(h)
            if due >= now and not lost and not last:
                break
            memory.done[h] += 1
            mid2 = 0 if lost or due >= now else measure_mid_at(memory, due, False)
            if mid2 == 0:
                measure.markout_excluded[h] += 1
                continue
            value = (mid2 - 2 * fill.px) * fill.qty
            out = &measure.markout[h][fill.side][fill.reason]
            out.value += value if fill.side == BID else -value
            out.notional += fill.px * fill.qty
            out.fills += 1


cdef inline void measure_mid(Measure *measure, MeasureMemory *memory, ns_t now, px_t mid2) noexcept nogil:
    """Take the mid of a two-sided book after a message: inventory earns its move."""
    cdef half_t equity
    measure_settle(measure, memory, now, False)
    if mid2 == measure.mid2:
        return
    if measure.mid2 != 0:
        measure.inventory += measure.pos * (mid2 - measure.mid2)
    else:
        # what was carried over is worth its first mid: no profit of this run
        measure.start += measure.pos * mid2
    measure.mid2 = mid2
    memory.mid[memory.n_mids & (MIDS - 1)].time_ns = now
    memory.mid[memory.n_mids & (MIDS - 1)].mid2 = mid2
    memory.n_mids += 1
    equity = measure.capture + measure.inventory - 2 * measure.fees + 2 * measure.funding
    if equity > measure.peak:
        measure.peak = equity
    elif measure.peak - equity > measure.drawdown:
        measure.drawdown = measure.peak - equity


cdef inline void measure_fill(Measure *measure, MeasureMemory *memory, const Report *fill) noexcept nogil:
    """Book a fill when we learn of it, at the mid just before it happened at the venue.

    What the mid did between the fill and our learning of it is inventory, so that the parts add up.
    """
    cdef px_t before = measure_mid_at(memory, fill.venue_ns, True)
    cdef qty_t signed = fill.qty if fill.side == BID else -fill.qty
    cdef Pending *slot = &memory.pending[memory.n_fills & (PENDING - 1)]
    cdef uint8_t reason = fill.reason if fill.reason < REASONS else 0
    if before == 0:
        before = measure.mid2
    measure.capture += signed * (before - 2 * fill.px)
    measure.inventory += signed * (measure.mid2 - before)
    measure.pos += signed
    measure.fees += fill.fee
    measure.volume += fill.px * fill.qty
    measure.fills[fill.side] += 1
    measure.filled[fill.side] += fill.qty
    measure.by_reason[reason] += 1
    slot.venue_ns = fill.venue_ns
    slot.px = fill.px
    slot.qty = fill.qty
    slot.side = fill.side
    slot.reason = reason
    memory.n_fills += 1


cdef inline void measure_time(
    Measure *measure, ns_t now, int why_bid, int why_ask, bint at_bid, bint at_ask, bint at_limit
) noexcept nogil:
    """Attribute the time since the last call to what was true during it. `why` 0 means quoted."""
    cdef ns_t dt = now - measure.last_ns
    if measure.first_ns == 0:
        measure.first_ns = measure.last_ns = now
        return
    if dt <= 0:
        return
    measure.last_ns = now
    if why_bid == 0 and why_ask == 0:
        measure.both_ns += dt
    measure.idle_ns[0][why_bid & (WHYS - 1)] += dt
    measure.idle_ns[1][why_ask & (WHYS - 1)] += dt
    if at_bid:
        measure.touch_ns[0] += dt
    if at_ask:
        measure.touch_ns[1] += dt
    if at_limit:
        measure.limit_ns += dt
    measure.pos_dt += <double> measure.pos * dt
    measure.abs_dt += <double> (measure.pos if measure.pos >= 0 else -measure.pos) * dt
    measure.sq_dt += <double> measure.pos * <double> measure.pos * dt


cdef inline void measure_end(Measure *measure, MeasureMemory *memory, ns_t now) noexcept nogil:
    """Settle what can be settled and count the fills too close to the end."""
    measure_settle(measure, memory, now, True)
