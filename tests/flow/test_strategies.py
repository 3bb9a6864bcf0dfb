"""Strategies that manage inventory, through feed, step, journal and executor."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bog._core.types import Fit, JournalKind, ModelNumber, Side, StrategyState
from tests.rig.session import trade

Q16 = 1 << 16
PATIENCE_MS = 500  # between two changes of a side, so that a short run sees many


def chosen(**keys: Any) -> dict[str, Any]:
    """Return the flags of a run with strategy inventory and these keys of it."""
    table = {"min_interval_ms": PATIENCE_MS, **keys}
    return {
        "strategy": {"name": "inventory", "inventory": table},
        "execution": {"tier": "plus"},
    }


def of(records: np.ndarray[Any, Any], kind: int) -> np.ndarray[Any, Any]:
    return records[records["kind"] == kind]


@pytest.mark.parametrize("model", ["as_infinite", "as_tau", "glft", "grid"])
def test_every_model_trades_and_keeps_its_limits(tmp_path: Path, model: str) -> None:
    page, records, code = trade(tmp_path, seconds=60, flags=chosen(model=model))
    assert code == 0
    assert page["fills"] > 0
    assert page["violations"] == 0
    assert page["orders"] == []
    # no fill took it past the limit of its inventory
    fills = of(records, JournalKind.J_FILL)
    held = np.cumsum(np.where(fills["side"] == Side.BID, 1, -1) * fills["qty"])
    assert np.abs(held).max() <= 5000
    # it warmed up, was active, and went down in order
    passed = [int(state) for state in of(records, JournalKind.J_STRATEGY)["state"]]
    assert passed[:2] == [StrategyState.STRATEGY_WARMING, StrategyState.STRATEGY_ACTIVE]
    assert passed[-1] == StrategyState.STRATEGY_STOPPED == page["strategy"]
    # and no order was placed before it was active
    active = of(records, JournalKind.J_STRATEGY)[1]["seq"]
    assert of(records, JournalKind.J_PLACE)["seq"].min() > active


def test_the_numbers_of_the_model_are_on_the_page_as_in_the_journal(tmp_path: Path) -> None:
    page, records, _ = trade(tmp_path, seconds=20, flags=chosen(model="glft", calibrate="false"))
    models = of(records, JournalKind.J_MODEL)
    for number in range(ModelNumber.NUMBERS):
        last = models[models["id"] == number]["val"][-1]
        assert page["number_q16"][number] == last
    assert page["number_q16"][ModelNumber.NUMBER_ARRIVALS] == round(1.54 * Q16)
    assert page["number_q16"][ModelNumber.NUMBER_FIT] == Fit.FIT_CONFIGURED << 16
    assert page["sigma_q8"][0] > 0
    assert page["sigma_q8"][1] > 0


def test_a_fit_is_tried_each_minute_and_says_what_came_of_it(tmp_path: Path) -> None:
    page, records, _ = trade(tmp_path, seconds=130, flags=chosen(model="glft"))
    fits = of(records, JournalKind.J_MODEL)
    fits = fits[fits["id"] == ModelNumber.NUMBER_FIT]
    begun = int(records["time_ns"][records["time_ns"] > 0].min())
    assert int(fits["val"][0]) >> 16 == Fit.FIT_CONFIGURED
    assert len(fits) >= 2
    assert 59 < (int(fits["time_ns"][1]) - begun) / 1e9 < 62
    tried = page["number_q16"][ModelNumber.NUMBER_FIT] >> 16
    assert tried in (Fit.FIT_GOOD, Fit.FIT_FEW, Fit.FIT_RISING)
    used = page["number_q16"][ModelNumber.NUMBER_DECAY]
    assert (used == round(0.056 * Q16)) == (tried != Fit.FIT_GOOD)


def test_two_runs_of_a_model_that_fits_itself_write_the_same_journal(tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        trade(tmp_path / name, seconds=70, flags=chosen(model="grid"))
        (path,) = (tmp_path / name / "journal").glob("*.journal")
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_a_quota_is_spent_and_earned(tmp_path: Path) -> None:
    flags = chosen(model="glft")
    flags["execution"]["tier"] = "premium_500k"
    page, records, _ = trade(tmp_path, seconds=60, flags=flags)
    sent = len(of(records, JournalKind.J_PLACE)) + len(of(records, JournalKind.J_AMEND))
    earned = page["position"]["volume"] // 3_000_000
    # one in 15 s is free: at most five of a minute, the first included
    assert 1000 - sent + earned <= page["quota"] + 1
    assert page["quota"] <= 1000 - sent + earned + 5
