"""A Python handle on the volume quota, for tests and notebooks."""

cimport cython
from libc.string cimport memset

from bog._core.quota cimport (
    Quota, quota_init, quota_short, quota_spend, quota_trade, quota_widen,
)
from bog._core.types cimport StrategyParams


@cython.final
cdef class QuotaProbe:
    """One quota: `start` units, one more for each `quanta` traded, `reserve` kept for reductions."""

    cdef StrategyParams params
    cdef Quota quota

    def __cinit__(
        self, long long start, long long quanta=0, long long reserve=0, long long free_ns=0,
        long long volume=0,
    ):
        memset(&self.params, 0, sizeof(StrategyParams))
        self.params.quota_start = start
        self.params.quota_quanta = quanta
        self.params.quota_reserve = reserve
        self.params.quota_free_ns = free_ns
        quota_init(&self.quota, &self.params, volume)

    @property
    def left(self):
        """Creates and amends that may be sent."""
        return self.quota.left

    @left.setter
    def left(self, long long left):
        self.quota.left = left

    def trade(self, long long volume):
        """Credit what was traded up to a volume of the account, in quanta."""
        quota_trade(&self.quota, &self.params, volume)

    def spend(self, long long now=0):
        """Count one create or amend."""
        quota_spend(&self.quota, &self.params, now)

    def short(self, bint reducing=False, long long now=0):
        """Return whether no create or amend may be sent now."""
        return bool(quota_short(&self.quota, &self.params, reducing, now))

    def widen(self, long long ticks):
        """Return a threshold of persistence at what is left."""
        return quota_widen(&self.quota, &self.params, ticks)
