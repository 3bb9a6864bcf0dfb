"""A Python handle on the volatility of one mid, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdlib cimport free

from bog._core.memory cimport lines
from bog._core.types cimport StrategyParams
from bog._core.volatility cimport (
    VOLATILITY_WINDOW, Volatility, volatility_sample, volatility_second_q16, volatility_seen,
    volatility_sigma_q8,
)


@cython.final
cdef class VolatilityProbe:
    """One estimate: `kind` is a VolatilityKind, `shift` 4 to 12 of EWMA, `samples` the window."""

    cdef StrategyParams *params
    cdef Volatility *v

    def __cinit__(self, int kind=0, int shift=4, int samples=VOLATILITY_WINDOW):
        self.params = <StrategyParams *> lines(sizeof(StrategyParams))
        self.v = <Volatility *> lines(sizeof(Volatility))
        if not (self.params and self.v):
            raise MemoryError("no memory for a volatility")
        if not 4 <= shift <= 12:
            raise ValueError(f"shift {shift} is not between 4 and 12")
        if not 1 <= samples <= VOLATILITY_WINDOW:
            raise ValueError(f"samples {samples} is not between 1 and {VOLATILITY_WINDOW}")
        self.params.volatility = kind
        self.params.volatility_shift = shift
        self.params.volatility_samples = samples

    def __dealloc__(self):
        free(self.params)
        free(self.v)

    def seen(self, long long mid2):
        """Show a mid between two samples, half ticks."""
        volatility_seen(self.v, mid2)

    def sample(self, long long mid2, long long now):
        """Take the sample of 100 ms that is due at `now`, ns."""
        volatility_sample(self.v, self.params, mid2, now)

    def clocks(self):
        """Return (variance per sample in Q16, samples) of 100 ms and of 1 s."""
        return (
            (self.v.fast.var_q16, self.v.fast.samples), (self.v.slow.var_q16, self.v.slow.samples),
        )

    def second_q16(self):
        """Return the variance per second that quotes stand on."""
        return volatility_second_q16(self.v)


def sigma_q8(long long var_q16):
    """Return the deviation of a variance in Q16: 1/256 tick."""
    return volatility_sigma_q8(var_q16)
