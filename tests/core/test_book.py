"""The book room against examples, published vectors and a plain model in fractions."""

import json
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.book import BookClass, BookFault, BookProbe
from bog._core.types import Flag, RecordKind

BID, ASK = 0, 1
PX_MAX, QTY_MAX = 1 << 40, 1 << 48
VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "market-making-vectors.json").read_text()
)["values"]

Levels = list[tuple[int, int]]


UNCROSSED = st.integers(1, 50)


@st.composite
def books(draw, least=1, spread=UNCROSSED):
    """Two sides of valid levels, best first; uncrossed unless `spread` says otherwise."""
    gaps = st.lists(st.integers(1, 200), min_size=10, max_size=10)
    sizes = st.lists(
        st.one_of(st.integers(1, 5000), st.integers(1, QTY_MAX - 1)), min_size=10, max_size=10
    )
    bid = draw(st.one_of(st.integers(5000, 10**7), st.integers(5000, PX_MAX - 5000)))
    ask = bid + draw(spread)
    n_bids, n_asks = draw(st.integers(least, 10)), draw(st.integers(least, 10))
    sides: list[Levels] = []
    for start, sign, count in ((bid, -1, n_bids), (ask, 1, n_asks)):
        px, levels = start, []
        for gap, qty in zip(draw(gaps), draw(sizes), strict=True):
            levels.append((px, qty))
            px += sign * gap
        sides.append(levels[:count])
    return sides[0], sides[1]


def notional(levels: Levels) -> int:
    return sum(px * qty for px, qty in levels)


def lots(levels: Levels) -> int:
    return sum(qty for _, qty in levels)


def toward_zero(value: Fraction) -> int:
    return floor(value) if value >= 0 else -floor(-value)


# examples


def test_vector_v1_imbalance_and_weighted_mid():
    book = BookProbe([(1210436, 1500)], [(1210450, 500)])
    assert book.touch_imbalance() == VECTORS["V1"]["imbalance_ppm"] == 500000
    assert book.weighted_mid() == VECTORS["V1"]["weighted_mid_q16"] == 79327821824
    assert book.weighted_mid() / 65536 == 1210446.5


def test_vwap_of_two_levels_and_the_mid_of_vwaps():
    book = BookProbe([(100_000, 1), (99_990, 1)], [(100_010, 1), (100_020, 1)])
    assert book.vwap(BID) == 99_995 << 16
    assert book.vwap(ASK) == 100_015 << 16
    assert book.vwap_mid() == 100_005 << 16
    assert book.vwap(BID, 1) == 100_000 << 16
    assert book.notional(BID) == 199_990


def test_imbalance_of_seventy_against_thirty():
    assert BookProbe([(100, 70)], [(101, 30)]).imbalance() == 40
    assert BookProbe([(100, 30)], [(101, 70)]).imbalance() == -40
    assert BookProbe([(100, 1)], []).imbalance() == 100
    assert BookProbe([], [(100, 1)]).imbalance() == -100
    assert BookProbe().imbalance() == 0
    assert BookProbe().touch_imbalance() == 0


def test_imbalance_counts_only_the_levels_asked_for():
    book = BookProbe([(100, 70), (99, 1000)], [(101, 30)])
    assert book.imbalance(1) == 40
    assert book.imbalance(2) == (1070 - 30) * 100 // 1100


@pytest.mark.parametrize(
    ("bids", "asks", "state"),
    [
        ([], [], BookClass.BOOK_EMPTY),
        ([(100, 1)], [], BookClass.BOOK_BID_ONLY),
        ([], [(100, 1)], BookClass.BOOK_ASK_ONLY),
        ([(100, 1)], [(101, 1)], BookClass.BOOK_NORMAL),
        ([(100, 1)], [(100, 1)], BookClass.BOOK_LOCKED),
        ([(101, 1)], [(100, 1)], BookClass.BOOK_CROSSED),
    ],
)
def test_classification_of_every_touch(bids, asks, state):
    assert BookProbe(bids, asks).classify() == state


def test_spread_in_ticks_and_ppm():
    book = BookProbe([(999_950, 1)], [(1_000_050, 1)])
    assert book.mid2() == 2_000_000
    assert book.spread() == 100
    assert book.spread_ppm() == 100
    assert not book.spread_above(100)
    assert book.spread_above(99)


def test_an_empty_side_has_no_mid_and_an_endless_spread():
    for book in (BookProbe([(100, 1)], []), BookProbe([], [(100, 1)]), BookProbe()):
        assert book.mid2() == 0
        assert book.spread() == PX_MAX
        assert book.spread_ppm() == -1
        assert book.spread_above(1_000_000)
        assert book.microprice() == 0
        assert book.weighted_mid() == 0
        assert book.vwap_mid() == 0
        assert book.depth_ppm(BID, 1_000_000) == 0


def test_depth_within_ticks_of_the_best_and_within_ppm_of_the_mid():
    book = BookProbe([(9990, 5), (9980, 7), (9900, 11)], [(10010, 2), (10020, 3), (10100, 4)])
    assert [book.depth_ticks(BID, t) for t in (0, 9, 10, 90)] == [5, 5, 12, 23]
    assert [book.depth_ticks(ASK, t) for t in (0, 9, 10, 90)] == [2, 2, 5, 9]
    assert [book.depth_ppm(BID, p) for p in (999, 1000, 1999, 2000, 10_000)] == [0, 5, 5, 12, 23]
    assert [book.depth_ppm(ASK, p) for p in (999, 1000, 1999, 2000, 10_000)] == [0, 2, 2, 5, 9]


def test_sweep_tells_cost_average_and_slippage():
    book = BookProbe([(1000, 50), (999, 80)], [(1003, 40), (1004, 60)])
    assert book.sweep(ASK, 60) == {
        "filled": 60,
        "levels": 2,
        "best": 1003,
        "worst": 1004,
        "cost": 40 * 1003 + 20 * 1004,
        "slippage": 20,
        "price": ((40 * 1003 + 20 * 1004) << 16) // 60,
    }
    sale = book.sweep(BID, 500)
    assert (sale["filled"], sale["levels"], sale["slippage"]) == (130, 2, 80)
    assert book.sweep(BID, 50)["levels"] == 1
    assert book.sweep(BID, 0)["filled"] == 0
    assert BookProbe().sweep(ASK, 10)["price"] == 0


def test_microprice_of_the_style_guide():
    # the heavier bid pushes the price up: 1000 + 4 * 30 / 40
    assert BookProbe([(1000, 30)], [(1004, 10)]).microprice() == 1003 * 256
    assert BookProbe([(1000, 30)], [(1000, 10)]).microprice() == 0
    assert BookProbe([(1001, 30)], [(1000, 10)]).microprice() == 0


def test_queue_ahead_is_what_others_display():
    bids = [(1000 - 2 * i, 10 + i) for i in range(10)]
    asks = [(1003 + 2 * i, 20 + i) for i in range(10)]
    book = BookProbe(bids, asks)
    assert book.queue_ahead(BID, 1000) == 10
    assert book.queue_ahead(BID, 1000, own=4) == 6
    assert book.queue_ahead(BID, 1000, own=40) == 0
    assert book.queue_ahead(BID, 1001) == 0
    assert book.queue_ahead(BID, 999) == 0
    assert book.queue_ahead(BID, 982) == 19
    assert book.queue_ahead(BID, 981) == -1
    assert book.queue_ahead(ASK, 1003) == 20
    assert book.queue_ahead(ASK, 1004) == 0
    assert book.queue_ahead(ASK, 1021) == 29
    assert book.queue_ahead(ASK, 1022) == -1


def test_queue_ahead_behind_a_short_book_is_nobody_unless_the_book_is_partial():
    assert BookProbe([(1000, 5)], []).queue_ahead(BID, 900) == 0
    assert BookProbe([(1000, 5)], [], flags=Flag.F_PARTIAL).queue_ahead(BID, 900) == -1


GOOD = ([(100, 1), (99, 2)], [(101, 1), (102, 2)])


@pytest.mark.parametrize(
    ("bids", "asks", "fault"),
    [
        (*GOOD, BookFault.BOOK_SOUND),
        ([], [], BookFault.BOOK_SOUND),
        ([(101, 1)], [(100, 1)], BookFault.BOOK_SOUND),
        ([(0, 1)], [], BookFault.BOOK_BAD_PX),
        ([(-5, 1)], [], BookFault.BOOK_BAD_PX),
        ([(PX_MAX - 1, 1)], [], BookFault.BOOK_SOUND),
        ([(PX_MAX, 1)], [], BookFault.BOOK_BAD_PX),
        ([], [(PX_MAX, 1)], BookFault.BOOK_BAD_PX),
        ([(100, 0)], [], BookFault.BOOK_BAD_QTY),
        ([], [(100, -1)], BookFault.BOOK_BAD_QTY),
        ([(100, QTY_MAX - 1)], [], BookFault.BOOK_SOUND),
        ([(100, QTY_MAX)], [], BookFault.BOOK_BAD_QTY),
        ([(99, 1), (100, 1)], [], BookFault.BOOK_BAD_ORDER),
        ([(100, 1), (100, 1)], [], BookFault.BOOK_BAD_ORDER),
        ([], [(102, 1), (101, 1)], BookFault.BOOK_BAD_ORDER),
        ([], [(101, 1), (101, 1)], BookFault.BOOK_BAD_ORDER),
    ],
)
def test_check_names_the_fault(bids, asks, fault):
    assert BookProbe(bids, asks).check() == fault


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("kind", RecordKind.REC_TRADE, BookFault.BOOK_BAD_KIND),
        ("kind", 0, BookFault.BOOK_BAD_KIND),
        ("n_bids", 11, BookFault.BOOK_BAD_COUNT),
        ("n_bids", 255, BookFault.BOOK_BAD_COUNT),
        ("n_asks", 11, BookFault.BOOK_BAD_COUNT),
        ("n_bids", 1, BookFault.BOOK_BAD_COUNT),
        ("n_bids", 3, BookFault.BOOK_BAD_PX),
        ("n_asks", 1, BookFault.BOOK_BAD_COUNT),
        ("bid", 98, BookFault.BOOK_BAD_TOUCH),
        ("bid_qty", 5, BookFault.BOOK_BAD_TOUCH),
        ("ask", 103, BookFault.BOOK_BAD_TOUCH),
        ("ask_qty", 5, BookFault.BOOK_BAD_TOUCH),
    ],
)
def test_check_names_the_fault_of_a_broken_header(field, value, fault):
    book = BookProbe(*GOOD)
    book.corrupt(field, value)
    assert book.check() == fault


def plain_fault(bids: Levels, asks: Levels) -> BookFault:
    """Say what check says, level by level."""
    for levels, sign in ((bids, -1), (asks, 1)):
        before = None
        for px, qty in levels:
            if not 0 < px < PX_MAX:
                return BookFault.BOOK_BAD_PX
            if not 0 < qty < QTY_MAX:
                return BookFault.BOOK_BAD_QTY
            if before is not None and (px - before) * sign <= 0:
                return BookFault.BOOK_BAD_ORDER
            before = px
    return BookFault.BOOK_SOUND


EDGES = st.sampled_from(
    [-(2**63), -1, 0, 1, QTY_MAX - 1, QTY_MAX, PX_MAX - 1, PX_MAX, 2**41, 2**49, 2**62, 2**63 - 1]
)


@given(books(least=10), st.integers(0, 1), st.integers(0, 9), st.booleans(), st.data())
def test_law_one_bad_number_anywhere_in_a_full_book_is_found(book, side, level, price, data):
    """Ten levels a side are checked with vectors: no lane of them may be blind."""
    assert BookProbe(*book).check() == BookFault.BOOK_SOUND
    px, qty = book[side][level]
    near = st.sampled_from([other + step for other, _ in book[side] for step in (-1, 0, 1)])
    if price:
        px = data.draw(st.one_of(EDGES, near))
    else:
        qty = data.draw(EDGES)
    book[side][level] = (px, qty)
    assert BookProbe(*book).check() == plain_fault(*book)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        *((field, 77, BookFault.BOOK_BAD_TOUCH) for field in ("bid", "bid_qty", "ask", "ask_qty")),
        *((field, 9, BookFault.BOOK_BAD_COUNT) for field in ("n_bids", "n_asks")),
        *((field, 11, BookFault.BOOK_BAD_COUNT) for field in ("n_bids", "n_asks")),
        ("kind", RecordKind.REC_STATS, BookFault.BOOK_BAD_KIND),
    ],
)
def test_a_full_book_with_a_broken_header_is_found(field, value, fault):
    book = BookProbe([(100 - i, 5 + i) for i in range(10)], [(101 + i, 5 + i) for i in range(10)])
    assert book.check() == BookFault.BOOK_SOUND
    book.corrupt(field, value)
    assert book.check() == fault


def test_a_count_past_ten_reads_no_memory_past_the_record():
    book = BookProbe([(100 - i, 1) for i in range(10)], [])
    book.corrupt("n_bids", 255)
    assert book.qty(BID, 255) == 10


def test_same_touch_looks_at_prices_and_sizes_of_the_touch_only():
    first = BookProbe(*GOOD)
    assert first.same_touch(BookProbe([(100, 1), (98, 7)], [(101, 1)]))
    for bids, asks in (
        ([(99, 1)], GOOD[1]),
        ([(100, 2)], GOOD[1]),
        (GOOD[0], [(102, 1)]),
        (GOOD[0], [(101, 2)]),
    ):
        assert not first.same_touch(BookProbe(bids, asks))


def test_the_probe_refuses_what_it_cannot_hold():
    with pytest.raises(ValueError, match="more than 10"):
        BookProbe([(1, 1)] * 11, [])
    with pytest.raises(ValueError, match="neither 0"):
        BookProbe().vwap(2)
    with pytest.raises(ValueError, match="not a field"):
        BookProbe().corrupt("n_bid", 1)
    with pytest.raises(ValueError, match="not one of"):
        BookProbe().repeat("everything", 1)


# laws


@given(books())
def test_law_microprice_stays_inside_the_touch(sides):
    bids, asks = sides
    micro = BookProbe(bids, asks).microprice()
    assert 256 * bids[0][0] <= micro < 256 * asks[0][0]


@given(books())
def test_law_microprice_is_the_formula_rounded_down(sides):
    bids, asks = sides
    (bid, bid_qty), (ask, ask_qty) = bids[0], asks[0]
    whole = 256 * bid + Fraction(256 * (ask - bid) * bid_qty, bid_qty + ask_qty)
    assert BookProbe(bids, asks).microprice() == floor(whole)


@given(books(spread=st.integers(-40, 50)))
def test_law_valid_books_pass_whatever_their_touch(sides):
    bids, asks = sides
    book = BookProbe(bids, asks)
    assert book.check() == BookFault.BOOK_SOUND
    gap = asks[0][0] - bids[0][0]
    expected = (
        BookClass.BOOK_NORMAL
        if gap > 0
        else BookClass.BOOK_LOCKED
        if gap == 0
        else BookClass.BOOK_CROSSED
    )
    assert book.classify() == expected
    assert book.spread() == gap


@given(books(least=0), st.integers(0, 12))
def test_law_sums_equal_the_plain_model(sides, levels):
    book = BookProbe(*sides)
    for side in (BID, ASK):
        part = sides[side][:levels]
        assert book.qty(side, levels) == lots(part)
        assert book.notional(side, levels) == notional(part)
        vwap = Fraction(notional(part) << 16, lots(part)) if part else 0
        assert book.vwap(side, levels) == floor(vwap)
    both = [
        floor(Fraction(notional(s[:levels]) << 16, lots(s[:levels]))) for s in sides if s[:levels]
    ]
    assert book.vwap_mid(levels) == (sum(both) // 2 if len(both) == 2 else 0)
    bids, asks = (lots(s[:levels]) for s in sides)
    expected = toward_zero(Fraction((bids - asks) * 100, bids + asks)) if bids + asks else 0
    assert book.imbalance(levels) == expected


@given(books())
def test_law_touch_figures_equal_the_plain_model_and_mirror(sides):
    (bid, bid_qty), (ask, ask_qty) = sides[0][0], sides[1][0]
    book = BookProbe(*sides)
    exact = Fraction((bid_qty - ask_qty) * 10**6, bid_qty + ask_qty)
    assert book.touch_imbalance() == toward_zero(exact)
    mirrored = BookProbe([(bid, ask_qty)], [(ask, bid_qty)])
    assert mirrored.touch_imbalance() == -book.touch_imbalance()
    weighted = Fraction((bid * ask_qty + ask * bid_qty) << 16, bid_qty + ask_qty)
    assert book.weighted_mid() == floor(weighted)
    assert book.spread_ppm() == (ask - bid) * 2 * 10**6 // (bid + ask)


@given(books(spread=st.integers(1, 500)), st.integers(0, 2000))
def test_law_spread_above_equals_the_division(sides, ppm):
    (bid, _), (ask, _) = sides[0][0], sides[1][0]
    exact = Fraction(ask - bid) / Fraction(bid + ask, 2) * 10**6
    assert BookProbe(*sides).spread_above(ppm) == (exact > ppm)
    # and at the boundary itself
    assert BookProbe(*sides).spread_above(floor(exact)) == (exact > floor(exact))


@given(books(), st.integers(0, 2500), st.integers(0, 10**6))
def test_law_depth_equals_the_plain_model(sides, ticks, ppm):
    book = BookProbe(*sides)
    mid = Fraction(sides[0][0][0] + sides[1][0][0], 2)
    for side in (BID, ASK):
        best = sides[side][0][0]
        near = [(px, qty) for px, qty in sides[side] if abs(px - best) <= ticks]
        assert book.depth_ticks(side, ticks) == lots(near)
        near = [(px, qty) for px, qty in sides[side] if abs(px - mid) * 10**6 <= ppm * mid]
        assert book.depth_ppm(side, ppm) == lots(near)


@given(books(least=0), st.integers(0, 1), st.integers(0, 20_000))
def test_law_sweep_equals_taking_one_level_after_the_other(sides, side, qty):
    left, cost, touched = qty, 0, []
    for px, here in sides[side]:
        if left == 0:
            break
        taken = min(left, here)
        cost, left = cost + px * taken, left - taken
        touched.append(px)
    filled = qty - left
    out = BookProbe(*sides).sweep(side, qty)
    assert (out["filled"], out["levels"], out["cost"]) == (filled, len(touched), cost)
    assert (out["best"], out["worst"]) == ((touched[0], touched[-1]) if touched else (0, 0))
    assert out["slippage"] == (abs(cost - touched[0] * filled) if touched else 0)
    assert out["price"] == ((cost << 16) // filled if filled else 0)


@given(books(), st.integers(0, 1), st.integers(-3, 2200), st.integers(0, 5000), st.booleans())
def test_law_queue_ahead_equals_the_plain_model(sides, side, away, own, partial):
    levels = sides[side]
    px = levels[0][0] - away if side == BID else levels[0][0] + away
    shown = dict(levels)
    inside = px >= levels[-1][0] if side == BID else px <= levels[-1][0]
    unknown = not inside and (len(levels) == 10 or partial)
    expected = -1 if unknown else max(0, shown[px] - own) if px in shown else 0
    book = BookProbe(*sides, flags=int(Flag.F_PARTIAL) if partial else 0)
    assert book.queue_ahead(side, px, own) == expected


@pytest.mark.parametrize("room", ["book", "strategy", "record"])
def test_every_verb_is_compiled_without_python(room):
    """`noexcept nogil` makes the compiler refuse any Python operation inside."""
    core = Path(__file__).parent.parent.parent / "bog" / "_core"
    text = (core / f"{room}.pxd").read_text()
    heads = [part.split('"""', 1)[0] for part in text.split("\ncdef inline ")[1:]]
    assert len(heads) >= 4
    for head in heads:
        assert head.rstrip().endswith("noexcept nogil:"), head
        assert "object" not in head and "float" not in head and "double" not in head
