"""Where the price leans: imbalance and microprice as shifts of the fair price."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.signals import imbalance, micro_q16, shift_q16, weighted_mid_q16

Q16 = 1 << 16
TABLE = [1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 0, 0, 0, 0, 0, -7, 8, 9, 10, 11]
SIZE = st.integers(1, 1 << 47)


def test_vector_v1_imbalance_and_weighted_mid() -> None:
    assert imbalance(1500, 500) == 500_000
    assert weighted_mid_q16(1_210_436, 1500, 1_210_450, 500) == 79_327_821_824
    assert imbalance(0, 0) == weighted_mid_q16(5, 0, 6, 0) == 0


@given(SIZE, SIZE)
def test_law_imbalance_is_within_one_and_turns_with_the_book(bid: int, ask: int) -> None:
    assert -1_000_000 <= imbalance(bid, ask) <= 1_000_000
    assert imbalance(bid, ask) == -imbalance(ask, bid)
    assert imbalance(bid, ask) == int(Fraction(bid - ask, bid + ask) * 10**6)


@pytest.mark.parametrize(
    ("ppm", "spread", "entry"),
    [(0, 1, 0), (1, 1, 1), (199_999, 1, 1), (200_000, 1, 2), (1_000_000, 1, 5),
     (-1_000_000, 1, -5), (999_999, 2, 50), (-400_000, 2, -30), (500_000, 3, 0), (1, 4, -7),
     (-1, 4, 7), (1_000_000, 5, 11), (1_000_000, 1 << 40, 11), (500_000, 0, 0)],
)  # fmt: skip
def test_microprice_table_by_spread_and_imbalance(ppm: int, spread: int, entry: int) -> None:
    assert micro_q16(TABLE, ppm, spread) == entry * 256


def test_the_shift_is_c_times_imbalance() -> None:
    # 7 ticks at full imbalance, 14 ticks of spread: half of it at half the imbalance
    assert shift_q16(1_210_436, 1500, 1_210_450, 500, 7 * Q16) == 7 * Q16 // 2
    assert shift_q16(1_210_436, 500, 1_210_450, 1500, 7 * Q16) == -7 * Q16 // 2


def test_the_shift_never_leaves_half_the_spread() -> None:
    for c, bound in ((7, 7), (8, 7), (1_000_000, 7), (-8, -7)):
        assert shift_q16(1_210_436, 500, 1_210_450, 0, c * Q16) == bound * Q16


@given(SIZE, SIZE, st.integers(1, 100), st.integers(-1000, 1000))
def test_law_the_shift_is_within_half_the_spread_and_symmetric(
    bid: int, ask: int, spread: int, ticks: int
) -> None:
    shift = shift_q16(1000, bid, 1000 + spread, ask, ticks * Q16, TABLE)
    assert abs(shift) <= spread * Q16 // 2
    assert shift == -shift_q16(1000, ask, 1000 + spread, bid, ticks * Q16, TABLE)


def test_a_table_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="19 entries, not 20"):
        micro_q16(TABLE[1:], 0, 1)
