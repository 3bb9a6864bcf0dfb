"""The volume quota: what it costs, what earns it, and what may still be sent."""

from hypothesis import given
from hypothesis import strategies as st

from bog import models
from bog._core.quota import QuotaProbe
from bog._core.strategy import Move, StrategyProbe

USDC = 1_000_000  # quanta
BID = 0


def test_vector_v17_a_fill_earns_and_two_creates_cost() -> None:
    quota = QuotaProbe(1000, 7 * USDC)
    quota.trade(605_218_000)
    assert quota.left == 1086
    quota.spend()
    quota.spend()
    assert quota.left == 1084


@given(
    st.lists(st.integers(0, 10**9), max_size=20),
    st.integers(1, 10),
    st.integers(1, 5000),
)
def test_law_many_fills_earn_what_their_sum_earns(fills: list[int], per: int, start: int) -> None:
    quota = QuotaProbe(start, per * USDC)
    volume = 0
    for quanta in fills:
        volume += quanta
        quota.trade(volume)
    assert quota.left == models.quota_after(start, traded=volume, per_usdc=per)


def test_what_earlier_runs_traded_earns_nothing() -> None:
    quota = QuotaProbe(1000, USDC, volume=500 * USDC)
    quota.trade(500 * USDC)
    assert quota.left == 1000
    quota.trade(501 * USDC)
    assert quota.left == 1001


def test_a_tier_without_a_quota_is_never_short() -> None:
    quota = QuotaProbe(0, USDC)
    quota.trade(100 * USDC)
    quota.spend()
    assert (quota.left, quota.short()) == (0, False)


def test_the_reserve_is_for_reductions_and_zero_for_nobody() -> None:
    quota = QuotaProbe(1000, reserve=100)
    for left, growing, reducing in (
        (101, False, False), (100, True, False), (1, True, False), (0, True, True),
    ):  # fmt: skip
        quota.left = left
        assert (quota.short(), quota.short(reducing=True)) == (growing, reducing)
    quota.spend()
    assert quota.left == 0


def test_one_create_in_fifteen_seconds_is_free() -> None:
    quota = QuotaProbe(2, free_ns=15)
    quota.spend(100)
    assert quota.left == 2
    quota.spend(114)
    assert quota.left == 1
    quota.spend(115)
    assert quota.left == 1
    quota.left = 0
    assert (quota.short(now=129), quota.short(now=130)) == (True, False)


def test_the_threshold_widens_to_four_times_as_the_quota_falls_to_the_reserve() -> None:
    quota = QuotaProbe(1000, reserve=100)
    for left, ticks in ((2000, 6), (1000, 6), (999, 6), (950, 7), (550, 15), (100, 24), (0, 24)):
        quota.left = left
        assert quota.widen(6) == ticks


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(2, 1000))
def test_law_less_left_is_never_a_narrower_threshold(one: int, other: int, ticks: int) -> None:
    quota = QuotaProbe(1000, reserve=100)
    widths = []
    for left in sorted((one, other)):
        quota.left = left
        widths.append(quota.widen(ticks))
    assert 4 * ticks >= widths[0] >= widths[1] >= ticks


def test_vector_v16_holds_with_a_full_quota_and_gives_way_with_an_empty_one() -> None:
    probe = StrategyProbe(requote_ticks=6, quota_start=1000, quota_reserve=100)
    probe.order(0, BID, 1_209_831, 100)
    for want, full, spare in (
        (1_209_836, Move.MOVE_KEEP, Move.MOVE_KEEP),
        (1_209_837, Move.MOVE_PRICE, Move.MOVE_KEEP),
        (1_209_854, Move.MOVE_PRICE, Move.MOVE_KEEP),
        (1_209_855, Move.MOVE_PRICE, Move.MOVE_PRICE),
    ):
        probe.want(BID, want, 100, fair2=2 * 1_210_443, half_ticks=606)
        probe.left(1000)
        assert probe.moves(0) == full
        probe.left(100)
        assert probe.moves(0) == spare
