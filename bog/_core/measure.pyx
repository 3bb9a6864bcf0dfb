"""A Python handle on the measure room: feed it mids and fills, read the exact parts."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.measure cimport (
    HORIZONS, REASONS, Measure, MeasureMemory, measure_end, measure_fill, measure_horizon,
    measure_mid, measure_time,
)
from bog._core.memory cimport lines
from bog._core.types cimport Report


@cython.final
cdef class MeasureProbe:
    """One measure. Mids in half ticks, prices in ticks, sizes in lots, times in ns."""

    cdef Measure *measure
    cdef MeasureMemory *memory

    def __cinit__(self):
        self.measure = <Measure *> lines(sizeof(Measure))
        self.memory = <MeasureMemory *> lines(sizeof(MeasureMemory))
        if self.measure == NULL or self.memory == NULL:
            raise MemoryError("no memory for a measure")

    def __dealloc__(self):
        free(self.measure)
        free(self.memory)

    def mid(self, long long now, long long mid2):
        """Take the mid after a message."""
        measure_mid(self.measure, self.memory, now, mid2)

    def fill(
        self, long long venue_ns, int side, long long px, long long qty, long long fee=0,
        int reason=1,
    ):
        """Take a fill of ours that happened at `venue_ns`."""
        cdef Report fill
        memset(&fill, 0, sizeof(Report))
        fill.venue_ns = venue_ns
        fill.side = side
        fill.px = px
        fill.qty = qty
        fill.fee = fee
        fill.reason = reason
        measure_fill(self.measure, self.memory, &fill)

    def time(self, long long now, int why_bid, int why_ask):
        """Attribute the time since the last call."""
        measure_time(self.measure, now, why_bid, why_ask, False, False, False)

    def end(self, long long now):
        """Settle what can be settled; count the rest as excluded."""
        measure_end(self.measure, self.memory, now)

    def parts(self):
        """Return (capture, inventory, fees, funding): half quanta, half quanta, quanta, quanta."""
        return (self.measure.capture, self.measure.inventory, self.measure.fees, self.measure.funding)

    def drawdown(self):
        """Return the largest fall of equity at the mid, half quanta."""
        return self.measure.drawdown

    def markouts(self):
        """Return {(horizon_ns, side, reason): (half quanta, notional, fills)}."""
        return {
            (measure_horizon(h), side, reason): (
                self.measure.markout[h][side][reason].value,
                self.measure.markout[h][side][reason].notional,
                self.measure.markout[h][side][reason].fills,
            )
            for h in range(HORIZONS) for side in range(2) for reason in range(REASONS)
            if self.measure.markout[h][side][reason].fills
        }

    def excluded(self):
        """Return how many fills each horizon left out."""
        return list(self.measure.markout_excluded)
