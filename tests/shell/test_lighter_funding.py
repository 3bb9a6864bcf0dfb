"""Funding payments: each is told to its engine once, oldest first, over pages and restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.types import ReportKind
from bog.lighter.fate import Report
from bog.lighter.funding import HOUR_MS, Funding
from bog.lighter.rows import FundingRow, RowError, Scale

BTC, ETH = 1_000_001, 1_000_000
SCALES = {BTC: Scale(1, 1, 5), ETH: Scale(0, 2, 4)}
T0 = 1_790_000_000 // 3600 * 3600  # a full hour, s


def row(second: int, change: str = "-0.010000", market: int = 1) -> FundingRow:
    return FundingRow(second, market, change)


def told(reports: list[Report]) -> list[tuple[int, int, int]]:
    assert all(r.kind == ReportKind.REP_FUNDING and not r.order_id for r in reports)
    return [(r.market, r.venue_id, r.fee) for r in reports]


def ask(funding: Funding, rows: list[FundingRow], now_ms: int = T0 * 1000) -> list[Report]:
    assert funding.page(rows, "", SCALES)
    return funding.reports(now_ms, SCALES)


def test_an_engine_that_has_booked_none_begins_now() -> None:
    funding = Funding({BTC: 0, ETH: T0 - 3600})
    assert told(funding.begin(T0 * 1000 + 5)) == [(BTC, T0, 0)]
    news = ask(funding, [row(T0), row(T0, market=0), row(T0 - 3600), row(T0 - 3600, market=0)])
    assert told(news) == [(ETH, T0, 10_000)], "what was paid before an engine began is not its own"


def test_a_payment_received_is_negative_and_a_market_of_others_is_passed_over() -> None:
    news = ask(Funding({BTC: 1, ETH: 1}), [row(T0, "1.500000"), row(T0, "-9.000000", market=7)])
    assert told(news) == [(BTC, T0, -1_500_000)]


@pytest.mark.parametrize(
    ("change", "paid"), [("-0.000001", 1), ("-0.000011", 2), ("0.000019", -1), ("0.000010", -1)]
)
def test_a_fraction_of_a_quantum_counts_against_us(change: str, paid: int) -> None:
    coarse = {BTC: Scale(1, 1, 4)}  # a quantum is ten millionths
    funding = Funding({BTC: 1})
    assert funding.page([row(T0, change)], "", coarse)
    assert [r.fee for r in funding.reports(T0 * 1000, coarse)] == [paid]


def test_it_is_asked_for_at_the_start_and_thrice_after_each_full_hour() -> None:
    funding, now, asked = Funding({BTC: T0}), T0 * 1000 + 1, []
    while now < (T0 + 2 * 3600) * 1000:
        if now >= funding.due_ms:
            asked.append(now // 1000 - T0)
            ask(funding, [], now)
        now += 1000
    assert asked == [0, 5, 60, 600, 3605, 3660, 4200]
    assert funding.due_ms - now <= HOUR_MS


def test_an_amount_that_is_none_is_refused_and_nothing_is_told() -> None:
    funding = Funding({BTC: 1, ETH: 1})
    assert funding.page([row(T0, "lots")], "", SCALES)
    with pytest.raises(RowError, match="change"):
        funding.reports(T0 * 1000, SCALES)


def test_pages_without_end_are_an_error_and_leave_nothing_half_read() -> None:
    funding = Funding({BTC: 1})
    with pytest.raises(RowError, match="more than 500 pages"):
        for _ in range(501):
            funding.page([row(T0)], "more", SCALES)
    assert told(ask(funding, [row(T0)])) == [(BTC, T0, 10_000)]


HOURS = st.lists(st.tuples(st.integers(1, 200), st.sampled_from((0, 1)), st.integers(-(10**9), 10**9)),
                 unique_by=lambda one: one[:2], max_size=40)  # fmt: skip


@given(HOURS, st.integers(1, 9), st.lists(st.integers(1, 200), max_size=4))
def test_law_each_payment_is_told_once_whatever_the_pages_and_restarts(
    hours: list[tuple[int, int, int]], page: int, looks: list[int]
) -> None:
    rows = [row(T0 + 3600 * h, f"{-paid / 1e6:.6f}", market) for h, market, paid in hours]
    rows.sort(key=lambda one: -one.timestamp)
    funding = Funding({BTC: T0, ETH: T0})
    news: list[Report] = []
    for last in [*sorted(looks), 200]:
        there = [one for one in rows if one.timestamp <= T0 + 3600 * last]
        at, whole = 0, False
        while not whole:
            found = there[at : at + page]
            at += page
            whole = funding.page(found, str(at) if at < len(there) else "", SCALES)
        news += funding.reports(T0 * 1000, SCALES)
        funding = Funding(funding.booked)  # a gateway after it, told what the engine has booked
    raw = {1: BTC, 0: ETH}
    wanted = sorted((raw[market], T0 + 3600 * h, paid) for h, market, paid in hours)
    assert sorted(told(news)) == wanted
    for market in (BTC, ETH):
        seconds = [r.venue_id for r in news if r.market == market]
        assert seconds == sorted(seconds)
