"""Strategies that manage inventory, through feed, step, journal and executor."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bog._core.types import Fit, JournalKind, ModelNumber, OrderState, Side, StrategyState
from tests.rig.live import Bot, environment, is_drained, wait_for
from tests.rig.session import trade

Q16 = 1 << 16
DEAD = OrderState.ORDER_FILLED  # and the states after it
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


def test_a_grid_rests_all_its_orders_trades_and_drains(tmp_path: Path) -> None:
    flags = chosen(model="grid", grid_orders=3)
    flags["risk"] = {"max_open_orders": 6}
    page, records, code = trade(tmp_path, seconds=60, flags=flags)
    assert code == 0
    assert (page["orders"], page["violations"]) == ([], 0)
    # the journal's word of every order, in its order: three a side at most, and three a side indeed
    alive: dict[int, tuple[int, int]] = {}
    most = {Side.BID: 0, Side.ASK: 0}
    resting = {Side.BID: set(), Side.ASK: set()}
    whole = 0
    for record in records:
        kind, order, side = (int(record[name]) for name in ("kind", "id", "side"))
        if kind == JournalKind.J_PLACE:
            alive[order] = (side, int(record["qty"]))
        elif kind == JournalKind.J_ACK and order in alive and record["state"] < DEAD:
            resting[Side(side)].add(order)
        elif order in alive and record["state"] >= DEAD:
            alive.pop(order)
            resting[Side(side)].discard(order)
        for each in (Side.BID, Side.ASK):
            most[each] = max(most[each], sum(where == each for where, _ in alive.values()))
        whole += all(len(orders) == 3 for orders in resting.values())
    assert most == {Side.BID: 3, Side.ASK: 3}
    assert whole > 100
    assert alive == {}
    # orders of every level were filled, and never past the limit of the inventory
    fills = of(records, JournalKind.J_FILL)
    assert len(fills) > 10
    held = np.cumsum(np.where(fills["side"] == Side.BID, 1, -1) * fills["qty"])
    assert np.abs(held).max() <= 5000
    # an order costs one request when a cell is left: more amends than new orders
    assert page["amended"] > 0


def test_a_running_grid_is_seen_whole_and_pulled_whole(tmp_path: Path) -> None:
    own = {
        "NAME": "inventory", "INVENTORY__MODEL": "grid", "INVENTORY__GRID_ORDERS": "8",
        "INVENTORY__ORDER_SIZE": "0.002", "INVENTORY__WARM_SAMPLES": "1",
    }  # fmt: skip
    environ = {f"BOG_STRATEGY__{key}": value for key, value in own.items()}
    bot = Bot(tmp_path, "--tier", "plus", BOG_RISK__MAX_OPEN_ORDERS="16",
              BOG_RISK__RATE_LIMIT_BURST="64", **environ)  # fmt: skip

    def status(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bog.cli.ctl", "--journal", str(bot.folder), *words],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    try:
        bot.ready()
        wait_for(lambda: len(bot.page()["orders"]) == 16)
        # a fill may come between the two looks, an order more than sixteen never
        assert len(json.loads(status("status", "--json"))["orders"]) in range(12, 17)
        status("pause")
        wait_for(lambda: not bot.page()["orders"])
        status("resume")
        wait_for(lambda: len(bot.page()["orders"]) >= 12)
        bot.stop()
        assert is_drained(bot.folder)
    finally:
        bot.kill()


def test_two_runs_of_a_grid_write_the_same_journal(tmp_path: Path) -> None:
    flags = chosen(model="grid", grid_orders=4)
    flags["risk"] = {"max_open_orders": 8}
    written = []
    for name in ("first", "second"):
        trade(tmp_path / name, seconds=30, flags=flags)
        (path,) = (tmp_path / name / "journal").glob("*.journal")
        written.append(path.read_bytes())
    assert written[0] == written[1]


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
