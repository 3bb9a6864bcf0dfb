"""What the bot does when the market misbehaves by script: quotes are right or gone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bog import spec
from bog._core.types import FillReason, Halt, Verdict
from bog._core.types import JournalKind as J
from tests.rig.session import trade

SEC = 1_000_000_000
AT = 8  # seconds after the start: quotes rest by then
INTENTS = (J.J_PLACE, J.J_AMEND)
# an account that may move its quotes at every tick, so that silence means something
EAGER = {
    "execution": {"tier": "premium_500k"},
    "risk": {"rate_limit_orders_per_sec": 100, "rate_limit_burst": 100},
    "strategy": {"simple_spread": {"min_interval_ms": 0, "requote_ticks": 1}},
}


def times(records: np.ndarray[Any, Any], *kinds: int) -> list[float]:
    """Return when records of these kinds were written, in seconds after the start."""
    chosen = records[np.isin(records["kind"], [int(kind) for kind in kinds])]
    return [(int(t) - spec.SIM_START_NS) / SEC for t in chosen["time_ns"]]


def test_a_stall_is_stale_after_half_a_second_and_pulls_the_quotes(tmp_path: Path) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} stall 3")
    stale = records[records["kind"] == J.J_STALE]
    assert [int(s) for s in stale["state"]] == [1, 0]
    began, ended = times(records, J.J_STALE)
    assert AT + 0.5 < began < AT + 0.75
    assert [t for t in times(records, J.J_CANCEL) if began <= t < began + 0.2]
    assert not [t for t in times(records, *INTENTS) if began <= t < ended]
    assert [t for t in times(records, *INTENTS) if t > ended], "quoting resumes by itself"
    assert code == 0 and page["orders"] == []


@pytest.mark.parametrize("incident", ["one-sided bid 3", "one-sided ask 3", "crossed 200"])
def test_a_broken_book_is_not_quoted_on(tmp_path: Path, incident: str) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} {incident}")
    denied = records[(records["kind"] == J.J_DENIED) & (records["reason"] == Verdict.DENY_BOOK)]
    assert len(denied), "the gate names the book"
    assert page["denied"][Verdict.DENY_BOOK] > 0
    assert code == 0 and page["violations"] == 0


def test_a_gap_voids_the_book_until_the_snapshot(tmp_path: Path) -> None:
    def quoted(script: str, folder: str) -> list[float]:
        _, records, code = trade(tmp_path / folder, script=script, flags=EAGER)
        assert code == 0
        return [t for t in times(records, *INTENTS) if AT + 0.15 < t < AT + 0.45]

    assert quoted("", "whole"), "without the gap quotes move in that window"
    assert not quoted(f"{AT} gap 5", "holed")


@pytest.mark.parametrize("incident", ["reconnect 2", "duplicate 50", "malformed 5", "jump 3",
                                      "spread 20 3", "burst 10 3", "cascade bid 3",
                                      "refuse 5", "late-cancel 2"])  # fmt: skip
def test_an_incident_leaves_no_order_and_exact_books(tmp_path: Path, incident: str) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} {incident}", seconds=25)
    assert code == 0 and page["orders"] == []
    assert page["violations"] == 0 and page["halt"] == Halt.HALT_NONE
    measure, position = page["measure"], page["position"]
    parts = measure["capture"] + measure["inventory"] - 2 * measure["fees"]
    parts += 2 * measure["funding"]
    assert parts == 2 * position["cash"] + position["pos"] * measure["mid2"]
    after = [t for t in times(records, *INTENTS) if t > AT + 5]
    assert after, "trading goes on afterwards"


def test_a_market_that_the_venue_stops_halts_until_an_operator_clears_it(tmp_path: Path) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} halt 3", seconds=25)
    assert (page["halt"], code, page["orders"]) == (Halt.HALT_VENUE, 0, [])
    (halted,) = times(records, J.J_HALT)
    assert AT <= halted < AT + 0.5
    assert not [t for t in times(records, *INTENTS) if t > halted]


def test_a_lost_ack_counts_as_live_until_proven_dead(tmp_path: Path) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} lose-ack 1", seconds=25)
    unknown = records[records["kind"] == J.J_UNKNOWN]
    assert len(unknown) == 1
    order, side = int(unknown[0]["id"]), int(unknown[0]["side"])
    told = int(unknown[0]["time_ns"])
    proof = records[
        (records["id"] == order)
        & np.isin(records["kind"], [int(J.J_CANCELED), int(J.J_EXPIRED), int(J.J_REJECT)])
    ]
    dead = int(proof[0]["time_ns"]) if len(proof) else 2**63 - 1
    places = records[(records["kind"] == J.J_PLACE) & (records["side"] == side)]
    again = [int(r["time_ns"]) for r in places if told < int(r["time_ns"]) < dead]
    assert not again, "an order of unknown fate was created again"
    assert code in (0, 3)


def test_a_daily_loss_halts_and_the_next_life_stays_halted(tmp_path: Path) -> None:
    loss = {"risk": {"max_daily_loss": "0.5"}}
    page, records, _ = trade(tmp_path, script=f"{AT} jump 5", flags=loss, seconds=60)
    assert page["halt"] == Halt.HALT_DAILY_LOSS and page["halt_id"] == 1
    halted = times(records, J.J_HALT)[0]
    assert not [t for t in times(records, *INTENTS) if t > halted]
    page, records, _ = trade(tmp_path, flags=loss)
    assert page["halt"] == Halt.HALT_DAILY_LOSS
    assert not times(records, *INTENTS)
    page, records, _ = trade(tmp_path, clear_halt=2)
    assert not times(records, *INTENTS), "the wrong id clears nothing"
    page, records, _ = trade(tmp_path, clear_halt=1)
    assert times(records, *INTENTS)
    assert len(records[records["kind"] == J.J_CLEAR_HALT]) == 1


def test_fills_of_the_built_in_market_are_matches_in_true_queues(tmp_path: Path) -> None:
    _, records, _ = trade(tmp_path, seconds=60)
    fills = records[records["kind"] == J.J_FILL]
    assert len(fills) and set(fills["reason"]) == {int(FillReason.FILL_MATCH)}
