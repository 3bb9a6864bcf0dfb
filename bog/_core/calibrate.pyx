"""A Python handle on the calibration of A and k, for tests and notebooks."""

cimport cython
from libc.stdlib cimport free

from bog._core.calibrate cimport (
    CALIBRATE_LAST, Calibration, calibrate_fit, calibrate_interval, calibrate_print, calibrate_rate,
)
from bog._core.memory cimport lines


@cython.final
cdef class CalibrationProbe:
    """Ten minutes of prints."""

    cdef Calibration *c

    def __cinit__(self):
        self.c = <Calibration *> lines(sizeof(Calibration))
        if self.c == NULL:
            raise MemoryError("no memory for a calibration")

    def __dealloc__(self):
        free(self.c)

    def print(self, int side, long long px):
        """Note a print: the aggressor's side, and the price in ticks."""
        calibrate_print(self.c, side, px)

    def interval(self, long long mid2):
        """End 100 ms and begin the next at a mid in half ticks, 0 when there is none."""
        calibrate_interval(self.c, mid2)

    def rate(self, long long distance):
        """Return how often a second, per side, an aggressor went beyond a distance in ticks."""
        if not 0 <= distance <= CALIBRATE_LAST:
            raise ValueError(f"distance {distance} is not between 0 and {CALIBRATE_LAST}")
        return calibrate_rate(self.c, distance)

    def fit(self):
        """Fit and return (Fit, A per second and side, k per tick) as they stand now."""
        fit = calibrate_fit(self.c)
        return fit, self.c.arrivals, self.c.decay

    @property
    def intervals(self):
        """Intervals in the window."""
        return self.c.n
