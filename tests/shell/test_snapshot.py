"""A book as text: exact in every format, and plain about what is not there."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bog import config, sight, snapshot
from tests.shell.factory import book


def test_the_ladder_has_asks_above_bids_and_adds_sizes_up() -> None:
    lines = snapshot.pretty(book()).splitlines()
    assert lines == [
        "market 1  sequence 123456  2026-01-31T12:00:00.123Z  age 12 ms",
        "             price          size         total",
        "ask          100.6       0.00300       0.00500  ████████████████████",
        "ask          100.3       0.00200       0.00200  █████████████▎",
        "mid         100.15  spread 0.3 USD  29.9551 bps",
        "bid          100.0       0.00150       0.00150  ██████████",
        "bid           99.9       0.00001       0.00151  ▏",
        "imbalance -53.6 %  bids 0.00151 on 2 of 7 levels  asks 0.00500 on 2 of 9 levels",
    ]


def test_the_line_names_the_touch() -> None:
    assert snapshot.compact(book()) == (
        "market 1 seq 123456 bid 100.0 x 0.00150 ask 100.3 x 0.00200 mid 100.15 "
        "spread 0.3 USD  29.9551 bps imbalance -53.6 % age 12 ms"
    )


def test_json_has_the_keys_and_no_rounding() -> None:
    said = json.loads(snapshot.as_json(book()), parse_float=Decimal)
    assert said == {
        "market_id": 1, "sequence": 123456, "epoch": 3,
        "timestamps": {"exchange_ns": 1_769_860_800_100_000_000,
                       "received_ns": 1_769_860_800_123_456_789,
                       "read_ns": 1_769_860_800_200_000_000},
        "age_ms": Decimal("12.345"), "book_age_ms": Decimal("76.543"),
        "mid_price": Decimal("100.15"), "spread": Decimal("0.3"),
        "spread_bps": Decimal("29.9551"), "imbalance": Decimal("-53.6"),
        "bids": [{"price": Decimal("100.0"), "size": Decimal("0.00150")},
                 {"price": Decimal("99.9"), "size": Decimal("0.00001")}],
        "asks": [{"price": Decimal("100.3"), "size": Decimal("0.00200")},
                 {"price": Decimal("100.6"), "size": Decimal("0.00300")}],
    }  # fmt: skip


def test_a_side_that_is_empty_is_said_and_is_null_in_json() -> None:
    one = book(asks=())
    assert "no asks" in snapshot.pretty(one)
    assert "ask -" in snapshot.compact(one)
    said = json.loads(snapshot.as_json(one))
    assert said["mid_price"] is said["spread"] is said["spread_bps"] is None
    assert (said["imbalance"], said["asks"]) == (100.0, [])


def test_a_crossed_book_is_called_crossed() -> None:
    assert "CROSSED" in snapshot.compact(book(asks=((999, 1),)))
    assert json.loads(snapshot.as_json(book(asks=((999, 1),))))["spread"] == -0.1


@given(st.integers(1, 2**40 - 2), st.integers(1, 2**40), st.integers(1, 2**48), st.integers(0, 9))
def test_law_json_gives_back_every_tick_and_lot(px: int, more: int, qty: int, scale: int) -> None:
    one = book(bids=((px, qty),), asks=((px + more, qty),), price_decimals=scale,
               size_decimals=scale)  # fmt: skip
    said = json.loads(snapshot.as_json(one), parse_float=Decimal)
    assert said["bids"][0]["price"] * 10**scale == px
    assert said["asks"][0]["size"] * 10**scale == qty
    assert said["mid_price"] * 2 * 10**scale == 2 * px + more
    exact = Decimal(more) * 20_000 / (2 * px + more)
    assert abs(said["spread_bps"] - exact) <= Decimal("0.00005")


@given(st.integers(0, 2**48), st.integers(1, 2**48), st.integers(1, 40))
def test_law_a_bar_fits_and_grows_with_the_size(qty: int, most: int, width: int) -> None:
    drawn = snapshot.bar(min(qty, most), most, width)
    assert len(drawn) <= width
    assert bool(drawn) == (qty > 0)
    assert (drawn == "█" * width) == (min(qty, most) == most)


def test_a_feed_is_stale_for_people_when_it_is_stale_for_the_bot() -> None:
    assert config.load(environ={}).risk.stale_after_ms == sight.STALE_MS
