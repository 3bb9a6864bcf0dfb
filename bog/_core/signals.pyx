"""The signals of the touch, for tests and notebooks. Prices in ticks, sizes in lots."""

from libc.string cimport memset

from bog._core.signals cimport (
    signals_imbalance, signals_micro_q16, signals_shift_q16, signals_weighted_mid_q16,
)
from bog._core.types cimport MICRO_BUCKETS, MICRO_SPREADS, StrategyParams


def imbalance(long long bid_qty, long long ask_qty):
    """Return the imbalance of two sizes in ppm."""
    return signals_imbalance(bid_qty, ask_qty)


def weighted_mid_q16(long long bid, long long bid_qty, long long ask, long long ask_qty):
    """Return the weighted mid in Q16 ticks."""
    return signals_weighted_mid_q16(bid, bid_qty, ask, ask_qty)


cdef fill_table(StrategyParams *params, list table_q8):
    if len(table_q8) != MICRO_SPREADS * MICRO_BUCKETS:
        raise ValueError(f"{len(table_q8)} entries, not {MICRO_SPREADS * MICRO_BUCKETS}")
    for i, entry in enumerate(table_q8):
        params.micro_q8[i] = entry


def micro_q16(list table_q8, int imbalance_ppm, long long spread):
    """Return the shift of a microprice table at an imbalance and a spread, Q16 ticks."""
    cdef StrategyParams params
    fill_table(&params, table_q8)
    return signals_micro_q16(params.micro_q8, imbalance_ppm, spread)


def shift_q16(
    long long bid, long long bid_qty, long long ask, long long ask_qty, long long imbalance_q16=0,
    table_q8=None,
):
    """Return the shift of the fair price from the mid, Q16 ticks."""
    cdef StrategyParams params
    memset(&params, 0, sizeof(StrategyParams))
    params.imbalance_q16 = imbalance_q16
    if table_q8 is not None:
        fill_table(&params, table_q8)
    return signals_shift_q16(&params, bid, bid_qty, ask, ask_qty)
