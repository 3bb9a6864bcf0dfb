"""A report adds up exactly, or there is none."""

import json
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog import report
from bog.errors import BogError
from tests.shell import factory


def result(
    about: dict[str, Any] | None = None, page: dict[str, Any] | None = None, **changed: Any
) -> report.RunResult:
    base: dict[str, Any] = {
        "about": factory.about(**(about or {})), "page": factory.page(**(page or {})),
        "ended": "duration", "exit_code": 0, "open_orders": 0, "wall_sec": 1.5,
        "journal": "var/journal/m1.bog",
        "host": factory.granted(), "refused": [],
    }  # fmt: skip
    return report.RunResult(**(base | changed))  # type: ignore[typeddict-item]


def test_the_binding_example_adds_up_to_twenty() -> None:
    built = report.build(result())
    p = built["pnl"]
    assert (p["capture"], p["inventory"], p["fees"], p["funding"], p["total"]) == (
        "0.000030", "-0.000010", "0.000000", "0.000000", "0.000020")  # fmt: skip
    assert p["total_bps_of_volume"] == "9.9900"  # 20 of 20020
    assert p["worst_drawdown"] == "0.000010"
    assert built["fills"] == {
        "count": 2, "by_side": {"bid": 1, "ask": 1}, "by_reason": {"queue": 1, "through": 1},
        "per_hour": "120.0", "volume": "0.020020", "ratio": "0.3333",
    }  # fmt: skip
    assert built["requests"] == {
        "count": 12, "place": 6, "amend": 4, "cancel": 2, "per_fill": "6.00"}  # fmt: skip
    assert built["refused"] == {"gate": {"DENY_RATE": 12}, "venue": {"REJ_POST_ONLY": 3}}
    assert built["quoting"] == {
        "both_sides": "0.7500",
        "at_touch": {"bid": "0.5000", "ask": "0.2500"},
        "not_quoting_sec": {
            "bid": {"no_book": "6.000000000", "DENY_RATE": "3.000000000"},
            "ask": {"inventory": "15.000000000"},
        },
    }
    assert built["inventory"] == {
        "position": "0.00000", "mean": 0.00005, "mean_absolute": 0.00005, "deviation": 0.00005,
        "at_limit": "0.0100"}  # fmt: skip


def test_markouts_are_weighted_by_volume_and_split_by_side_and_reason() -> None:
    rows = report.build(result())["markouts"]
    assert [(r["horizon_ms"], r["side"], r["reason"], r["fills"], r["bps"]) for r in rows] == [
        (1000, "all", "all", 2, "-4.9950"),  # -20 half quanta of 20020 quanta
        (1000, "bid", "queue", 1, "5.0000"),
        (1000, "ask", "through", 1, "-14.9701"),
    ]
    assert rows[1]["value"] == "0.000005"
    assert report.build(result())["markouts_excluded"] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ({"measure": factory.measure(capture=61)}, "make 41 half quanta, equity moved by 40"),
        ({"measure": factory.measure(fees=1)}, "make 38 half quanta"),
        ({"measure": factory.measure(start=1)}, "equity moved by 39"),
        ({"position": factory.position(cash=21, realized=21)}, "equity moved by 42"),
        ({"position": factory.position(realized=19)}, "cash is 20 quanta, not 19"),
        ({"measure": factory.measure(by_reason=[0, 1, 0, 0, 0, 0])}, "2 fills, 1 by reason"),
    ],
)
def test_a_report_that_does_not_add_up_is_refused(page: dict[str, Any], says: str) -> None:
    with pytest.raises(BogError, match="does not add up") as refused:
        report.build(result(page=page))
    assert says in str(refused.value)


MONEY = st.integers(-(2**60), 2**60)


@given(MONEY, MONEY, MONEY, MONEY, st.integers(0, 12))
def test_law_the_printed_parts_add_up_to_the_printed_total(
    capture: int, inventory: int, fees: int, funding: int, size_decimals: int
) -> None:
    parts = capture + inventory - 2 * fees + 2 * funding
    m = factory.measure(
        capture=capture, inventory=inventory, fees=fees, funding=funding, start=-parts
    )
    flat = factory.position(cash=0, realized=0)
    built = report.build(
        result(about={"size_decimals": size_decimals}, page={"measure": m, "position": flat})
    )["pnl"]
    printed = [Decimal(built[part]) for part in ("capture", "inventory", "fees", "funding")]
    assert sum(printed) == Decimal(built["total"])


@pytest.mark.parametrize(
    ("about", "page", "says"),
    [
        ({"fill_model": "risk"}, {"no_prints": 1}, "no prints, not comparable"),
        ({"fill_model": "linear"}, {}, "fill model linear: an optimistic bound"),
        ({"fill_model": "square"}, {}, "fill model square: an optimistic bound"),
        ({"fill_model": "front"}, {}, "fill model front: an optimistic bound"),
        ({"fill_model": "risk", "through_full": True}, {}, "fills the whole order"),
        ({"fill_model": "risk"}, {"pessimistic": 4}, "4 orders stood where the book was unknown"),
        ({"fill_model": "risk"}, {"laps": 2}, "1 gaps, 2 laps"),
        ({}, {}, "true queues"),
    ],
)
def test_what_a_reader_must_know_is_said(
    about: dict[str, Any], page: dict[str, Any], says: str
) -> None:
    built = report.build(result(about=about, page=page))
    assert any(says in label for label in built["labels"])
    assert says in report.table(built)


def test_a_clean_run_of_the_default_model_needs_no_label() -> None:
    assert report.build(result({"fill_model": "risk"}, {"gaps": 0}))["labels"] == []


def test_the_table_says_what_the_result_assumes_and_how_it_came_about() -> None:
    text = report.table(report.build(result()))
    for part in (
        "data        sim active, BTC (market 1), seed 1",
        "60.000 s of the market in 1.5 s, ended by duration",
        "tier standard 2026-09-26: maker 0 ppm, taker 0 ppm",
        "queue; latency in ms: net 40, response 40, maker 0, cancel 300, amend 300, taker 300",
        "fills       2: bid 1, ask 1; queue 1, through 1",
        "pnl         0.000020 = capture 0.000030 + inventory -0.000010 + fees 0.000000",
        "by the gate: DENY_RATE 12",
        "by the venue: REJ_POST_ONLY 3",
        "not quoting bid, s: no_book 6.000, DENY_RATE 3.000",
        "ask, s: inventory 15.000",
        "latency     tick p50 850 ns, p99 12300 ns, p99.9 4000000 ns, most 5000000 ns",
        "            with orders none",
        "   1000 ms   ask  through       1   -14.9701",
    ):
        assert part in text, part
    assert "WARNING" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_open_orders_are_a_warning() -> None:
    text = report.table(report.build(result(open_orders=2, exit_code=3)))
    assert "WARNING: 2 orders may still be open" in text


def test_a_run_without_time_or_fills_has_a_report() -> None:
    empty = factory.measure(
        capture=0, inventory=0, fills=[0, 0], filled=[0, 0], sent=[0, 0], by_reason=[0] * 6,
        markouts=[], last_ns=0, both_ns=0, touch_ns=[0, 0], idle_ns=[{}, {}], limit_ns=0,
        pos_dt=0.0, abs_dt=0.0, sq_dt=0.0, volume=0,
    )  # fmt: skip
    flat = factory.position(cash=0, realized=0)
    built = report.build(result(page={"measure": empty, "position": flat, "denied": [0] * 25}))
    assert built["fills"]["ratio"] is None
    assert built["pnl"]["total_bps_of_volume"] is None
    text = report.table(built)
    assert "fills       0: bid 0, ask 0; none" in text
    assert "by the gate: none" in text


def test_the_file_is_json_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    built = report.build(result())
    report.write(built, str(path))
    assert json.loads(path.read_text()) == json.loads(json.dumps(built))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text())["pnl"]["total"] == "0.000020"


def test_a_file_that_cannot_be_written_is_one_line() -> None:
    with pytest.raises(BogError, match=r"cannot write the report /nosuch/r\.json: No such file"):
        report.write({}, "/nosuch/r.json")
