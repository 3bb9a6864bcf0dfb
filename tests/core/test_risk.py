"""The gate: each verdict on both sides of its boundary, the order of reasons, tokens and halts."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.orders import OrdersProbe
from bog._core.risk import Cap, RiskProbe, caps, conservative_caps, over_caps
from bog._core.types import Halt, Level, ReportKind, Verdict

BUY, SELL = 0, 1
SECOND = 1_000_000_000
TOKEN = 60_000_000_000
USD = 1_000_000
MAX = 2**63 - 1
CORE = Path(__file__).parents[2] / "bog" / "_core"

# BTC: price in 0.1, size in 0.00001
LIMITS = {
    "max_long": 1_000_000, "max_short": 1_000_000, "min_order": 100, "max_order": 500_000,
    "min_notional": 10 * USD, "max_notional": 10**13, "max_exposure": 10**14,
    "min_px": 100_000, "max_px": 10_000_000, "px_step": 1, "qty_step": 1, "collar_ppm": 50_000,
    "drawdown_ppm": 50_000, "drawdown_min_peak": 10 * USD, "max_daily_loss": 5000 * USD,
    "balance": 10**12, "max_leverage_ppm": 0, "max_open_orders": 10, "rate_per_min": 600,
    "rate_burst": 20, "rate_reserve": 2, "stale_after_ns": 500_000_000,
}  # fmt: skip
BID, ASK = 500_000, 500_010


def gate(**changed: int) -> RiskProbe:
    """Return a gate where a bid of 10000 lots at BID passes, with some limits changed."""
    probe = RiskProbe(**{**LIMITS, **changed})
    probe.touch(BID, ASK)
    probe.moment(now=SECOND, alive_ns=SECOND, level=Level.LEVEL_RUN, connected=1)
    return probe


def bid(probe: RiskProbe, px: int = BID, qty: int = 10_000) -> Verdict:
    return Verdict(probe.check(BUY, px, qty))


def ask(probe: RiskProbe, px: int = ASK, qty: int = 10_000) -> Verdict:
    return Verdict(probe.check(SELL, px, qty))


def test_an_ordinary_quote_passes_on_both_sides():
    probe = gate()
    assert bid(probe) == ask(probe) == Verdict.ALLOW
    assert probe.standing() == Verdict.ALLOW
    assert probe.denied()[Verdict.ALLOW] == 2


@pytest.mark.parametrize(
    ("level", "verdict"),
    [
        (Level.LEVEL_RUN, Verdict.ALLOW),
        (Level.LEVEL_PAUSED, Verdict.DENY_PAUSED),
        (Level.LEVEL_DRAIN, Verdict.DENY_KILLED),
        (Level.LEVEL_KILLED, Verdict.DENY_KILLED),
        (4, Verdict.DENY_KILLED),
        (255, Verdict.DENY_KILLED),
        (-1, Verdict.DENY_KILLED),
    ],
)
def test_the_level_and_any_unknown_one(level, verdict):
    probe = gate()
    probe.moment(level=level)
    assert bid(probe) == verdict == probe.standing()


@pytest.mark.parametrize("side", [-1, 2, 255])
def test_an_unknown_side_never_passes(side):
    assert gate().check(side, BID, 10_000) == Verdict.DENY_KILLED


@pytest.mark.parametrize("age", [500_000_000, -500_000_000, 0])
def test_a_feed_as_old_as_the_limit_is_fresh(age):
    probe = gate()
    probe.moment(alive_ns=SECOND - age)
    assert bid(probe) == Verdict.ALLOW == probe.standing()


@pytest.mark.parametrize("age", [500_000_001, -500_000_001, -(2**62)])
def test_a_feed_older_than_the_limit_is_stale_and_so_is_another_clock(age):
    probe = gate()
    probe.moment(alive_ns=SECOND - age)
    assert bid(probe) == Verdict.DENY_STALE == probe.standing()


def test_a_distance_of_times_past_int64_is_stale():
    probe = gate()
    probe.moment(now=MAX, alive_ns=-MAX)
    assert bid(probe) == Verdict.DENY_STALE


def test_without_a_staleness_limit_nothing_is_fresh():
    assert bid(gate(stale_after_ns=0)) == Verdict.DENY_STALE


@pytest.mark.parametrize(
    "touch",
    [(ASK, ASK, 1, 1), (ASK + 1, ASK, 1, 1), (0, ASK, 0, 1), (BID, 0, 1, 0), (0, 0, 0, 0),
     (BID, ASK, 0, 1), (BID, ASK, 1, 0), (BID, 2**40, 1, 1), (-5, ASK, 1, 1)],
)  # fmt: skip
def test_a_locked_crossed_or_one_sided_book_is_no_book(touch):
    probe = gate()
    probe.touch(*touch)
    assert bid(probe) == ask(probe) == Verdict.DENY_BOOK == probe.standing()


@pytest.mark.parametrize("px", [0, -1, -(2**63)])
def test_a_price_must_be_positive(px):
    assert bid(gate(), px) == Verdict.DENY_PX


def test_a_price_must_be_on_the_step():
    probe = gate(px_step=10)
    assert bid(probe, BID - 9) == Verdict.DENY_TICK
    assert bid(probe, BID - 10) == Verdict.ALLOW
    assert bid(gate(px_step=0)) == Verdict.DENY_TICK


def test_a_size_must_be_positive_and_on_the_step():
    probe = gate(qty_step=10)
    assert bid(probe, qty=10_001) == Verdict.DENY_LOT
    assert bid(probe, qty=10_010) == Verdict.ALLOW
    assert bid(probe, qty=0) == Verdict.DENY_LOT
    assert bid(probe, qty=-10) == Verdict.DENY_LOT
    assert bid(gate(qty_step=0)) == Verdict.DENY_LOT


def test_the_absolute_band_holds_its_ends():
    probe = gate(min_px=BID - 5, max_px=ASK + 5)
    assert bid(probe, BID - 5) == Verdict.ALLOW
    assert bid(probe, BID - 6) == Verdict.DENY_BAND
    assert ask(probe, ASK + 5) == Verdict.ALLOW
    assert ask(probe, ASK + 6) == Verdict.DENY_BAND
    assert ask(gate(max_px=MAX), 2**40) == Verdict.DENY_BAND


def test_the_collar_is_exact():
    probe = gate(collar_ppm=5_000)  # 50 bps, as in the acceptance cases
    probe.touch(99_999, 100_001)
    probe.limit(min_px=1)
    assert bid(probe, 99_500) == Verdict.ALLOW
    assert bid(probe, 99_499) == Verdict.DENY_COLLAR
    assert ask(probe, 100_500) == Verdict.ALLOW
    assert ask(probe, 100_501) == Verdict.DENY_COLLAR
    probe.touch(99_999, 100_000)  # mid 99999.5: 50 bps are 499.9975
    assert bid(probe, 99_499) == Verdict.DENY_COLLAR
    assert bid(probe, 99_500) == Verdict.ALLOW
    assert ask(probe, 100_499) == Verdict.ALLOW
    assert ask(probe, 100_500) == Verdict.DENY_COLLAR


def test_the_collar_does_not_overflow():
    probe = gate(collar_ppm=1_000_000, max_px=MAX, min_notional=0, max_exposure=MAX)
    probe.touch(2**40 - 2, 2**40 - 1)
    assert bid(probe, 1, 100) == Verdict.DENY_BAND
    probe.limit(min_px=1)
    assert bid(probe, 1, 100) == Verdict.ALLOW


@pytest.mark.parametrize(
    ("qty", "verdict"),
    [(99, Verdict.DENY_MIN_SIZE), (100, Verdict.ALLOW), (500_000, Verdict.ALLOW),
     (500_001, Verdict.DENY_MAX_SIZE)],
)  # fmt: skip
def test_the_order_size_holds_its_ends(qty, verdict):
    assert bid(gate(), qty=qty) == verdict


def test_the_notional_holds_its_ends():
    assert bid(gate(min_notional=BID * 10_000)) == Verdict.ALLOW
    assert bid(gate(min_notional=BID * 10_000 + 1)) == Verdict.DENY_NOTIONAL
    assert bid(gate(max_notional=BID * 10_000)) == Verdict.ALLOW
    assert bid(gate(max_notional=BID * 10_000 - 1)) == Verdict.DENY_NOTIONAL


def test_a_product_that_does_not_fit_is_refused():
    wide = gate(max_px=MAX, max_order=MAX, max_long=MAX, max_notional=MAX, max_exposure=MAX)
    wide.touch(2**39, 2**39 + 1)
    assert bid(wide, 2**39, 2**24) == Verdict.DENY_OVERFLOW
    assert bid(wide, 2**39, 2**23) == Verdict.ALLOW
    wide.moment(pos=MAX)
    assert bid(wide, 2**39, 2**20) == Verdict.DENY_OVERFLOW


def test_the_exposure_is_the_worst_position_at_the_worst_price():
    probe = gate(max_exposure=30_000 * ASK)
    probe.moment(pos=10_000)
    probe.exposure(rem=(10_000, 0), live=1, best=(BID, 0), top=(ASK, 0))
    assert bid(probe) == Verdict.ALLOW
    probe.limit(max_exposure=30_000 * ASK - 1)
    assert bid(probe) == Verdict.DENY_NOTIONAL
    assert ask(probe) == Verdict.ALLOW


def test_v18_everything_not_proven_dead_counts():
    probe = gate(max_long=100_000, max_short=100_000)
    orders = OrdersProbe()
    for slot in range(2):
        orders.place(BUY, BID, 10_000)
        orders.sent(slot)
        orders.report(ReportKind.REP_ACK, slot + 1)
    orders.cancel(1)
    probe.exposure(**orders.exposure())
    probe.moment(pos=80_000)
    probe.limit(min_order=1, min_notional=0)
    assert bid(probe, qty=1) == Verdict.DENY_POSITION
    assert ask(probe, qty=180_000) == Verdict.ALLOW
    assert ask(probe, qty=180_001) == Verdict.DENY_POSITION
    orders.report(ReportKind.REP_CANCELED, 2)
    probe.exposure(**orders.exposure())
    assert bid(probe, qty=10_000) == Verdict.ALLOW
    assert bid(probe, qty=10_001) == Verdict.DENY_POSITION


def test_v19_a_bid_waits_until_the_ask_that_it_would_meet_is_gone():
    probe = gate(max_px=2_000_000)
    probe.touch(1_210_436, 1_210_450)
    orders = OrdersProbe()
    orders.place(SELL, 1_210_440, 10_000)
    orders.sent(0)
    orders.report(ReportKind.REP_ACK, 1)
    probe.exposure(**orders.exposure())
    assert bid(probe, 1_210_440) == Verdict.DENY_SELF_MATCH
    assert bid(probe, 1_210_439) == Verdict.ALLOW
    orders.cancel(0)
    probe.exposure(**orders.exposure())
    assert bid(probe, 1_210_440) == Verdict.DENY_SELF_MATCH
    orders.report(ReportKind.REP_UNKNOWN, 1)
    probe.exposure(**orders.exposure())
    assert bid(probe, 1_210_440) == Verdict.DENY_SELF_MATCH
    orders.report(ReportKind.REP_CANCELED, 1)
    probe.exposure(**orders.exposure())
    assert bid(probe, 1_210_440) == Verdict.ALLOW


def test_an_ask_does_not_meet_our_bid_nor_where_our_bid_is_going():
    probe = gate()
    orders = OrdersProbe()
    orders.place(BUY, BID - 8, 10_000)
    orders.sent(0)
    orders.report(ReportKind.REP_ACK, 1)
    orders.amend(0, BID + 5, 10_000)
    probe.exposure(**orders.exposure())
    assert ask(probe, BID + 5) == Verdict.DENY_SELF_MATCH
    assert ask(probe, BID + 6) == Verdict.ALLOW


def test_nine_point_nine_and_a_tenth_make_ten():
    probe = gate(max_long=1_000_000)
    probe.moment(pos=990_000)
    assert bid(probe, qty=10_000) == Verdict.ALLOW
    assert bid(probe, qty=20_000) == Verdict.DENY_POSITION
    short = gate(max_short=1_000_000)
    short.moment(pos=-990_000)
    assert ask(short, qty=10_000) == Verdict.ALLOW
    assert ask(short, qty=10_001) == Verdict.DENY_POSITION


def test_a_reducing_order_passes_at_the_limit_and_beyond():
    probe = gate(max_long=100_000, max_notional=1, max_exposure=1, max_leverage_ppm=1, balance=0)
    probe.moment(pos=150_000)
    assert bid(probe, qty=100) == Verdict.DENY_POSITION
    assert ask(probe, qty=150_000) == Verdict.ALLOW  # down to flat
    assert ask(probe, qty=150_001) == Verdict.DENY_NOTIONAL  # would flip
    probe.exposure(rem=(0, 50_000), live=1, best=(0, ASK), top=(0, ASK))
    assert ask(probe, qty=100_000) == Verdict.ALLOW
    assert ask(probe, qty=100_001) == Verdict.DENY_NOTIONAL  # would flip with what is live


def test_a_reducing_order_passes_no_other_rule():
    for change, verdict in [
        ({"level": Level.LEVEL_PAUSED}, Verdict.DENY_PAUSED),
        ({"alive_ns": -SECOND}, Verdict.DENY_STALE),
        ({"daily2": -2 * 5000 * USD - 1}, Verdict.DENY_DAILY_LOSS),
        ({"connected": 0}, Verdict.DENY_CONNECTION),
    ]:
        probe = gate()
        probe.moment(pos=150_000)
        probe.moment(**change)
        assert ask(probe, qty=1000) == verdict
    probe = gate(rate_burst=0)
    probe.moment(pos=150_000)
    assert ask(probe, qty=1000) == Verdict.DENY_RATE


def test_the_eleventh_order_is_refused_and_an_amend_of_the_tenth_is_not():
    probe = gate(rate_burst=100)
    probe.exposure(live=9)
    assert bid(probe) == Verdict.ALLOW
    probe.exposure(live=10, own_rem=10_000, own_top=BID)
    assert bid(probe) == Verdict.DENY_OPEN_ORDERS
    assert probe.check(BUY, BID - 1, 10_000, True) == Verdict.ALLOW
    probe.exposure(live=11, own_rem=10_000, own_top=BID)
    assert probe.check(BUY, BID - 1, 10_000, True) == Verdict.DENY_OPEN_ORDERS


def test_an_amended_order_counts_at_the_larger_of_what_it_is_and_becomes():
    probe = gate(max_long=100_000)
    probe.moment(pos=50_000)
    probe.exposure(live=1, own_rem=30_000, own_filled=5000, own_top=BID)
    assert probe.check(BUY, BID, 55_000, True) == Verdict.ALLOW  # 50000 open
    assert probe.check(BUY, BID, 55_001, True) == Verdict.DENY_POSITION
    probe.moment(pos=70_001)  # what stands is past the limit already
    assert probe.check(BUY, BID, 15_000, True) == Verdict.DENY_POSITION
    probe.moment(pos=70_000)
    assert probe.check(BUY, BID, 15_000, True) == Verdict.ALLOW
    assert probe.check(BUY, BID, 5000, True) == Verdict.DENY_LOT  # nothing would stay open
    assert probe.check(BUY, BID, 5099, True) == Verdict.DENY_MIN_SIZE


def test_a_quote_does_not_cross_the_known_book():
    probe = gate()
    assert bid(probe, ASK - 1) == Verdict.ALLOW
    assert bid(probe, ASK) == Verdict.DENY_CROSS
    assert ask(probe, BID + 1) == Verdict.ALLOW
    assert ask(probe, BID) == Verdict.DENY_CROSS


def test_the_daily_loss_may_be_reached_and_not_passed():
    probe = gate()
    probe.moment(daily2=-2 * 5000 * USD)
    assert bid(probe) == Verdict.ALLOW == probe.standing()
    probe.moment(daily2=-2 * 5000 * USD - 1)  # half a quantum more
    assert bid(probe) == Verdict.DENY_DAILY_LOSS == probe.standing()
    wide = gate(max_daily_loss=MAX)
    wide.moment(daily2=-MAX)
    assert bid(wide) == Verdict.ALLOW


@pytest.mark.parametrize(
    ("peak", "profit", "verdict"),
    [
        (10_000_000, 9_510_000, Verdict.ALLOW),
        (10_000_000, 9_500_000, Verdict.ALLOW),
        (10_000_000, 9_499_999, Verdict.DENY_DRAWDOWN),
        (10_000_000, 9_490_000, Verdict.DENY_DRAWDOWN),
        (9_990_000, 0, Verdict.ALLOW),
        (9_990_000, -4_000_000_000, Verdict.ALLOW),
    ],
)
def test_the_drawdown_of_the_peak_and_its_sleep_below_ten_dollars(peak, profit, verdict):
    probe = gate()
    probe.moment(peak2=2 * peak, daily2=2 * profit)
    assert bid(probe) == verdict == probe.standing()


def test_without_a_peak_there_is_no_drawdown():
    probe = gate(drawdown_min_peak=0, drawdown_ppm=0)
    probe.moment(peak2=0, daily2=-100)
    assert bid(probe) == Verdict.ALLOW


@pytest.mark.parametrize("connected", [0, 2, 255, -1])
def test_a_connection_that_is_not_known_to_stand_is_lost(connected):
    probe = gate()
    probe.moment(connected=connected)
    assert bid(probe) == Verdict.DENY_CONNECTION == probe.standing()


def test_the_balance_bounds_the_worst_case_by_leverage():
    need = 10_000 * (BID + 5)  # at the mid, above the bid
    probe = gate(balance=need // 2, max_leverage_ppm=2_000_000)
    assert need % 2 == 0
    assert bid(probe) == Verdict.ALLOW
    probe.moment(equity2=-1)  # half a quantum lost
    assert bid(probe) == Verdict.DENY_BALANCE
    probe.moment(equity2=0)
    probe.limit(balance=need // 2 - 1)
    assert bid(probe) == Verdict.DENY_BALANCE
    probe.moment(equity2=2)
    assert bid(probe) == Verdict.ALLOW
    probe.moment(equity2=-(2**62))
    assert bid(probe) == Verdict.DENY_BALANCE


def test_the_first_reason_wins_in_the_order_of_the_design():
    """Everything is wrong at first; each cure shows the next reason."""
    probe = gate(
        px_step=7, qty_step=7, min_px=490_000, max_px=499_999, collar_ppm=0, min_order=100_000,
        max_order=1, max_long=1, max_open_orders=0, max_notional=1, rate_burst=0,
        max_leverage_ppm=1, balance=0, min_notional=0,
    )  # fmt: skip
    probe.touch(ASK, BID)
    probe.moment(
        level=9,
        alive_ns=-SECOND,
        daily2=-(2**60),
        peak2=2**60,
        connected=0,
        watch=Verdict.DENY_DELAYED,
    )
    probe.exposure(live=1, best=(0, BID), top=(0, BID))
    halt_id = probe.halt(Halt.HALT_MARKET)
    order = {"px": 0, "qty": 10_001}
    cures = [
        (Verdict.DENY_KILLED, lambda: probe.moment(level=Level.LEVEL_PAUSED)),
        (Verdict.DENY_PAUSED, lambda: probe.moment(level=Level.LEVEL_RUN)),
        (Verdict.DENY_HALTED, lambda: probe.clear_halt(halt_id)),
        (Verdict.DENY_STALE, lambda: probe.moment(alive_ns=SECOND)),
        (Verdict.DENY_BOOK, lambda: probe.touch(BID - 10, BID)),
        (Verdict.DENY_DELAYED, lambda: probe.moment(watch=Verdict.DENY_BREAKER)),
        (Verdict.DENY_BREAKER, lambda: probe.moment(watch=Verdict.DENY_WARMING)),
        (Verdict.DENY_WARMING, lambda: probe.moment(watch=Verdict.ALLOW)),
        (Verdict.DENY_PX, lambda: order.update(px=BID)),
        (Verdict.DENY_TICK, lambda: probe.limit(px_step=1)),
        (Verdict.DENY_LOT, lambda: probe.limit(qty_step=1)),
        (Verdict.DENY_BAND, lambda: probe.limit(max_px=10**6)),
        (Verdict.DENY_COLLAR, lambda: probe.limit(collar_ppm=50_000)),
        (Verdict.DENY_MIN_SIZE, lambda: probe.limit(min_order=1)),
        (Verdict.DENY_MAX_SIZE, lambda: probe.limit(max_order=10**6)),
        (Verdict.DENY_POSITION, lambda: probe.limit(max_long=10**6)),
        (Verdict.DENY_OPEN_ORDERS, lambda: probe.limit(max_open_orders=5)),
        (Verdict.DENY_NOTIONAL, lambda: probe.limit(max_notional=10**13)),
        (Verdict.DENY_SELF_MATCH, lambda: probe.exposure(live=1)),
        (Verdict.DENY_CROSS, lambda: order.update(px=BID - 1)),
        (Verdict.DENY_RATE, lambda: (probe.limit(rate_burst=20),
                                     probe.moment(now=9 * SECOND, alive_ns=9 * SECOND))),
        (Verdict.DENY_DAILY_LOSS, lambda: probe.limit(max_daily_loss=2**60)),
        (Verdict.DENY_DRAWDOWN, lambda: probe.moment(peak2=0)),
        (Verdict.DENY_CONNECTION, lambda: probe.moment(connected=1)),
        (Verdict.DENY_BALANCE, lambda: probe.limit(max_leverage_ppm=0)),
    ]  # fmt: skip
    seen = []
    for verdict, cure in cures:
        seen.append(Verdict(probe.check(BUY, **order)))
        assert seen[-1] == verdict
        cure()
    assert probe.check(BUY, **order) == Verdict.ALLOW
    assert all(probe.denied()[verdict] == 1 for verdict in seen)
    # overflow and the journal have tests of their own; a portfolio is more than one gate
    untold = {
        Verdict.DENY_OVERFLOW, Verdict.DENY_JOURNAL, Verdict.DENY_PORTFOLIO, Verdict.VERDICTS,
        Verdict.ALLOW,
    }  # fmt: skip
    assert set(Verdict) - set(seen) == untold


@pytest.mark.parametrize("watch", [-1, Verdict.VERDICTS, 255, 2**40, -(2**63)])
def test_an_unknown_suspicion_reads_as_the_strictest(watch):
    probe = gate()
    probe.moment(watch=watch)
    assert bid(probe) == Verdict.DENY_KILLED == probe.standing()


def test_without_limits_nothing_passes():
    probe = RiskProbe()
    probe.touch(BID, ASK)
    probe.moment(now=0, alive_ns=0, connected=1)
    assert bid(probe) != Verdict.ALLOW
    for name in set(LIMITS) - {"balance", "max_leverage_ppm", "min_order", "min_notional",
                               "min_px", "drawdown_ppm", "drawdown_min_peak", "rate_per_min",
                               "rate_reserve", "max_daily_loss", "max_short"}:  # fmt: skip
        assert bid(gate(**{name: 0})) != Verdict.ALLOW, name
    assert ask(gate(max_short=0)) == Verdict.DENY_POSITION
    assert bid(gate(rate_burst=0, rate_per_min=0)) == Verdict.DENY_RATE
    broke = gate(max_daily_loss=0)
    broke.moment(daily2=-1)
    assert bid(broke) == Verdict.DENY_DAILY_LOSS


def test_twenty_at_once_then_ten_a_second_continuously():
    probe = RiskProbe(**{**LIMITS, "rate_reserve": 0})
    assert [probe.take(0) for _ in range(20)] == [Verdict.ALLOW] * 20
    assert probe.take(0) == Verdict.DENY_RATE
    assert probe.take(99_999_999) == Verdict.DENY_RATE
    assert probe.take(100_000_000) == Verdict.ALLOW
    assert probe.take(150_000_000) == Verdict.DENY_RATE
    assert probe.tokens(150_000_000) == TOKEN // 2
    assert probe.take(200_000_000) == Verdict.ALLOW
    assert probe.tokens(100 * SECOND) == 20 * TOKEN


def test_time_that_goes_back_fills_nothing():
    probe = RiskProbe(**{**LIMITS, "rate_reserve": 0})
    for _ in range(20):
        probe.take(SECOND)
    assert probe.tokens(0) == 0
    assert probe.tokens(SECOND) == 0
    assert probe.tokens(SECOND + 1) == 600


def test_the_reserve_is_for_cancels():
    probe = RiskProbe(**{**LIMITS, "rate_burst": 3, "rate_reserve": 2})
    assert probe.take(0) == Verdict.ALLOW
    assert probe.take(0) == Verdict.DENY_RATE
    assert probe.take(0, 0, True) == Verdict.ALLOW
    assert probe.take(0, 0, True) == Verdict.ALLOW
    assert probe.take(0, 0, True) == Verdict.DENY_RATE


def test_a_create_leaves_a_token_to_cancel_every_order_that_then_lives():
    probe = gate(rate_burst=5, rate_per_min=0, rate_reserve=0)
    probe.exposure(live=3)
    assert bid(probe) == Verdict.ALLOW  # 5 - 1 = 4 = 3 live and the new one
    probe.exposure(live=4, own_rem=1)
    assert bid(probe) == Verdict.DENY_RATE
    assert probe.check(BUY, BID, 10_000, True) == Verdict.ALLOW  # an amend adds none
    probe.exposure(live=5, own_rem=1)
    assert probe.check(BUY, BID, 10_000, True) == Verdict.DENY_RATE


@given(
    st.integers(0, 50), st.integers(0, 1000),
    st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=200),
)  # fmt: skip
def test_law_no_window_sees_more_than_burst_and_rate(burst, rate, gaps):
    probe = RiskProbe(rate_burst=burst, rate_per_min=60 * rate)
    now, sent = 0, []
    for gap in gaps:
        now += gap % 200_000_000
        if probe.take(now, 0, True) == Verdict.ALLOW:
            sent.append(now)
    for i, first in enumerate(sent):
        for j in range(i, len(sent)):
            assert (j - i + 1) <= burst + rate * (sent[j] - first) // SECOND


@given(st.integers(0, 10**12), st.integers(0, 10**6), st.lists(st.integers(0, 2**40), max_size=20))
def test_law_filling_in_steps_is_filling_at_once(burst, rate, gaps):
    steps = RiskProbe(rate_burst=burst, rate_per_min=60 * rate)
    once = RiskProbe(rate_burst=burst, rate_per_min=60 * rate)
    for probe in (steps, once):
        for _ in range(min(burst, 30)):
            probe.take(0, 0, True)
    now = 0
    for gap in gaps:
        now += gap
        steps.tokens(now)
    assert steps.tokens(now) == once.tokens(now)


def test_a_halt_stands_until_its_own_id_clears_it():
    probe = gate()
    assert probe.halted() == (Halt.HALT_NONE, 0)
    assert not probe.clear_halt(0)
    assert probe.halt(Halt.HALT_MARKET) == 1
    assert bid(probe) == Verdict.DENY_HALTED == probe.standing()
    assert probe.halt(Halt.HALT_MARKET) == 0  # stands already: no new id
    assert not probe.clear_halt(2)
    assert not probe.clear_halt(0)
    assert probe.halt(Halt.HALT_DAILY_LOSS) == 2
    assert not probe.clear_halt(1)  # whoever names 1 has not seen 2
    assert probe.halted() == (Halt.HALT_DAILY_LOSS, 2)
    assert probe.halt(Halt.HALT_MARKET) == 0
    assert probe.clear_halt(2)
    assert bid(probe) == Verdict.ALLOW
    assert not probe.clear_halt(2)
    assert probe.halt(Halt.HALT_MARKET) == 3


def test_a_halt_survives_a_restart_and_its_ids_go_on():
    probe = gate()
    probe.restore(Halt.HALT_DRAWDOWN, 7)
    assert bid(probe) == Verdict.DENY_HALTED
    assert probe.halt(Halt.HALT_DRAWDOWN) == 0
    assert probe.clear_halt(7)
    assert probe.halt(Halt.HALT_DRAWDOWN) == 8
    cleared = gate()
    cleared.restore(Halt.HALT_NONE, 7)
    assert bid(cleared) == Verdict.ALLOW
    assert cleared.halt(Halt.HALT_VENUE) == 8


@pytest.mark.parametrize("reason", [10, 255, -1, 2**40])
def test_an_unknown_halt_reads_as_killed(reason):
    probe = gate()
    probe.restore(reason, 3)
    assert probe.halted() == (Halt.HALT_KILLED, 3)
    assert bid(probe) == Verdict.DENY_HALTED


@pytest.mark.parametrize("reason", [0, 10, -1, 1000])
def test_halting_for_an_unknown_reason_is_a_kill(reason):
    probe = gate()
    assert probe.halt(reason) == 1
    assert probe.halted() == (Halt.HALT_KILLED, 1)


def test_the_conservative_caps_follow_the_decimals():
    assert conservative_caps(1, 5) == {"position": 50_000, "order": 10_000, "loss": 100 * USD}
    assert conservative_caps(2, 4) == {"position": 5000, "order": 1000, "loss": 100 * USD}
    assert conservative_caps(5, 1) == {"position": 5, "order": 1, "loss": 100 * USD}
    assert conservative_caps(6, 0) == {"position": 0, "order": 0, "loss": 100 * USD}
    assert conservative_caps(9, 9)["loss"] == MAX
    for decimals in [(-1, 5), (10, 5), (1, -1), (1, 10)]:
        with pytest.raises(ValueError, match="are not between 0 and 9"):
            conservative_caps(*decimals)


@pytest.mark.parametrize(
    ("limit", "most", "cap"),
    [
        ("max_long", 50_000, Cap.CAP_LONG),
        ("max_short", 50_000, Cap.CAP_SHORT),
        ("max_order", 10_000, Cap.CAP_ORDER),
        ("max_daily_loss", 100 * USD, Cap.CAP_DAILY_LOSS),
    ],
)
def test_a_limit_may_reach_its_cap_and_not_pass_it(limit, most, cap):
    assert over_caps({limit: most}, 1, 5) == Cap.CAP_NONE
    assert over_caps({limit: most + 1}, 1, 5) == cap
    assert over_caps({limit: most}, 1, 10) == Cap.CAP_DECIMALS


@pytest.mark.parametrize(("define", "on"), [("", 0), ("-DBOG_CAPS_CONSERVATIVE=1", 1)])
def test_the_build_switch_compiles_the_caps_in(tmp_path, define, on):
    source = tmp_path / "caps.c"
    source.write_text(f'#include "risk.h"\n_Static_assert(BOG_HARD_CAPS == {on}, "caps");\n')
    command = ["cc", "-std=gnu11", f"-I{CORE}", "-fsyntax-only", str(source)]
    subprocess.run(command + ([define] if define else []), check=True, timeout=60)


def test_this_build_enforces_its_caps_at_the_start():
    compiled = caps(1, 5)
    wild = {**LIMITS, "max_long": 50_001}
    if compiled is None:
        RiskProbe(**wild)
    else:
        assert compiled == conservative_caps(1, 5)
        with pytest.raises(ValueError, match=f"cap: {int(Cap.CAP_LONG)}"):
            RiskProbe(**wild)


def test_names_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="'max_pos' is not a limit"):
        RiskProbe(max_pos=1)
    with pytest.raises(ValueError, match="'time' is not a field"):
        gate().moment(time=1)


@given(
    pos=st.integers(-3000, 3000),
    limits=st.tuples(st.integers(0, 3000), st.integers(0, 3000)),
    rem=st.tuples(st.integers(0, 1500), st.integers(0, 1500)),
    side=st.sampled_from([BUY, SELL]),
    qty=st.integers(1, 4000),
)
def test_law_what_passes_never_takes_the_worst_case_past_a_limit(pos, limits, rem, side, qty):
    probe = gate(max_long=limits[0], max_short=limits[1], min_order=1, min_notional=0)
    probe.moment(pos=pos)
    probe.exposure(rem=rem)
    verdict = probe.check(side, BID if side == BUY else ASK, qty)
    worst = (pos if side == BUY else -pos) + rem[side] + qty
    assert (verdict == Verdict.ALLOW) == (worst <= limits[side])


@given(st.integers(1, 2**40 - 2), st.integers(0, 2**31 - 1), st.integers(1, 2**40 - 1))
def test_law_the_collar_is_the_cross_multiplied_one(mid, ppm, px):
    probe = gate(collar_ppm=ppm, min_px=1, max_px=MAX, min_order=1, min_notional=0,
                 max_notional=MAX, max_exposure=MAX)  # fmt: skip
    probe.touch(mid, mid + 1)
    side = BUY if px <= mid else SELL
    inside = abs(2 * px - (2 * mid + 1)) * 1_000_000 <= ppm * (2 * mid + 1)
    assert probe.check(side, px, 1) == (Verdict.ALLOW if inside else Verdict.DENY_COLLAR)


@given(
    st.integers(0, 1),
    st.booleans(),
    st.tuples(st.integers(-20, 20), st.integers(-1_100_000, 1_100_000)),
    st.tuples(st.integers(0, 600_000), st.integers(0, 12), st.integers(BID - 30, ASK + 30)),
    st.tuples(st.integers(90, 110), st.integers(0, 400_000), st.integers(0, 150)),
    st.sampled_from([0, 10**10, 5 * 10**11, MAX]),
    st.sampled_from([0, 1, 500_000, 3_000_000]),
)
def test_law_what_the_engine_asks_is_the_whole_gate(
    side, is_amend, moment, opened, order, room, leverage
):
    """Where `standing` allows, the rest of the gate gives the verdict of all of it, portfolio last."""
    off, pos = moment
    rem, live, best = opened
    qty, own_rem, own_filled = order
    probe = gate(max_leverage_ppm=leverage, rate_burst=12)
    probe.moment(pos=pos, room=room)
    bests = (0, best) if side == BUY else (best, 0)
    rems = (rem, 0) if side == BUY else (0, rem)
    tops = (BID + 7, 0) if side == BUY else (0, ASK + 7)
    probe.exposure(rems, live, bests, tops, own_rem, own_filled, BID + 3)
    assert probe.standing() == Verdict.ALLOW
    weighed, judged = probe.weigh(side, BID + off, qty * 1000, is_amend)
    assert weighed == judged


def test_churn_passes_every_bid():
    assert gate(min_order=1, min_notional=0).churn(1000) == 1000
