"""The paper venue's own rules: what it refuses, amends, charges, forgets, and where it doubts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bog._core.paper import MODELS, REASONS, PaperProbe
from bog._core.types import CommandKind, FillReason, Flag, Reject, ReportKind, Status, Tif

MS = 1_000_000
SECOND = 1000 * MS
BID, ASK = 0, 1
PLACE, AMEND = CommandKind.CMD_PLACE, CommandKind.CMD_AMEND
CANCEL, CANCEL_ALL = CommandKind.CMD_CANCEL, CommandKind.CMD_CANCEL_ALL
LEVELS = [(BID, 1000, 50), (BID, 999, 80), (ASK, 1003, 40), (ASK, 1004, 60)]


def snapshot(probe, now=0, levels=LEVELS, flags=0):
    probe.row("R", now, flags=flags)
    for at, (side, px, qty) in enumerate(levels):
        probe.row("L", now, side, px, qty, eom=at == len(levels) - 1, flags=flags)


def venue(**params):
    probe = PaperProbe(**params)
    snapshot(probe)
    return probe


def place(probe, order=1, side=BID, px=1000, qty=10, *, now=0, **more):
    assert probe.command(PLACE, order, side, px, qty, now, **more)
    probe.advance(now)


def kinds(probe):
    """Return the queued reports as (kind, reason)."""
    return [(r["kind"], r["reason"]) for r in probe.reports()]


ACKED = (ReportKind.REP_ACK, 0)


# ---- refusals


@pytest.mark.parametrize(
    ("order", "params", "reason"),
    [
        ({"px": 1003}, {}, Reject.REJ_POST_ONLY),
        ({"px": 1004}, {}, Reject.REJ_POST_ONLY),
        ({"side": ASK, "px": 1000}, {}, Reject.REJ_POST_ONLY),
        ({"qty": 9}, {"min_qty": 10}, Reject.REJ_MIN_SIZE),
        ({}, {"min_notional": 10_001}, Reject.REJ_MIN_SIZE),
        ({"qty": 0}, {}, Reject.REJ_LOT),
        ({"qty": 1 << 48}, {}, Reject.REJ_LOT),
        ({"px": 0}, {}, Reject.REJ_PRICE),
        ({"px": 1 << 40}, {}, Reject.REJ_PRICE),
        ({"reduce_only": True}, {}, Reject.REJ_OTHER),
    ],
)
def test_an_order_against_the_rules_is_rejected_with_its_reason(order, params, reason):
    probe = venue(**params)
    place(probe, **order)
    assert kinds(probe) == [(ReportKind.REP_REJECT, reason)]
    assert probe.orders() == {}


def test_the_smallest_order_of_the_rules_rests():
    probe = venue(min_qty=10, min_notional=10_000)
    place(probe)
    assert kinds(probe) == [ACKED]


def test_a_reduce_only_order_may_reduce_but_not_flip():
    probe = venue()
    probe.position = -10
    place(probe, 1, qty=11, reduce_only=True)
    place(probe, 2, qty=10, reduce_only=True)
    place(probe, 3, side=ASK, px=1003, qty=1, reduce_only=True)
    refused = (ReportKind.REP_REJECT, Reject.REJ_OTHER)
    assert kinds(probe) == [refused, ACKED, refused]


def test_an_id_in_use_is_refused_and_free_again_after():
    probe = venue()
    place(probe)
    place(probe)
    assert kinds(probe) == [ACKED, (ReportKind.REP_REJECT, Reject.REJ_DUPLICATE)]
    probe.cancel(1, 1)
    probe.reports()
    place(probe, now=2)
    assert kinds(probe) == [ACKED]


def test_open_orders_are_limited():
    probe = venue(max_open_orders=2)
    for order in (1, 2, 3):
        place(probe, order)
    assert kinds(probe) == [ACKED, ACKED, (ReportKind.REP_REJECT, Reject.REJ_OPEN_ORDERS)]


def test_the_minute_of_requests_rolls():
    probe = venue(requests_per_min=2, net_ns=MS, response_ns=MS)
    assert probe.command(PLACE, 1, BID, 1000, 10, 0)
    assert probe.command(CANCEL, 1, BID, 0, 0, SECOND)
    assert probe.command(PLACE, 2, BID, 1000, 10, 2 * SECOND)
    assert probe.command(PLACE, 3, BID, 1000, 10, 60 * SECOND - 1)
    assert probe.command(PLACE, 4, BID, 1000, 10, 60 * SECOND)
    assert probe.command(CANCEL, 4, BID, 0, 0, 60 * SECOND)
    assert probe.command(AMEND, 4, BID, 1000, 9, 60 * SECOND)
    probe.advance(61 * SECOND)
    got = [(r["order"], r["kind"], r["reason"]) for r in probe.reports()]
    assert got == [
        (1, ReportKind.REP_ACK, 0),
        (1, ReportKind.REP_CANCELED, 0),
        (2, ReportKind.REP_REJECT, Reject.REJ_RATE),
        (3, ReportKind.REP_REJECT, Reject.REJ_RATE),
        (4, ReportKind.REP_ACK, 0),
        (4, ReportKind.REP_CANCEL_REJECT, Reject.REJ_RATE),
        (4, ReportKind.REP_AMEND_REJECT, Reject.REJ_RATE),
    ]


def test_a_halted_market_takes_no_orders_but_cancels():
    probe = venue()
    place(probe)
    probe.row("X", MS, px=Status.STATUS_HALTED)
    place(probe, 2, now=2 * MS)
    probe.cancel(1, 3 * MS)
    probe.row("X", 4 * MS, px=Status.STATUS_UP)
    place(probe, 3, now=5 * MS)
    assert kinds(probe) == [
        ACKED,
        (ReportKind.REP_REJECT, Reject.REJ_HALTED),
        (ReportKind.REP_CANCELED, 0),
        ACKED,
    ]


@pytest.mark.parametrize("kind", [CANCEL, AMEND])
def test_nothing_to_cancel_or_amend_is_said(kind):
    probe = venue()
    assert probe.command(kind, 7, BID, 1000, 10, 0)
    probe.advance(0)
    ((_, reason),) = kinds(probe)
    assert reason == Reject.REJ_NOT_FOUND


def test_a_full_queue_refuses_and_counts():
    probe = venue(orders=2, actions=2, net_ns=MS)
    for order in (1, 2, 3):
        probe.command(PLACE, order, BID, 1000, 10, 0)
    probe.advance(MS)
    got = [(r["order"], r["kind"], r["reason"]) for r in probe.reports()]
    assert got == [
        (3, ReportKind.REP_REJECT, Reject.REJ_OTHER),
        (1, ReportKind.REP_ACK, 0),
        (2, ReportKind.REP_ACK, 0),
    ]
    assert probe.counts()["overloaded"] == 1


def test_reports_that_nobody_takes_stop_fills_but_lose_no_order():
    """An engine that does not listen gets no more fills, and every report that was queued."""
    probe = venue(orders=2, actions=2)
    place(probe, qty=1000, px=1001)
    for now in range(1, 500):
        probe.row("T", now, ASK, 1001, 1)
    (_, _, _, qty, rem, _, _) = probe.orders()[1]
    assert probe.counts()["unfilled"] == 499 - (qty - rem) > 0
    reports = probe.reports()
    assert sum(r["qty"] for r in reports if r["kind"] == ReportKind.REP_FILL) == qty - rem
    assert probe.position == qty - rem


# ---- latency and order


def test_each_kind_of_command_has_its_own_delay():
    probe = venue(net_ns=1, maker_ns=10, taker_ns=20, amend_ns=30, cancel_ns=40, response_ns=100)
    probe.command(PLACE, 1, BID, 1000, 10, 0)
    probe.command(PLACE, 2, BID, 1000, 10, 0, tif=Tif.TIF_GTT)
    probe.command(AMEND, 1, BID, 999, 10, 0)
    probe.command(CANCEL, 1, BID, 0, 0, 0)
    assert probe.due() == 111
    probe.advance(1000)
    got = [(r["kind"], r["order"], r["venue_ns"], r["time_ns"]) for r in probe.reports()]
    assert got == [
        (ReportKind.REP_ACK, 1, 11, 111),
        (ReportKind.REP_ACK, 2, 21, 121),
        (ReportKind.REP_AMENDED, 1, 31, 131),
        (ReportKind.REP_CANCELED, 1, 41, 141),
    ]


def test_a_cancel_that_overtakes_its_order_kills_it():
    probe = venue(maker_ns=200 * MS, cancel_ns=50 * MS)
    probe.command(PLACE, 1, BID, 1001, 10, 0)
    probe.command(CANCEL, 1, BID, 0, 0, 10 * MS)
    probe.row("T", 300 * MS, ASK, 1001, 50)
    assert kinds(probe) == [(ReportKind.REP_CANCELED, 0)]
    assert probe.orders() == {}
    assert probe.due() is None


def test_cancel_all_spares_what_was_sent_after_it():
    probe = venue(maker_ns=100, cancel_ns=50)
    probe.command(PLACE, 1, BID, 1000, 10, 0)
    probe.advance(150)
    probe.command(PLACE, 2, ASK, 1003, 10, 160)
    probe.command(CANCEL_ALL, 0, BID, 0, 0, 170)
    probe.command(PLACE, 3, ASK, 1003, 10, 180)
    probe.advance(1000)
    got = [(r["kind"], r["order"]) for r in probe.reports()]
    assert got == [
        (ReportKind.REP_ACK, 1),
        (ReportKind.REP_CANCELED, 1),
        (ReportKind.REP_CANCELED, 2),
        (ReportKind.REP_ACK, 3),
    ]


def test_an_order_expires_at_its_time_and_is_known_after_the_way_back():
    probe = venue(response_ns=5)
    place(probe, px=1001, expiry_ns=100)
    assert probe.report(5)["kind"] == ReportKind.REP_ACK
    assert probe.due() == 105
    assert probe.report(104) is None
    probe.row("T", 100, ASK, 1001, 50)
    report = probe.report(105)
    assert (report["kind"], report["venue_ns"]) == (ReportKind.REP_EXPIRED, 100)
    assert probe.orders() == {}


# ---- amends


def test_an_amend_queues_anew_and_counts_what_is_filled():
    probe = venue()
    place(probe, px=1001)
    probe.row("T", 1, ASK, 1001, 4)
    probe.amend(1, 1000, 12, 2)
    assert probe.orders()[1] == ("open", BID, 1000, 12, 8, 50, 0)


def test_an_amend_loses_its_place_behind_own_orders_too():
    probe = venue()
    place(probe, 1, px=1001, qty=10)
    place(probe, 2, px=1001, qty=10)
    probe.amend(1, 1001, 9, 1)
    probe.reports()
    probe.row("T", 2, ASK, 1001, 12)
    assert [(r["order"], r["qty"]) for r in probe.reports()] == [(2, 10), (1, 2)]


def test_where_the_venue_allows_it_a_reduction_keeps_its_place():
    probe = venue(shrink_keeps_place=1)
    place(probe, 1, px=1001, qty=10)
    place(probe, 2, px=1001, qty=10)
    probe.amend(1, 1001, 9, 1)
    probe.reports()
    probe.row("T", 2, ASK, 1001, 12)
    assert [(r["order"], r["qty"]) for r in probe.reports()] == [(1, 9), (2, 3)]


@pytest.mark.parametrize("qty", [4, 3])
def test_an_amend_not_above_the_filled_size_ends_the_order(qty):
    probe = venue()
    place(probe, px=1001)
    probe.row("T", 1, ASK, 1001, 4)
    probe.reports()
    probe.amend(1, 1001, qty, 2)
    assert kinds(probe) == [(ReportKind.REP_CANCELED, 0)]
    assert probe.orders() == {}


def test_a_post_only_amend_that_crosses_is_canceled():
    probe = venue()
    place(probe)
    probe.reports()
    probe.amend(1, 1003, 10, 1)
    assert kinds(probe) == [(ReportKind.REP_CANCELED, Reject.REJ_POST_ONLY)]
    assert probe.orders() == {}


def test_a_refused_amend_leaves_the_order_as_it_was():
    probe = venue(min_qty=5)
    place(probe)
    probe.reports()
    before = probe.orders()
    probe.amend(1, 999, 4, 1)
    assert kinds(probe) == [(ReportKind.REP_AMEND_REJECT, Reject.REJ_MIN_SIZE)]
    assert probe.orders() == before


# ---- fees, taking orders, funding


def test_fills_pay_their_fee_and_have_ids_of_their_own():
    probe = venue(maker_ppm=40, taker_ppm=280)
    place(probe, 1, px=1001, qty=1000)
    place(probe, 2, BID, 1004, 50, tif=Tif.TIF_IOC)
    probe.row("T", 1, ASK, 1001, 7)
    fills = [r for r in probe.reports() if r["kind"] == ReportKind.REP_FILL]
    assert [(r["px"], r["qty"], r["fee"], r["reason"], r["venue_id"]) for r in fills] == [
        (1003, 40, 12, FillReason.FILL_TAKER, 1),
        (1004, 10, 3, FillReason.FILL_TAKER, 2),
        (1001, 7, 1, FillReason.FILL_QUEUE, 3),
    ]
    assert probe.position == 57


def test_what_we_took_is_not_there_again_within_the_window():
    probe = venue()
    place(probe, 1, BID, 1003, 30, tif=Tif.TIF_IOC)
    place(probe, 2, BID, 1003, 30, tif=Tif.TIF_IOC)
    place(probe, 3, BID, 1003, 30, now=250 * MS, tif=Tif.TIF_IOC)
    place(probe, 4, BID, 1003, 30, now=501 * MS, tif=Tif.TIF_IOC)
    got = [(r["order"], r["kind"], r["qty"]) for r in probe.reports()]
    assert got == [
        (1, ReportKind.REP_ACK, 0),
        (1, ReportKind.REP_FILL, 30),
        (2, ReportKind.REP_ACK, 0),
        (2, ReportKind.REP_FILL, 10),
        (2, ReportKind.REP_CANCELED, 0),
        (3, ReportKind.REP_ACK, 0),
        (3, ReportKind.REP_CANCELED, 0),
        (4, ReportKind.REP_ACK, 0),
        (4, ReportKind.REP_FILL, 30),
    ]


def test_a_limit_order_takes_what_it_reaches_and_rests_with_the_rest():
    probe = venue()
    place(probe, 1, BID, 1003, 45, tif=Tif.TIF_GTT)
    assert kinds(probe) == [ACKED, (ReportKind.REP_FILL, FillReason.FILL_TAKER)]
    assert probe.orders()[1] == ("open", BID, 1003, 45, 5, 0, 0)


def test_an_hour_without_mark_and_rate_pays_nothing_and_is_counted():
    probe = venue()
    probe.position = 100
    hour = 3600 * SECOND
    probe.row("T", 1, ASK, 990, 1, exch_ns=10 * hour)
    probe.row("T", 2, ASK, 990, 1, exch_ns=11 * hour)
    probe.row("S", 3, px=1000, id=12, exch_ns=11 * hour + 1)
    probe.row("T", 4, ASK, 990, 1, exch_ns=14 * hour)
    assert [r["fee"] for r in probe.reports()] == [2]
    counts = probe.counts()
    assert (counts["funding"], counts["funding_skipped"]) == (1, 3)


@pytest.mark.parametrize(("pos", "rate", "paid"), [(1, 1, 1), (-1, 1, 0), (1, -1, 0), (-1, -1, 1)])
def test_funding_rounds_against_us(pos, rate, paid):
    """1000 x 1 ppm is 0.001 of a quantum: we pay a whole one or receive none."""
    probe = venue()
    probe.position = pos
    probe.row("S", 1, px=1000, id=rate, exch_ns=3600 * SECOND)
    probe.row("T", 2, ASK, 990, 1, exch_ns=7200 * SECOND)
    assert [r["fee"] for r in probe.reports()] == [paid]


# ---- prints that do not count, and that do


def test_own_prints_are_skipped_and_liquidations_count():
    probe = venue()
    place(probe, px=1001)
    probe.reports()
    probe.row("T", 1, ASK, 1001, 3, flags=Flag.F_OWN)
    assert kinds(probe) == []
    assert probe.note(BID, 1001) == (0, 0, 0, 0)
    probe.row("T", 2, ASK, 1001, 3, flags=Flag.F_LIQUIDATION)
    assert kinds(probe) == [(ReportKind.REP_FILL, FillReason.FILL_QUEUE)]
    assert probe.counts()["own_prints"] == 1


def test_one_print_never_fills_more_than_its_size():
    """Two orders inside the spread: the better one takes the print, the other what is left."""
    probe = venue()
    place(probe, 1, px=1002, qty=10)
    place(probe, 2, px=1001, qty=10)
    probe.reports()
    probe.row("T", 1, ASK, 1001, 12)
    assert [(r["order"], r["qty"]) for r in probe.reports()] == [(1, 10), (2, 2)]


def test_an_addition_of_nothing_renews_the_window():
    """The second decrease is behind us: it adds 0 to credit, which then counts 250 ms more."""
    probe = venue()
    place(probe)
    probe.row("L", 1 * MS, BID, 1000, 38)
    probe.row("L", 2 * MS, BID, 1000, 70)
    probe.row("L", 200 * MS, BID, 1000, 60)
    probe.row("T", 450 * MS, ASK, 1000, 12)
    assert probe.orders()[1][5:] == (38, 0)


# ---- resets and what is not known


def test_a_reset_keeps_orders_and_shortens_their_queue_to_what_is_shown():
    probe = venue()
    place(probe, 1)
    place(probe, 2, px=999)
    snapshot(probe, MS, [(BID, 1000, 30), (BID, 999, 90), (ASK, 1003, 5)])
    assert probe.orders()[1][5:] == (30, 0)
    assert probe.orders()[2][5:] == (80, 0)
    assert probe.note(BID, 1000) == (0, 0, 0, 0)


def test_a_snapshot_that_crosses_us_fills_us_at_its_end():
    probe = venue()
    place(probe)
    probe.reports()
    probe.row("R", MS)
    probe.row("L", MS, ASK, 1000, 4)
    assert probe.reports() == []
    probe.row("L", MS, BID, 990, 4, eom=True)
    assert [(r["qty"], REASONS[r["reason"]]) for r in probe.reports()] == [(4, "cross")]


def test_a_level_beyond_a_partial_snapshot_is_an_endless_queue_until_a_row_tells():
    probe = PaperProbe()
    snapshot(probe, flags=Flag.F_PARTIAL)
    place(probe, 1, px=998, qty=10)
    place(probe, 2, px=999, qty=10)
    assert probe.orders()[1][5] == 1 << 48
    assert probe.orders()[2][5] == 80
    assert probe.counts()["unknown_ahead"] == 1
    probe.row("T", 1 * MS, ASK, 998, 5000)
    assert probe.orders()[1][4:6] == (10, 1 << 48)
    probe.row("L", 2 * MS, BID, 998, 30)
    assert probe.orders()[1][5] == 30
    probe.row("T", 252 * MS, ASK, 998, 20)
    assert probe.orders()[1][5] == 30
    probe.row("T", 253 * MS, ASK, 998, 20)
    assert probe.orders()[1][5] == 10


def test_an_empty_side_of_a_partial_snapshot_is_not_known_at_all():
    probe = PaperProbe()
    snapshot(probe, levels=[(BID, 1000, 5)], flags=Flag.F_PARTIAL)
    place(probe, 1, ASK, 1_000_000)
    assert probe.counts()["unknown_ahead"] == 1


def test_a_through_print_fills_an_order_whose_queue_is_not_known():
    probe = PaperProbe()
    snapshot(probe, flags=Flag.F_PARTIAL)
    place(probe, 1, px=998, qty=10)
    probe.reports()
    probe.row("T", 1 * MS, ASK, 997, 4)
    assert [(r["qty"], REASONS[r["reason"]]) for r in probe.reports()] == [(4, "through")]


def fill_notes(probe, now):
    """Leave an `unexplained` at so many far levels that the table has no room left."""
    px = 1
    while probe.notes()[1] == 0:
        probe.row("L", now, BID, px, 2)
        probe.row("L", now, BID, px, 1)
        px += 1
        assert px < 900_000


def test_a_table_full_of_live_levels_is_counted_and_read_against_us():
    probe = PaperProbe()
    snapshot(probe, levels=[(BID, 1_000_000, 50), (ASK, 1_000_010, 40)])
    fill_notes(probe, MS)
    place(probe, px=1_000_000, now=MS)
    # the decrease cannot be noted, so that its late print must not pass for one not yet displayed
    probe.row("L", 2 * MS, BID, 1_000_000, 40)
    probe.row("T", 3 * MS, ASK, 1_000_000, 10)
    assert probe.note(BID, 1_000_000) == (0, 0, 0, 0)
    # a cross that could be given twice is not given at all
    probe.reports()
    probe.row("L", 4 * MS, ASK, 1_000_000, 3, eom=True)
    assert probe.reports() == []


def test_notes_that_ran_out_make_room():
    probe = PaperProbe()
    snapshot(probe, levels=[(BID, 1_000_000, 50), (ASK, 1_000_010, 40)])
    fill_notes(probe, MS)
    _, refused = probe.notes()
    probe.row("L", 600 * MS, BID, 1_000_000, 40)
    assert probe.note(BID, 1_000_000)[0] == 10
    assert probe.notes() == (1, refused)


# ---- laws

PX = st.integers(996, 1006)
ROWS = st.lists(
    st.one_of(
        st.tuples(st.just("L"), st.integers(0, 1), PX, st.integers(0, 60)),
        st.tuples(st.just("T"), st.integers(0, 1), PX, st.integers(1, 40)),
    ),
    max_size=60,
)
ORDERS = st.lists(st.tuples(st.integers(0, 1), PX, st.integers(1, 30)), min_size=1, max_size=5)


def drive(model, orders, rows, gap_ns=MS, eom=True):
    """Send the orders, replay the rows; return the lots filled by order."""
    probe = venue(model=model)
    for order, (side, px, qty) in enumerate(orders, 1):
        place(probe, order, side, px, qty)
    filled = dict.fromkeys(range(1, len(orders) + 1), 0)
    for at, (kind, side, px, qty) in enumerate(rows, 1):
        probe.row(kind, at * gap_ns, side, px, qty, eom=eom)
        got = [r for r in probe.reports() if r["kind"] == ReportKind.REP_FILL]
        if kind == "T" and not eom:
            assert sum(r["qty"] for r in got) <= qty
            assert all(r["side"] == 1 - side for r in got)
        if kind == "L" and not eom:
            assert got == []
        for r in got:
            filled[r["order"]] += r["qty"]
    return filled


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=100, deadline=None)
@given(orders=ORDERS, rows=ROWS)
def test_law_no_fill_without_volume_and_none_beyond_the_size(model, orders, rows):
    filled = drive(model, orders, rows, eom=False)
    for order, (_, _, qty) in enumerate(orders, 1):
        assert 0 <= filled[order] <= qty


@settings(max_examples=150, deadline=None)
@given(order=ORDERS.map(lambda orders: orders[:1]), rows=ROWS)
def test_law_a_lone_order_always_first_never_fills_less(order, rows):
    front = drive("front", order, rows)[1]
    for model in ("risk", "linear", "square"):
        assert drive(model, order, rows)[1] <= front


@settings(max_examples=150, deadline=None)
@given(
    order=ORDERS.map(lambda orders: orders[:1]),
    changes=ROWS.map(lambda rows: [r for r in rows if r[0] == "L"]),
    prints=ROWS.map(lambda rows: [r for r in rows if r[0] == "T"]),
)
def test_law_risk_never_fills_more_than_linear_or_square_where_prints_follow_late(
    order, changes, prints
):
    """Once every credit ran out, the queue of the default model is the longest.

    It does not hold in general: a print before its depth row leaves the other models more credit.
    """
    gap = [("L", BID, 1, 1)]
    rows = [*changes, *gap, *prints]
    assert drive("risk", order, rows, 300 * MS, eom=False)[1] <= min(
        drive(model, order, rows, 300 * MS, eom=False)[1] for model in ("linear", "square")
    )


@settings(max_examples=100, deadline=None)
@given(orders=ORDERS, rows=ROWS, model=st.sampled_from(MODELS))
def test_law_equal_inputs_give_equal_reports(orders, rows, model):
    runs = []
    for _ in range(2):
        probe = venue(model=model, maker_ppm=28, response_ns=5)
        for order, (side, px, qty) in enumerate(orders, 1):
            place(probe, order, side, px, qty)
        for at, row in enumerate(rows, 1):
            probe.row(row[0], at * MS, *row[1:], eom=True)
        runs.append(probe.reports())
    assert runs[0] == runs[1]
    times = [r["time_ns"] for r in runs[0]]
    assert times == sorted(times)
    ids = [r["venue_id"] for r in runs[0] if r["kind"] == ReportKind.REP_FILL]
    assert len(set(ids)) == len(ids)


@given(front=st.integers(1, 1 << 47), behind=st.integers(0, 1 << 46), left=st.integers(0, 1 << 47))
def test_law_square_share_is_exact_at_any_size(front, behind, left):
    """The share of a decrease is floor(dec f^2 / (f^2 + b^2)), past 128 bits too."""
    size = front + behind
    new = min(left, size)
    probe = PaperProbe(model="square")
    snapshot(probe, levels=[(BID, 1000, front), (ASK, 1003, 1)])
    place(probe)
    probe.row("L", MS, BID, 1000, size)
    probe.row("L", 2 * MS, BID, 1000, new)
    share = (size - new) * front**2 // (front**2 + behind**2)
    assert probe.orders()[1][5] == min(front - share, new)


def filled_fee(side, px, qty, ppm):
    """Return the fee of a whole fill at our price, by volume that trades at a worse one."""
    probe = PaperProbe(maker_ppm=ppm)
    snapshot(probe, levels=[(BID, px - 5, 50), (ASK, px + 5, 40)])
    place(probe, side=side, px=px, qty=qty)
    worse = px - 1 if side == BID else px + 1
    probe.row("T", 1, ASK if side == BID else BID, worse, qty)
    (fee,) = [r["fee"] for r in probe.reports() if r["kind"] == ReportKind.REP_FILL]
    return fee


def test_vector_v14_the_fee_of_a_fill_is_rounded_up():
    cases = ((1000, 40), (1000, 28), (1000, 280), (1, 28))
    fees = [filled_fee(BID, 1_210_436, qty, ppm) for qty, ppm in cases]
    assert fees == [48418, 33893, 338923, 34]


def test_vector_v15_a_round_trip_after_fees():
    bought, sold, qty = 1_210_400, 1_210_460, 2000
    fees = filled_fee(BID, bought, qty, 40) + filled_fee(ASK, sold, qty, 40)
    assert ((sold - bought) * qty, fees, (sold - bought) * qty - fees) == (
        120_000,
        193_669,
        -73_669,
    )
