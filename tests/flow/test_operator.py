"""bog-ctl in an incident: a limit tightened, every order pulled, the position brought to zero."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.types import Asked, Flattened, Level, Limit, Side
from tests.flow.test_control import ctl, told
from tests.rig.live import (
    PATIENCE_S,
    Bot,
    K,
    environment,
    of_kind,
    one_error,
    records,
    runs,
    wait_for,
)
from tests.rig.session import trade

UID = os.geteuid()
# one lot may be an order: what is left of a partial fill can always be quoted
NO_DUST = {
    "BOG_RISK__MIN_ORDER_SIZE": "0.00001", "BOG_MARKETS__1__MIN_BASE_AMOUNT": "0.00001",
    "BOG_MARKETS__1__MIN_QUOTE_AMOUNT": "0.000001",
}  # fmt: skip


def status(bot: Bot) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(bot, "status", "--json"))
    return found


def shown(bot: Bot, *kinds: str) -> list[dict[str, Any]]:
    """Return what bog-journal shows of the newest run."""
    line = [sys.executable, "-m", "bog.cli.journal", "show", runs(bot.folder)[-1]]
    done = subprocess.run(
        [*map(str, line), *(word for kind in kinds for word in ("--kind", kind))],
        cwd=bot.where, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S,
        check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def on_disk(bot: Bot, kind: K, least: int = 1) -> "np.ndarray[Any, Any]":
    """Return the records of a kind of a running bot, once there are so many on disk."""
    (found,) = wait_for(
        lambda: (found := of_kind(records(bot.folder), kind)).size >= least and [found]
    )
    return found


# set-limit


def test_a_tightened_limit_binds_at_once_and_outlives_a_killed_engine(
    bots: Callable[..., Bot],
) -> None:
    bot = bots().trading()
    said = told(bot, "--market", 1, "set-limit", "max_order_size", "0.0005")
    assert said.startswith("market 1: max_order_size 0.00050, was 0.05000; kept until")
    wait_for(lambda: not bot.page()["orders"])
    found = status(bot)
    assert found["limits"]["max_order_size"] == {
        "value": "0.00050", "steps": 50, "configured": "0.05000", "tightened_by": UID,
    }  # fmt: skip
    assert found["limits"]["max_position"]["tightened_by"] is None
    assert found["refused"]["DENY_MAX_SIZE"] > 0
    line = f"limit max_order_size 0.00050, tightened from 0.05000 by user {UID}"
    assert line in told(bot, "status")
    # looser or the same is refused, and changes nothing
    for value in ("0.01", "0.0005", "1"):
        refused = ctl(bot, "set-limit", "max_order_size", value)
        assert refused.returncode == 1
        assert "max_order_size is 0.00050 now: want a tighter one" in one_error(refused.stderr)
    (limit,) = on_disk(bot, K.J_LIMIT)
    assert (limit["val"], limit["qty"], limit["px"], limit["aux"]) == (50, 5000, 5000, UID)
    after = records(bot.folder)
    placed = of_kind(after[after["seq"] > limit["seq"]], K.J_PLACE, K.J_AMEND)
    assert placed.size == 0
    os.kill(bot.engine(), signal.SIGKILL)
    bot.ends(1)
    again = bots().ready()
    wait_for(lambda: again.page()["books"] > 100)
    assert "limit max_order_size stays 0.00050, as user" in again.said
    assert status(again)["limits"]["max_order_size"]["value"] == "0.00050"
    assert again.page()["orders"] == []
    again.stop()
    (kept,) = shown(again, "limit")
    assert kept | {"limit": "max_order_size", "value": "0.00050", "configured": "0.05000",
                   "uid": UID, "carried": 1} == kept  # fmt: skip
    assert of_kind(records(again.folder), K.J_PLACE).size == 0


def test_only_another_value_of_its_key_lifts_a_tightened_limit(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    told(bot, "set-limit", "max_order_size", "0.0005")
    told(bot, "set-limit", "max_short", "0.03")
    bot.stop()
    # another key is another configuration, and lifts nothing else
    bot = bots(BOG_RISK__MAX_ORDER_SIZE="0.04").trading()
    assert "limit max_order_size is 0.04000, configured anew: user" in bot.said
    assert "limit max_short stays 0.03000, as user" in bot.said
    limits = status(bot)["limits"]
    assert limits["max_order_size"]["value"] == limits["max_order_size"]["configured"] == "0.04000"
    assert (limits["max_short"]["value"], limits["max_short"]["configured"]) == (
        "0.03000",
        "0.10000",
    )
    bot.stop()
    (line,) = [line for line in bot.log if "configured anew" in line["message"]]
    assert line["level"] == "WARNING" and line["market"] == 1


def test_what_is_no_tighter_limit_is_refused_in_one_line_and_nothing_is_half_done(
    bots: Callable[..., Bot],
) -> None:
    bot = bots().trading()
    before = status(bot)["limits"]
    for name, value, code in (
        ("max_pos", "1", 2), ("max_position", "0.000001", 2), ("max_position", "0", 2),
        ("max_position", "-1", 2), ("max_position", "lots", 2), ("max_position", "0.1", 1),
        ("max_open_orders", "2.5", 2), ("collar", "0.0500001", 2), ("collar", "0.06", 1),
        ("max_daily_loss", "1e30", 2),
    ):  # fmt: skip
        refused = ctl(bot, "set-limit", name, value)
        assert refused.returncode == code, (name, value, refused.stderr)
        assert name in one_error(refused.stderr)
    assert ctl(bot, "set-limit", "max_position").returncode == 2
    assert status(bot)["limits"] == before
    bot.stop()
    assert of_kind(records(bot.folder), K.J_LIMIT).size == 0


def test_runs_under_the_same_request_write_the_same_journal(tmp_path: Path) -> None:
    """A limit is an input of the run as a tape is: two runs are equal, and so are their restarts."""
    asked = (Asked.ASKED_LIMIT, Limit.LIMIT_MAX_ORDER_SIZE, 400, 7)
    flags = {"strategy": {"simple_spread": {"order_size": "0.003"}}}
    found = []
    for name in "ab":
        _, first, _ = trade(tmp_path / name, flags=flags, asked=asked)
        _, second, _ = trade(tmp_path / name, seed=2, flags=flags)
        found.append(first.tobytes() + second.tobytes())
        (limit,) = of_kind(first, K.J_LIMIT)
        (kept,) = of_kind(second, K.J_LIMIT)
        assert (limit["val"], limit["aux"], kept["val"], kept["aux"]) == (400, 7, 400, 7)
        assert (limit["state"], kept["state"]) == (0, 1)
        for rows in (first[first["seq"] > limit["seq"]], second):
            sent = of_kind(rows, K.J_PLACE, K.J_AMEND)
            assert sent.size > 0 and sent["qty"].max() <= 400
    assert found[0] == found[1]
    _, free, _ = trade(tmp_path / "c", flags=flags)
    assert free.tobytes() != found[0][: free.nbytes]


# cancel-all


def test_cancel_all_pulls_every_order_proves_it_and_stays_paused(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    said = told(bot, "cancel-all")
    assert "orders canceled, none is left, after" in said
    assert "PAUSED: resume quotes again" in said
    page = bot.page()
    assert page["orders"] == [] and page["level"] == Level.LEVEL_PAUSED
    # again, with nothing to pull
    assert told(bot, "cancel-all").startswith("market 1: 0 orders canceled, none is left")
    assert told(bot, "resume").startswith("market 1: RUN")
    bot.trading()
    bot.stop()
    rows = records(bot.folder)
    asked = of_kind(rows, K.J_ASKED)
    assert asked["reason"].tolist() == [Asked.ASKED_CANCEL_ALL] * 2
    assert asked["aux"].tolist() == [UID] * 2
    # one by one: the account-wide cancel is not ours alone
    assert of_kind(rows, K.J_CANCEL).size >= 2 and of_kind(rows, K.J_CANCEL_ALL).size == 0
    paused = rows[(rows["kind"] == K.J_LEVEL) & (rows["state"] == Level.LEVEL_PAUSED)]
    resumed = rows[(rows["kind"] == K.J_LEVEL) & (rows["state"] == Level.LEVEL_RUN)]
    between = rows[(rows["seq"] > paused["seq"][0]) & (rows["seq"] < resumed["seq"][0])]
    assert of_kind(between, K.J_PLACE, K.J_AMEND).size == 0
    lines = [line for line in bot.log if line["event"] == "asked"]
    assert [line["uid"] for line in lines] == [UID] * 2


def test_cancel_all_says_which_orders_are_not_proven_gone(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    engine = bot.engine()
    os.kill(engine, signal.SIGSTOP)
    try:
        left = {str(order["id"]) for order in bot.page()["orders"]}
        refused = ctl(bot, "cancel-all")
        assert refused.returncode == 1
        line = one_error(refused.stderr)
        assert "not every order is proven gone within 15 s" in line
        assert left <= set(line.partition("left: ")[2].partition(";")[0].split(", "))
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_for(lambda: not bot.page()["orders"])
    assert bot.page()["level"] == Level.LEVEL_PAUSED
    bot.stop()


# flatten


def holding(bot: Bot) -> Bot:
    """Return the bot once it holds something."""
    bot.trading(fills=1)
    wait_for(lambda: bot.page()["position"]["pos"])
    return bot


def flattened(bot: Bot, number: int) -> "np.void":
    """Return the record that flattening number `number`, from 1, is over."""
    return on_disk(bot, K.J_FLATTENED, number)[number - 1]


def test_flatten_brings_the_position_to_zero_with_quotes_that_only_reduce_then_rests(
    bots: Callable[..., Bot],
) -> None:
    bot = bots("--speed", "20", **NO_DUST)
    for number in range(1, 21):
        said = told(holding(bot), "--market", 1, "flatten")
        over = flattened(bot, number)
        found = status(bot)
        assert found["level"] == "PAUSED" and found["orders"] == [] and not found["flattening"]
        assert float(found["position"]) == 0
        asked = of_kind(records(bot.folder), K.J_ASKED)
        if asked["qty"][-1]:
            break
        told(bot, "resume")  # it was flat when it was asked: once more
    assert "with post-only reduce-only quotes at the touch: no key that takes" in said
    told(bot, "resume")
    bot.trading()
    bot.stop()
    begun = asked[-1]
    assert (begun["reason"], begun["aux"]) == (Asked.ASKED_FLATTEN, UID) and begun["qty"]
    assert (over["reason"], over["qty"]) == (Flattened.FLATTENED_FLAT, 0)
    rows = records(bot.folder)
    during = rows[(rows["seq"] > begun["seq"]) & (rows["seq"] < over["seq"])]
    sent = of_kind(during, K.J_PLACE, K.J_AMEND)
    # what was in flight when it began may have filled either way until the book was empty
    pos = position_at(rows, int(sent["seq"].min()))
    side = Side.ASK if pos > 0 else Side.BID
    assert set(sent["side"].tolist()) == {side} and sent["qty"].max() <= abs(pos)
    for fill in of_kind(during[during["seq"] > sent["seq"].min()], K.J_FILL):
        assert fill["side"] == side and fill["qty"] <= abs(pos)
        pos += int(fill["qty"]) * (1 if side == Side.BID else -1)
    assert pos == 0
    (line, *_) = [line for line in reversed(bot.log) if line["event"] == "flattened"]
    assert line["reason"] == "flat" and line["message"] == "Flat: paused"


def position_at(rows: "np.ndarray[Any, Any]", seq: int) -> int:
    """Return the lots held before a record."""
    fills = of_kind(rows[rows["seq"] < seq], K.J_FILL)
    return int(np.where(fills["side"] == 0, fills["qty"], -fills["qty"]).sum())


def test_a_pause_ends_flattening_and_status_shows_what_is_left(bots: Callable[..., Bot]) -> None:
    # quotes that nobody reaches for long: each change takes two seconds
    bot = bots(BOG_VENUE__NET_LATENCY_MS="1000", **NO_DUST)
    for number in range(1, 21):
        told(holding(bot), "flatten")
        table, found = told(bot, "status"), status(bot)
        told(bot, "pause")
        over = flattened(bot, number)
        wait_for(lambda: not bot.page()["orders"])
        assert bot.page()["level"] == Level.LEVEL_PAUSED and not status(bot)["flattening"]
        if over["reason"] == Flattened.FLATTENED_HELD:
            break
        told(bot, "resume")
    assert over["reason"] == Flattened.FLATTENED_HELD
    assert found["flattening"] and "\nflattening  0." in table and " BTC left\n" in table
    assert of_kind(records(bot.folder), K.J_ASKED)["reason"].tolist()[-1] == Asked.ASKED_HOLD
    told(bot, "resume")
    bot.trading()
    bot.stop()


def test_flatten_is_refused_under_a_halt(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    told(bot, "kill")
    bot.ends()
    bot = bots().ready()
    refused = ctl(bot, "flatten")
    assert refused.returncode == 1
    assert "KILLED, stands, under which nothing is quoted" in one_error(refused.stderr)
    assert bot.page()["level"] == Level.LEVEL_RUN
    bot.stop()
