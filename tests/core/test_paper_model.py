"""The paper venue against the independent model, and the laws of its fills."""

import sys
from pathlib import Path

import pytest
from bog._core.types import ReportKind
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.paper import MODELS, REASONS, PaperProbe

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from paper_model import PaperModel

MS = 1_000_000
PX = st.integers(995, 1006)
SIDE = st.integers(0, 1)
LOTS = st.integers(1, 40)
GAP = st.sampled_from([0, 0, 0, 1, 5, 20, 120, 249, 250, 251, 400])
LATENCY = st.sampled_from([0, 0, 1, 30, 200])
EVENT = st.one_of(
    st.tuples(st.just("level"), SIDE, PX, st.integers(0, 60)),
    st.tuples(st.just("level"), SIDE, PX, st.integers(0, 60)),
    st.tuples(st.just("trade"), SIDE, PX, LOTS),
    st.tuples(st.just("trade"), SIDE, PX, LOTS),
    st.tuples(st.just("end")),
    st.tuples(st.just("touch"), SIDE, PX, LOTS),
    st.tuples(st.just("send"), SIDE, PX, LOTS, LATENCY),
    st.tuples(st.just("send"), SIDE, PX, LOTS, LATENCY),
    st.tuples(st.just("cancel"), st.integers(1, 12), LATENCY),
    st.tuples(st.just("amend"), st.integers(1, 12), PX, LOTS, LATENCY),
    st.tuples(st.just("reset"), st.lists(st.tuples(SIDE, PX, LOTS), min_size=1, max_size=8)),
)
EVENTS = st.lists(st.tuples(GAP, EVENT), min_size=1, max_size=60)
START = [(0, 1000, 50), (0, 999, 80), (1, 1003, 40), (1, 1004, 60)]


def rows_of(event):
    """Return the rows of one market event as (kind, side, px, qty, eom)."""
    what, *args = event
    if what == "reset":
        levels = args[0]
        last = len(levels) - 1
        return [("R", 0, 0, 0, False)] + [
            ("L", side, px, qty, at == last) for at, (side, px, qty) in enumerate(levels)
        ]
    return [({"level": "L", "trade": "T", "touch": "B"}[what], *args, False)]


def run(events, model="risk", full=False, keeps=False):
    """Drive the venue and the model with one stream; compare after every event; return fills."""
    probe = PaperProbe(model=model, through_full=full, shrink_keeps_place=keeps)
    twin = PaperModel(model=model, full=full, shrink_keeps_place=keeps)
    now = 0
    orders = 0
    fills = []
    for gap, event in [(0, ("reset", START)), *events]:
        what, *args = event
        if what in ("cancel", "amend") and not orders:
            continue
        now += gap * MS
        if what == "send":
            orders += 1
            side, px, qty, latency = args
            probe.send(orders, side, px, qty, now, latency * MS)
            twin.send(orders, side, px, qty, now, latency * MS)
            twin.advance(now)
        elif what == "cancel":
            order, latency = args
            order = order % orders + 1
            probe.cancel(order, now, latency * MS)
            twin.cancel(order, now, latency * MS)
            twin.advance(now)
        elif what == "amend":
            order, px, qty, latency = args
            order = order % orders + 1
            probe.amend(order, px, qty, now, latency * MS)
            twin.amend(order, px, qty, now, latency * MS)
            twin.advance(now)
        elif what == "end":
            probe.end(now)
            twin.end(now)
        else:
            for kind, side, px, qty, eom in rows_of(event):
                probe.row(kind, now, side, px, qty, eom=eom)
                twin.row(kind, now, side, px, qty, eom)
        reports = probe.reports()
        new = [
            (r["venue_ns"], r["order"], r["side"], r["px"], r["qty"], REASONS[r["reason"]])
            for r in reports
            if r["kind"] == ReportKind.REP_FILL
        ]
        assert new == twin.fills, event
        twin.fills.clear()
        assert probe.orders() == twin.state(now), event
        fills += new
    for side in (0, 1):
        assert probe.levels(side) == sorted(twin.book[side].items(), reverse=side == 0)
        for px in range(995, 1007):
            unexplained, seen, used, _ = probe.note(side, px)
            assert unexplained == sum_of(twin.unexplained, side, px, now)
            assert seen == sum_of(twin.seen, side, px, now)
            assert used == twin.used.get((side, px), 0)
    return fills


def sum_of(sums, side, px, now):
    return sums[side, px].at(now) if (side, px) in sums else 0


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=150, deadline=None)
@given(events=EVENTS)
def test_law_equal_to_the_model(model, events):
    run(events, model)


@settings(max_examples=100, deadline=None)
@given(events=EVENTS)
def test_law_equal_to_the_model_when_prints_fill_whole_orders(events):
    run(events, full=True)


@settings(max_examples=100, deadline=None)
@given(events=EVENTS)
def test_law_equal_to_the_model_when_a_reduction_keeps_its_place(events):
    run(events, keeps=True)
