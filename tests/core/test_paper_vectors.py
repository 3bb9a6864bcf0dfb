"""The paper venue against the published vectors: fills and state after every event."""

import json
from pathlib import Path

import pytest

from bog._core.paper import REASONS, PaperProbe
from bog._core.types import ReportKind

VECTORS = json.loads(
    (Path(__file__).parent.parent / "data" / "market-making-vectors.json").read_text()
)
MS = 1_000_000


def side_of(sign: int) -> int:
    """Return 0 for the vectors' 1 (buy, bid) and 1 for their -1."""
    return 0 if sign == 1 else 1


def start(**params) -> PaperProbe:
    """Return a venue whose book is the vectors' start, one snapshot at time 0."""
    probe = PaperProbe(**params)
    rows = [("R", 0, 0, 0)]
    for side, name in ((0, "bids"), (1, "asks")):
        rows += [("L", side, int(px), qty) for px, qty in VECTORS["start"][name].items()]
    for at, (kind, side, px, qty) in enumerate(rows):
        probe.row(kind, 0, side, px, qty, eom=at == len(rows) - 1)
    return probe


def apply(probe: PaperProbe, event: list) -> None:
    now, what, *args = event
    now *= MS
    if what == "send":
        order, sign, px, size, entry = args
        probe.send(order, side_of(sign), px, size, now, entry * MS)
    elif what == "cancel":
        order, latency = args
        probe.cancel(order, now, latency * MS)
    elif what == "level":
        sign, px, size = args
        probe.row("L", now, side_of(sign), px, size)
    elif what == "trade":
        sign, px, size = args
        probe.row("T", now, side_of(sign), px, size)
    else:
        assert what == "end"
        probe.end(now)


def fills(probe: PaperProbe) -> list[dict]:
    return [
        {
            "order": r["order"],
            "price": r["px"],
            "size": r["qty"],
            "reason": REASONS[r["reason"]],
        }
        for r in probe.reports()
        if r["kind"] == ReportKind.REP_FILL
    ]


def test_every_vector_is_there():
    names = {f"V{n}" for n in range(20, 37)} | {"V25 linear", "V25 square", "V26 full"}
    assert set(VECTORS["fills"]) == names


@pytest.mark.parametrize("name", sorted(VECTORS["fills"]))
def test_fills_and_state_after_every_event(name):
    vector = VECTORS["fills"][name]
    probe = start(model=vector.get("model", "risk"), through_full=vector.get("through") == "full")
    assert len(vector["events"]) == len(vector["steps"])
    for event, step in zip(vector["events"], vector["steps"], strict=True):
        apply(probe, event)
        assert fills(probe) == step["fills"], event
        alive = {
            str(order): {"rem": rem, "ahead": ahead, "state": state}
            for order, (state, _, _, _, rem, ahead, _) in probe.orders().items()
        }
        assert alive == step["open"], event


def test_v28_is_rejected_and_says_so():
    probe = start()
    probe.send(1, 0, 1003, 10, MS)
    (report,) = probe.reports()
    assert report["kind"] == ReportKind.REP_REJECT
    assert probe.counts()["post_only"] == 1


def test_v37_three_legs_of_latency():
    """Entry 40 ms + maker 200 ms, response 40 ms: sent 0, live 240, known 280; fill 250, 290."""
    probe = start(net_ns=40 * MS, maker_ns=200 * MS, response_ns=40 * MS)
    assert probe.command(1, 1, 0, 1001, 10, 0)
    assert probe.due() == 280 * MS
    probe.advance(239 * MS)
    assert probe.orders()[1][0] == "pending"
    probe.advance(240 * MS)
    assert probe.orders()[1][0] == "open"
    probe.row("T", 250 * MS, 1, 1001, 4)
    assert probe.report(280 * MS - 1) is None
    ack = probe.report(280 * MS)
    assert (ack["kind"], ack["venue_ns"], ack["time_ns"]) == (
        ReportKind.REP_ACK,
        240 * MS,
        280 * MS,
    )
    assert probe.due() == 290 * MS
    assert probe.report(290 * MS - 1) is None
    fill = probe.report(290 * MS)
    assert (fill["kind"], fill["qty"], fill["venue_ns"]) == (ReportKind.REP_FILL, 4, 250 * MS)
    assert probe.due() is None


@pytest.mark.parametrize(
    ("position", "payment"),
    list(zip((50_000, -50_000), VECTORS["values"]["V38"], strict=True)),
)
def test_v38_funding_on_the_hour(position, payment):
    probe = start()
    probe.position = position
    hour = 3_600_000 * MS
    probe.row("S", MS, px=1_210_440, id=12, exch_ns=10 * hour + 5)
    assert probe.reports() == []
    probe.row("T", 2 * MS, 1, 998, 1, exch_ns=11 * hour - 1)
    assert probe.reports() == []
    probe.row("T", 3 * MS, 1, 998, 1, exch_ns=11 * hour)
    (report,) = probe.reports()
    assert report["kind"] == ReportKind.REP_FUNDING
    assert (report["px"], report["qty"], report["fee"]) == (1_210_440, position, -payment)
    probe.row("T", 4 * MS, 1, 998, 1, exch_ns=11 * hour + 1)
    assert probe.reports() == []
