"""simple_spread against published vectors, acceptance cases and a model in fractions."""

import json
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bog._core.strategy import Move, Quiet, StrategyProbe, floor_ratio
from bog._core.types import OrderState, RecordKind

BID, ASK = 0, 1
MS = 1_000_000
NEVER = (1 << 63) - 1
VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "market-making-vectors.json").read_text()
)["values"]
BOOK = ([(1210436, 1500)], [(1210450, 500)])


def quoting(bids=BOOK[0], asks=BOOK[1], **params):
    """A strategy with plenty of inventory room, looking at one book."""
    probe = StrategyProbe(**{"order_qty": 100, "max_pos": 100_000, **params})
    probe.book(bids, asks)
    return probe


def prices(quote):
    return [quote["bid_px"], quote["ask_px"]]


# published vectors


def test_vector_v5_five_bps():
    assert prices(quoting(half_ppm=500).quote()) == VECTORS["V5"] == [1209837, 1211049]


def test_vector_v6_two_ppm():
    assert prices(quoting(half_ppm=2).quote()) == VECTORS["V6"] == [1210440, 1210446]


def test_vector_v7_no_spread_of_ours_stays_inside_the_touch():
    probe = quoting([(1210436, 1)], [(1210437, 1)], half_ppm=0)
    assert prices(probe.quote()) == VECTORS["V7"] == [1210436, 1210437]


def test_vector_v8_skew():
    half_full = quoting(half_ppm=500, skew_ppm=300).quote(50_000)
    assert prices(half_full) == VECTORS["V8"][0] == [1209656, 1210867]
    full_short = quoting(half_ppm=500, skew_ppm=300).quote(-100_000)
    assert full_short["bid_px"] == VECTORS["V8"][1][0] == 1210200
    # at the limit the growing side stops, so its price is read at half the inventory and twice
    # the skew, which is the same reservation price
    same = quoting(half_ppm=500, skew_ppm=600).quote(-50_000)
    assert prices(same) == VECTORS["V8"][1] == [1210200, 1211412]


def test_vector_v13_fee_floor():
    floors = [
        quoting(maker_ppm=maker, edge_ppm=edge).quote()["floor_ticks"]
        for maker, edge in ((0, 0), (28, 0), (40, 0), (40, 10), (0, 10))
    ]
    assert floors == VECTORS["V13"] == [0, 34, 49, 61, 13]


def test_vector_v16_persistence():
    probe = quoting(requote_ticks=6)
    probe.order(0, BID, 1209831, 100)
    moved = []
    for px in (1209836, 1209837, 1209825, 1209826):
        probe.want(BID, px, 100, fair2=2 * 1210443)
        moved.append(probe.moves(0) == Move.MOVE_PRICE)
    assert moved == VECTORS["V16"] == [False, True, True, False]


# acceptance: strategy


def test_mid_50005_at_ten_bps_of_spread():
    # ticks of 1e-4: mid 50005, half spread 5 bps
    probe = quoting([(500_040_000, 1)], [(500_060_000, 1)], half_ppm=500)
    assert prices(probe.quote()) == [499_799_975, 500_300_025]


def test_long_lowers_both_sides_and_short_raises_both():
    probe = quoting(half_ppm=500, skew_ppm=300)
    flat, long, short = (prices(probe.quote(pos)) for pos in (0, 40_000, -40_000))
    assert long[0] < flat[0] < short[0]
    assert long[1] < flat[1] < short[1]


def test_skew_is_full_at_the_limit_and_not_more_beyond():
    probe = quoting(half_ppm=500, skew_ppm=300)
    assert probe.quote(100_000)["ask_px"] == probe.quote(250_000)["ask_px"]
    assert probe.quote(-100_000)["bid_px"] == probe.quote(-250_000)["bid_px"]


def test_a_quote_skewed_onto_the_other_side_stays_a_tick_away_from_it():
    # mid 1001 and 1500 ppm of skew: r is 1002.5 when short and 999.5 when long
    probe = quoting([(1000, 5)], [(1002, 5)], half_ppm=0, skew_ppm=1500)
    assert probe.quote(-100_000)["bid_px"] == 1001
    assert probe.quote(100_000)["ask_px"] == 1001


def test_a_fill_leaves_a_remainder_that_is_quoted_anew_past_a_quarter():
    probe = quoting(half_ppm=500)
    quote = probe.quote()
    moves = []
    for filled in (24, 25, 26):
        state = OrderState.ORDER_PARTIAL
        probe.order(0, BID, quote["bid_px"], 100, filled=filled, state=state)
        moves.append(probe.moves(0))
    assert moves == [Move.MOVE_KEEP, Move.MOVE_KEEP, Move.MOVE_RESIZE]


def test_a_resting_size_too_large_is_resized_past_a_quarter():
    probe = quoting(half_ppm=500)
    px = probe.quote()["ask_px"]
    probe.order(0, ASK, px, 125)
    assert probe.moves(0) == Move.MOVE_KEEP
    probe.order(0, ASK, px, 126)
    assert probe.moves(0) == Move.MOVE_RESIZE


def test_a_remainder_below_the_minimum_order_is_quoted_anew():
    probe = quoting(half_ppm=500, min_order=90)
    px = probe.quote()["bid_px"]
    for filled, move in ((10, Move.MOVE_KEEP), (11, Move.MOVE_RESIZE)):
        probe.order(0, BID, px, 100, filled=filled, state=OrderState.ORDER_PARTIAL)
        assert probe.moves(0) == move


def test_age_alone_never_moves_an_order():
    probe = quoting(half_ppm=500)
    probe.order(0, BID, probe.quote()["bid_px"], 100)
    assert probe.moves(0, now=NEVER - 1) == Move.MOVE_KEEP


def test_an_order_is_renewed_when_its_expiry_is_nearer_than_the_margin():
    probe = quoting(half_ppm=500, expiry_margin_ns=60_000 * MS)
    probe.order(0, BID, probe.quote()["bid_px"], 100, expiry_ns=100_000 * MS)
    assert probe.moves(0, now=40_000 * MS) == Move.MOVE_KEEP
    assert probe.moves(0, now=40_000 * MS + 1) == Move.MOVE_RENEW


def test_interval_skips_99_ms_and_sends_at_100_ms():
    probe = quoting(min_interval_ns=100 * MS)
    start = 7_000 * MS
    assert not probe.paced(start, start + 99 * MS)
    assert probe.paced(start, start + 100 * MS)
    assert probe.paced(-NEVER // 2, 0)


@pytest.mark.parametrize("pos", [100_000, 100_001, 250_000])
def test_at_the_limit_only_the_reducing_side_is_quoted(pos):
    probe = quoting(half_ppm=500)
    long, short = probe.quote(pos), probe.quote(-pos)
    assert (long["bid_px"], long["bid_qty"], long["ask_qty"]) == (0, 0, 100)
    assert (short["ask_px"], short["ask_qty"], short["bid_qty"]) == (0, 0, 100)
    assert long["why"] == (Quiet.QUIET_INVENTORY, Quiet.QUIET_NONE)
    assert short["why"] == (Quiet.QUIET_NONE, Quiet.QUIET_INVENTORY)


def test_the_growing_side_is_cut_to_the_room_that_is_left():
    probe = quoting(half_ppm=500, min_order=10)
    assert probe.quote(99_960)["bid_qty"] == 40
    assert probe.quote(99_990)["bid_qty"] == 10
    assert probe.quote(99_991)["why"][BID] == Quiet.QUIET_INVENTORY
    assert probe.quote(-99_960)["ask_qty"] == 40


def test_no_room_for_inventory_means_no_quote_at_all():
    quote = quoting(half_ppm=500, max_pos=0).quote()
    assert quote["why"] == (Quiet.QUIET_INVENTORY, Quiet.QUIET_INVENTORY)


def test_a_market_too_tight_or_too_wide_is_not_quoted_and_old_quotes_are_pulled():
    # spread 100 ticks around 1_000_000: exactly 100 ppm
    book = ([(999_950, 9)], [(1_000_050, 9)])
    for limits, why in (
        ({"min_spread_ppm": 100, "max_spread_ppm": 100}, Quiet.QUIET_NONE),
        ({"min_spread_ppm": 101}, Quiet.QUIET_SPREAD_MIN),
        ({"max_spread_ppm": 99}, Quiet.QUIET_SPREAD_MAX),
    ):
        probe = quoting(*book, half_ppm=500, **limits)
        quote = probe.quote()
        assert quote["why"] == (why, why)
        probe.order(0, BID, 999_450, 100)
        probe.order(1, ASK, 1_000_550, 100)
        expected = Move.MOVE_KEEP if why == Quiet.QUIET_NONE else Move.MOVE_PULL
        assert [probe.moves(0), probe.moves(1)] == [expected, expected]


@pytest.mark.parametrize("ask", [1210436, 1210435])
def test_a_locked_or_crossed_book_is_not_quoted(ask):
    quote = quoting(asks=[(ask, 500)], half_ppm=500).quote()
    assert quote["why"] == (Quiet.QUIET_CROSSED, Quiet.QUIET_CROSSED)
    assert quote["bid_qty"] == quote["ask_qty"] == 0


def test_the_missing_side_of_a_book_is_not_quoted():
    quote = quoting(asks=[], half_ppm=500).quote()
    assert quote["why"] == (Quiet.QUIET_NONE, Quiet.QUIET_ONE_SIDED)
    assert quote["ask_qty"] == 0
    assert quote["bid_px"] == floor(1210436 * (1 - Fraction(500, 10**6)))
    quote = quoting(bids=[], half_ppm=500).quote()
    assert quote["why"] == (Quiet.QUIET_ONE_SIDED, Quiet.QUIET_NONE)
    assert quote["ask_px"] == ceil(1210450 * (1 + Fraction(500, 10**6)))


def test_an_empty_book_or_another_record_is_not_quoted():
    nothing = (Quiet.QUIET_NO_BOOK, Quiet.QUIET_NO_BOOK)
    assert quoting([], [], half_ppm=500).quote()["why"] == nothing
    probe = quoting(half_ppm=500)
    probe.book(*BOOK, kind=RecordKind.REC_TRADE)
    assert probe.quote()["why"] == nothing


def test_validation_thresholds_hold_at_their_boundary():
    for params, why in (
        ({"min_valid_px": 1210436, "max_valid_px": 1210450}, Quiet.QUIET_NONE),
        ({"min_valid_px": 1210437}, Quiet.QUIET_PRICE_RANGE),
        ({"max_valid_px": 1210449}, Quiet.QUIET_PRICE_RANGE),
        ({"min_touch_qty": 500}, Quiet.QUIET_NONE),
        ({"min_touch_qty": 501}, Quiet.QUIET_THIN),
    ):
        assert quoting(half_ppm=500, **params).quote()["why"] == (why, why)
    # a bid so far below that no price is left
    quote = quoting([(1, 5)], [(3, 5)], half_ppm=900_000).quote()
    assert quote["why"] == (Quiet.QUIET_PRICE_RANGE, Quiet.QUIET_NONE)


def test_no_spread_at_all_on_a_whole_mid_never_meets_itself():
    quote = quoting([(10, 5)], [(12, 5)], half_ppm=0).quote()
    assert prices(quote) == [10, 12]


def test_fee_floor_widens_a_narrow_spread():
    quote = quoting(half_ppm=2, maker_ppm=40).quote()
    assert quote["floor_ticks"] == quote["half_ticks"] == 49
    assert prices(quote) == [1210443 - 49, 1210443 + 49]


def test_a_wrong_side_order_moves_at_once_although_it_is_near():
    # fair 1000, floor 5: a bid of ours may stand at 995 and not at 996
    for side, good, bad, want in ((BID, 995, 996, 994), (ASK, 1005, 1004, 1006)):
        probe = quoting(requote_ticks=50)
        probe.want(side, want, 100, fair2=2000, floor_ticks=5)
        probe.order(0, side, good, 100)
        assert probe.moves(0) == Move.MOVE_KEEP
        probe.order(0, side, bad, 100)
        assert probe.moves(0) == Move.MOVE_WRONG_SIDE


def test_an_order_nearer_than_the_floor_stays_when_we_want_it_nearer_still():
    # a short position skews the bid past fair less the floor: to pull it back would help nobody
    probe = quoting(requote_ticks=50)
    probe.want(BID, 997, 100, fair2=2000, floor_ticks=5)
    probe.order(0, BID, 996, 100)
    assert probe.moves(0) == Move.MOVE_KEEP


def test_default_threshold_is_a_quarter_of_the_half_spread_at_least_two():
    probe = StrategyProbe()
    for half, threshold in ((0, 2), (11, 2), (12, 3), (606, 151)):
        probe.want(BID, 1, 1, half_ticks=half)
        assert probe.threshold() == threshold
    probe.configure(requote_ticks=1)
    assert probe.threshold() == 1


# own size


def test_own_size_is_taken_out_before_anything_else():
    bids, asks = [(1000, 50), (998, 20)], [(1003, 40), (1004, 60)]
    probe = quoting(bids, asks, half_ppm=0, own_in_book=1)
    probe.order(0, BID, 1000, 60, filled=10)
    assert probe.own(BID, 1000) == 50
    assert probe.quote()["fair2"] == 998 + 1003
    probe.configure(own_in_book=0)
    assert probe.quote()["fair2"] == 1000 + 1003


def test_a_book_of_ours_alone_is_no_book():
    probe = quoting([(1000, 50)], [(1003, 40)], half_ppm=500, own_in_book=1)
    probe.order(0, BID, 1000, 50)
    assert probe.quote()["why"] == (Quiet.QUIET_ONE_SIDED, Quiet.QUIET_NONE)
    probe.order(1, ASK, 1003, 40)
    assert probe.quote()["why"] == (Quiet.QUIET_NO_BOOK, Quiet.QUIET_NO_BOOK)


def test_only_orders_that_the_venue_holds_are_taken_out():
    standing = {
        OrderState.ORDER_RESTING,
        OrderState.ORDER_PARTIAL,
        OrderState.ORDER_CANCEL_SENT,
        OrderState.ORDER_AMEND_SENT,
    }
    for state in OrderState:
        probe = quoting()
        probe.order(3, ASK, 1003, 40, filled=5, state=state)
        assert probe.own(ASK, 1003) == (35 if state in standing else 0)
        assert probe.own(BID, 1003) == probe.own(ASK, 1004) == 0


# the model: the text of market-making.md 4.1 and 4.4 in fractions


def model(p, bids, asks, pos):
    """Return (bid_px, bid_qty), (ask_px, ask_qty), why; nothing is rounded before the end."""
    quiet = (0, 0)
    if not bids and not asks:
        return quiet, quiet, (Quiet.QUIET_NO_BOOK,) * 2
    b = bids[0][0] if bids else asks[0][0]
    a = asks[0][0] if asks else bids[0][0]
    why = None
    if b < p["min_valid_px"] or a > p["max_valid_px"]:
        why = Quiet.QUIET_PRICE_RANGE
    elif any(side[0][1] < p["min_touch_qty"] for side in (bids, asks) if side):
        why = Quiet.QUIET_THIN
    elif bids and asks:
        spread = Fraction(a - b) / Fraction(a + b, 2) * 10**6
        if b >= a:
            why = Quiet.QUIET_CROSSED
        elif spread < p["min_spread_ppm"]:
            why = Quiet.QUIET_SPREAD_MIN
        elif spread > p["max_spread_ppm"]:
            why = Quiet.QUIET_SPREAD_MAX
    if why is not None:
        return quiet, quiet, (why,) * 2
    mid = Fraction(a + b, 2)
    lean = Fraction(max(-p["max_pos"], min(p["max_pos"], pos)), p["max_pos"])
    r = mid * (1 - Fraction(p["skew_ppm"], 10**6) * lean)
    least = ceil(mid * (p["maker_ppm"] + p["edge_ppm"]) / 10**6)
    half = max(mid * p["half_ppm"] / 10**6, Fraction(least))
    bid, ask = floor(r - half), ceil(r + half)
    if bid == ask:
        bid, ask = bid - 1, ask + 1
    if asks:
        bid = min(bid, a - 1)
    if bids:
        ask = max(ask, b + 1)
    out, reasons = [], []
    for side, px, room in ((bids, bid, p["max_pos"] - pos), (asks, ask, p["max_pos"] + pos)):
        qty = min(p["order_qty"], room)
        if not side:
            reason = Quiet.QUIET_ONE_SIDED
        elif qty < max(1, p["min_order"]):
            reason = Quiet.QUIET_INVENTORY
        elif not 0 < px < 1 << 40:
            reason = Quiet.QUIET_PRICE_RANGE
        else:
            reason = Quiet.QUIET_NONE
        reasons.append(reason)
        out.append((px, qty) if reason == Quiet.QUIET_NONE else quiet)
    return out[0], out[1], tuple(reasons)


PRICES = st.one_of(st.integers(1, 300), st.integers(1, 10**7), st.integers(1, (1 << 40) - 600))
PARAMS = st.fixed_dictionaries(
    {
        "half_ppm": st.one_of(st.integers(0, 50), st.integers(0, 5000), st.integers(0, 10**6)),
        "skew_ppm": st.one_of(st.integers(0, 2000), st.integers(0, 10**6)),
        "maker_ppm": st.integers(0, 300),
        "edge_ppm": st.integers(0, 300),
        "min_spread_ppm": st.sampled_from([0, 0, 0, 2, 50]),
        "max_spread_ppm": st.sampled_from([10**6, 10**6, 10**6, 500]),
        "order_qty": st.integers(1, 10**6),
        "min_order": st.integers(0, 200),
        "max_pos": st.one_of(st.integers(1, 10**6), st.integers(1, (1 << 48) - 1)),
        "min_valid_px": st.sampled_from([0, 0, 0, 100]),
        "max_valid_px": st.sampled_from([1 << 40, 1 << 40, 10**6]),
        "min_touch_qty": st.sampled_from([0, 0, 3]),
    }
)


@st.composite
def levels(draw, start, sign):
    """Up to five levels, best first, sizes small enough that our orders can be all of one."""
    px, out = start, []
    for gap, qty in draw(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 9)), max_size=5)):
        if px <= 0:
            break
        out.append((px, qty))
        px += sign * gap
    return out


@st.composite
def markets(draw):
    bid = draw(PRICES)
    ask = max(1, bid + draw(st.integers(-3, 60)))
    return draw(levels(bid, -1)), draw(levels(ask, 1))


@st.composite
def positions(draw, params):
    limit = params["max_pos"]
    return draw(
        st.one_of(st.just(0), st.integers(-limit, limit), st.integers(-2 * limit, 2 * limit))
    )


@settings(max_examples=500)
@given(markets(), PARAMS, st.data())
def test_law_the_quote_is_the_text_in_exact_arithmetic(market, params, data):
    bids, asks = market
    pos = data.draw(positions(params))
    probe = StrategyProbe(**params)
    probe.book(bids, asks)
    quote = probe.quote(pos)
    got = (
        (quote["bid_px"], quote["bid_qty"]),
        (quote["ask_px"], quote["ask_qty"]),
        quote["why"],
    )
    assert got == model(params, bids, asks, pos)


@given(markets(), PARAMS, st.data())
def test_law_quotes_never_cross_the_touch_nor_each_other_and_keep_the_limit(market, params, data):
    bids, asks = market
    pos = data.draw(positions(params))
    probe = StrategyProbe(**params)
    probe.book(bids, asks)
    quote = probe.quote(pos)
    if quote["bid_qty"]:
        assert not asks or quote["bid_px"] < asks[0][0]
        assert pos + quote["bid_qty"] <= params["max_pos"]
    if quote["ask_qty"]:
        assert not bids or quote["ask_px"] > bids[0][0]
        assert pos - quote["ask_qty"] >= -params["max_pos"]
    if quote["bid_qty"] and quote["ask_qty"]:
        assert quote["bid_px"] < quote["ask_px"]
    for side, qty in ((BID, quote["bid_qty"]), (ASK, quote["ask_qty"])):
        assert (qty == 0) == (quote["why"][side] != Quiet.QUIET_NONE)
        assert 0 <= qty <= params["order_qty"]


@given(markets(), PARAMS)
def test_law_half_is_never_below_the_fee_floor(market, params):
    bids, asks = market
    probe = StrategyProbe(**{**params, "min_order": 0})
    probe.book(bids, asks)
    quote = probe.quote()
    assume(quote["fair2"] > 0)
    fees = Fraction(params["maker_ppm"] + params["edge_ppm"], 10**6)
    assert quote["floor_ticks"] == ceil(Fraction(quote["fair2"], 2) * fees)
    assert quote["half_ticks"] >= quote["floor_ticks"]
    if quote["bid_qty"]:
        assert quote["fair2"] - 2 * quote["bid_px"] >= 2 * quote["floor_ticks"]
    if quote["ask_qty"]:
        assert 2 * quote["ask_px"] - quote["fair2"] >= 2 * quote["floor_ticks"]


@given(
    bid=st.integers(10**5, 10**9),
    spread=st.integers(1, 60),
    half_ppm=st.integers(100, 5000),
    skew_ppm=st.integers(0, 90),
    max_pos=st.integers(1, 10**9),
    data=st.data(),
)
def test_law_skew_moves_both_sides_equally(*, bid, spread, half_ppm, skew_ppm, max_pos, data):
    # the skew stays below the half spread less the touch's, so that no clamp bends a side
    assume(bid * (half_ppm - skew_ppm) > 10**6 * (spread + 2))
    pos = data.draw(st.integers(1 - max_pos, max_pos - 1))
    probe = StrategyProbe(half_ppm=half_ppm, skew_ppm=skew_ppm, order_qty=1, max_pos=max_pos)
    probe.book([(bid, 5)], [(bid + spread, 5)])
    flat, skewed = prices(probe.quote(0)), prices(probe.quote(pos))
    shift = Fraction(2 * bid + spread, 2) * Fraction(-skew_ppm * pos, 10**6 * max_pos)
    for before, after in zip(flat, skewed, strict=True):
        assert abs(after - before - shift) < 1
    assert abs((skewed[1] - skewed[0]) - (flat[1] - flat[0])) <= 1


@given(
    markets(),
    PARAMS,
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(1, 12)), max_size=8),
    st.data(),
)
def test_law_own_size_equals_a_book_built_without_us(market, params, ours, data):
    bids, asks = market
    pos = data.draw(positions(params))
    probe = StrategyProbe(own_in_book=1, **params)
    others = [dict(bids), dict(asks)]
    for slot, (sell, at, qty) in enumerate(ours):
        side = market[sell]
        if at >= len(side):
            continue
        px = side[at][0]
        filled = data.draw(st.integers(0, qty - 1))
        probe.order(slot, int(sell), px, qty, filled=filled)
        others[sell][px] -= qty - filled
    probe.book(bids, asks)
    got = probe.quote(pos)
    alone = StrategyProbe(**params)
    alone.book(*([(px, qty) for px, qty in side.items() if qty > 0] for side in others))
    assert got == alone.quote(pos)


@given(
    side=st.integers(0, 1),
    want=st.integers(10**4, 10**6),
    off=st.integers(-40, 40),
    threshold=st.integers(0, 20),
    half=st.integers(0, 100),
    rest=st.integers(1, 200),
    want_qty=st.integers(1, 200),
)
def test_law_keep_or_move_is_the_rule_of_persistence(
    *, side, want, off, threshold, half, rest, want_qty
):
    floor_ticks = half // 3
    fair2 = 2 * (want + half if side == BID else want - half)
    probe = StrategyProbe(requote_ticks=threshold)
    probe.want(side, want, want_qty, fair2=fair2, half_ticks=half, floor_ticks=floor_ticks)
    px = want + off
    probe.order(0, side, px, rest)
    edge = Fraction(fair2, 2) + (-floor_ticks if side == BID else floor_ticks)
    wrong = (px > edge and off > 0) if side == BID else (px < edge and off < 0)
    if wrong:
        expected = Move.MOVE_WRONG_SIDE
    elif abs(off) >= (threshold or max(2, half // 4)):
        expected = Move.MOVE_PRICE
    elif abs(rest - want_qty) > Fraction(want_qty, 4):
        expected = Move.MOVE_RESIZE
    else:
        expected = Move.MOVE_KEEP
    assert probe.moves(0) == expected


@given(markets(), PARAMS, st.data())
def test_law_what_was_just_quoted_is_kept(market, params, data):
    probe = StrategyProbe(**params)
    probe.book(*market)
    quote = probe.quote(data.draw(positions(params)))
    for side, name in ((BID, "bid"), (ASK, "ask")):
        if quote[f"{name}_qty"]:
            probe.order(side, side, quote[f"{name}_px"], quote[f"{name}_qty"])
            assert probe.moves(side) == Move.MOVE_KEEP


@given(st.integers(-(1 << 62), 1 << 62), st.integers(1, 1 << 62))
def test_law_floor_ratio_rounds_down(num, den):
    assert floor_ratio(num, den) == num // den


def test_the_probe_refuses_what_it_cannot_hold():
    with pytest.raises(ValueError, match="not a field"):
        StrategyProbe(spread=1)
    with pytest.raises(ValueError, match="ppm"):
        StrategyProbe(half_ppm=1_000_001)
    with pytest.raises(ValueError, match="max_pos"):
        StrategyProbe(max_pos=1 << 48)
    probe = StrategyProbe()
    with pytest.raises(ValueError, match="slot"):
        probe.order(32, BID, 1, 1)
    with pytest.raises(ValueError, match="OrderState"):
        probe.order(0, BID, 1, 1, state=12)
    with pytest.raises(ValueError, match="more than 10"):
        probe.book([(1, 1)] * 11, [])
    with pytest.raises(ValueError, match="not positive"):
        floor_ratio(1, 0)


def test_every_parameter_reaches_the_core():
    # one field at a time changes an answer, so that no field of the probe is deaf
    quiet = quoting(half_ppm=500).quote()
    assert quoting(half_ppm=501).quote() != quiet
    for field, value in (
        ("maker_ppm", 900),
        ("edge_ppm", 900),
        ("min_spread_ppm", 900),
        ("max_spread_ppm", 1),
        ("order_qty", 99),
        ("min_order", 101),
        ("max_pos", 99),
        ("min_valid_px", 1 << 30),
        ("max_valid_px", 1),
        ("min_touch_qty", 1 << 30),
    ):
        assert quoting(**{"half_ppm": 500, field: value}).quote() != quiet, field
