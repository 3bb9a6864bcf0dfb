"""The parts of the PnL: by hand, then as laws."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bog._core.measure import MeasureProbe

MS = 1_000_000
BID, ASK = 0, 1


def test_v40_capture_inventory_and_markout() -> None:
    measure = MeasureProbe()
    measure.mid(1 * MS, 2 * 1001 + 1)  # mid 1001.5
    measure.fill(2 * MS, BID, 1000, 10)
    measure.mid(50 * MS, 2 * 1000 + 1)  # mid 1000.5
    measure.mid(150 * MS, 2 * 1000 + 1)
    measure.fill(160 * MS, ASK, 1002, 10)
    capture, inventory, fees, funding = measure.parts()
    assert capture == 2 * (15 + 15)
    assert inventory == 2 * -10
    assert fees == 0 and funding == 0
    assert capture + inventory == 2 * 20
    value, notional, fills = measure.markouts()[(100 * MS, BID, 1)]
    assert (value, notional, fills) == (2 * 5, 10_000, 1)
    assert 2 * 15 - value == 2 * 10  # adverse selection


def test_a_fill_learned_of_late_is_judged_at_the_mid_before_it_happened() -> None:
    measure = MeasureProbe()
    measure.mid(100 * MS, 2 * 1001)
    measure.mid(200 * MS, 2 * 990)
    measure.mid(240 * MS, 2 * 980)
    measure.fill(200 * MS, BID, 1000, 3)  # caused by the message at 200 ms: not its mid
    capture, inventory, _, _ = measure.parts()
    assert capture == 2 * (1001 - 1000) * 3
    assert inventory == 2 * (980 - 1001) * 3


def test_fills_too_close_to_the_end_are_excluded_and_counted() -> None:
    measure = MeasureProbe()
    measure.mid(1 * MS, 2000)
    measure.fill(2 * MS, BID, 999, 1)
    measure.fill(950 * MS, ASK, 1001, 1)
    measure.end(1000 * MS)
    assert measure.excluded() == [1, 2, 2, 2]
    assert measure.markouts() == {(100 * MS, BID, 1): (2, 999, 1)}


def test_a_late_fill_has_its_markout_behind_a_fill_too_close_to_the_end() -> None:
    measure = MeasureProbe()
    measure.mid(1 * MS, 2000)
    measure.fill(60 * MS, BID, 999, 1)
    measure.fill(40 * MS, ASK, 1002, 1)  # happened before the other, learned of after it
    measure.end(150 * MS)
    assert measure.excluded() == [1, 2, 2, 2]
    assert measure.markouts() == {(100 * MS, ASK, 1): (4, 1002, 1)}


events = st.lists(
    st.tuples(
        st.integers(0, 50 * MS),
        st.one_of(
            st.tuples(st.just("mid"), st.integers(1_000, 3_000)),
            st.tuples(
                st.just("fill"),
                st.sampled_from([BID, ASK]),
                st.integers(900, 1_100),
                st.integers(1, 50),
                st.integers(-5, 5),
                st.integers(0, 80 * MS),
            ),
        ),
    ),
    max_size=60,
)


@given(events)
def test_law_the_parts_add_up_to_the_equity(history: list[tuple[int, tuple]]) -> None:  # type: ignore[type-arg]
    measure = MeasureProbe()
    measure.mid(1, 2_000)
    now, mid2, pos, cash = 1, 2_000, 0, 0
    for gap, event in history:
        now += gap
        if event[0] == "mid":
            mid2 = event[1]
            measure.mid(now, mid2)
        else:
            _, side, px, qty, fee, late = event
            measure.fill(max(1, now - late), side, px, qty, fee)
            signed = qty if side == BID else -qty
            pos += signed
            cash -= signed * px + fee
        capture, inventory, fees, funding = measure.parts()
        assert capture + inventory - 2 * fees + 2 * funding == 2 * cash + pos * mid2


@given(events)
def test_law_markouts_match_a_plain_model(history: list[tuple[int, tuple]]) -> None:  # type: ignore[type-arg]
    measure = MeasureProbe()
    mids = [(1, 2_000)]
    measure.mid(1, 2_000)
    now = 1
    fills = []
    for gap, event in history:
        now += gap
        if event[0] == "mid":
            measure.mid(now, event[1])
            mids.append((now, event[1]))
        else:
            _, side, px, qty, _, late = event
            venue_ns = max(1, now - late)
            measure.fill(venue_ns, side, px, qty)
            fills.append((venue_ns, side, px, qty))
    end = now + 1
    measure.end(end)
    want: dict[tuple[int, int], Fraction] = {}
    for horizon in (100 * MS, 1_000 * MS, 10_000 * MS, 60_000 * MS):
        for venue_ns, side, px, qty in fills:
            if venue_ns + horizon >= end:
                continue
            mid2 = [m for t, m in mids if t <= venue_ns + horizon][-1]
            sign = 1 if side == BID else -1
            key = (horizon, side)
            want[key] = want.get(key, Fraction(0)) + sign * (Fraction(mid2, 2) - px) * qty
    got = {(h, side): Fraction(v[0], 2) for (h, side, _), v in measure.markouts().items()}
    assert got == want
