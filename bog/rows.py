"""The rows of a source as an array, for tests, benchmarks and notebooks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bog._core.source import Source

# The layout of bog_row_t: prices in ticks, sizes in lots, times in nanoseconds.
ROW_DTYPE = np.dtype(
    [
        ("gen", "<u8"),
        ("recv_ns", "<i8"),
        ("exch_ns", "<i8"),
        ("px", "<i8"),
        ("qty", "<i8"),
        ("id", "<i8"),
        ("seq", "<u8"),
        ("kind", "u1"),
        ("side", "u1"),
        ("eom", "u1"),
        ("flags", "u1"),
        ("market", "<u4"),
    ]
)


def rows_array(source: Source) -> npt.NDArray[np.void]:
    """Return what is left of a source as an array of ROW_DTYPE; gen, seq and market are 0."""
    return np.frombuffer(source.raw(max(source.rows, 1)), dtype=ROW_DTYPE)
