"""bog-live, armed, on a local exchange: real sockets, real signatures, real queues."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog._core.types import ConnectionState, Side, StateWord
from bog._core.types import JournalKind as K
from bog.journal import read
from bog.recovery import recover
from bog.units import text
from tests.rig.gateway import ACCOUNT, Exchange, Taker
from tests.rig.live import Bot, command, environment, wait_for
from tests.rig.rehearsal import children, configuration, live


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "bot"
    (where / "shm").mkdir(mode=0o700, parents=True)
    return where


@pytest.fixture
def start(place: Path, exchange: Exchange) -> Iterator[Callable[..., Bot]]:
    """Start a live bot; none outlives the test."""
    bots: list[Bot] = []

    def go(*options: object, **keys: object) -> Bot:
        bots.append(live(place, configuration(place, exchange, **keys), *options))
        return bots[-1]

    yield go
    for bot in bots:
        bot.kill()


def held(bot: Bot) -> int:
    """Return the position in lots that the bot's journal comes to."""
    return recover(bot.folder, bot.raw, segments=bot.shm).words[StateWord.W_POS]


def records(bot: Bot) -> list[dict[str, int]]:
    """Return the records of the newest run, as fields by name."""
    path = sorted(bot.folder.glob("*.journal"))[-1]
    found = read(path).records
    return [dict(zip(found.dtype.names, row.tolist(), strict=True)) for row in found]


def test_an_armed_bot_quotes_fills_and_leaves_nothing(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start().trading(fills=2)
    assert children(bot).keys() >= {"bog-engine", "bog-gateway"}
    bot.stop()
    true = exchange.god()
    assert true["orders"] == []
    assert bot.report["run"]["open_orders"] == 0
    assert true["positions"].get("1", {"lots": 0})["lots"] == held(bot)


def test_journal_and_venue_are_compared_while_it_runs_and_after(
    start: Callable[..., Bot], exchange: Exchange, place: Path
) -> None:
    bot = start().trading(fills=1)
    line = [sys.executable, "-m", "bog.cli.ctl", "--journal", str(bot.folder), "reconcile"]
    said = subprocess.run(
        line, env=environment(), capture_output=True, text=True, check=True
    ).stdout
    assert "position BTC: journal" in said and "DIFFERENT" not in said and " s ago" in said
    bot.stop()
    only = command(
        "--market", 1, "--feed-dir", bot.shm, "--journal", bot.folder, "--config", "rehearsal",
        "--reconcile-only",
    )  # fmt: skip
    keys = environment(**configuration(place, exchange))
    done = subprocess.run(only, env=keys, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lots = exchange.god()["positions"].get("1", {"lots": 0})["lots"]
    assert f"journal {text(lots, 5)}, venue {text(lots, 5)}" in done.stdout
    assert "0 foreign" in done.stdout and "fills not in the journal: 0" in done.stdout
    mark = exchange.ask(do="god")["marks"]["1"]
    by_hand = Taker(exchange, ACCOUNT)
    by_hand.nonce = exchange.god()["nonces"]["4"]
    by_hand.take(mark + 5000, 100, Side.BID)
    done = subprocess.run(only, env=keys, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "DIFFERENT" in done.stdout


def test_a_dead_engine_leaves_no_order_at_the_venue(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start(live__engine_silent_ms=500).trading()
    wait_for(lambda: exchange.god()["orders"])
    os.kill(children(bot)["bog-engine"], signal.SIGKILL)
    wait_for(lambda: not exchange.god()["orders"], 10)
    bot.ends(1)
    assert "the engine died by signal SIGKILL" in bot.said
    assert exchange.god()["orders"] == []


def test_a_dead_gateway_is_replaced_and_trading_goes_on(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start().trading()
    first = children(bot)["bog-gateway"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: children(bot).get("bog-gateway", first) != first)
    begun = bot.page()["journal_seq"]
    wait_for(lambda: bot.page()["connection"] == ConnectionState.CONNECTION_CLOSED)
    wait_for(lambda: bot.page()["journal_seq"] > begun + 20 and bot.page()["orders"])
    bot.stop()
    true = exchange.god()
    assert true["orders"] == [] and true["positions"].get("1", {"lots": 0})["lots"] == held(bot)
    states = [r["state"] for r in records(bot) if r["kind"] == K.J_CONNECTION]
    lost, closed = ConnectionState.CONNECTION_LOST, ConnectionState.CONNECTION_CLOSED
    assert states == [lost, closed, lost, closed]


def test_a_restart_finds_the_fills_and_the_orders_of_the_life_before(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start(live__engine_silent_ms=60_000).trading(fills=1)
    # nobody is left to cancel: bog-live, the engine and the gateway die at once
    pids = [bot.pid, *children(bot).values()]
    wait_for(lambda: exchange.god()["orders"])
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    bot.process.wait()
    resting = exchange.god()["orders"]
    assert resting, "what rested rests on"
    again = start().trading(fills=1)
    found = {order["client"] for order in resting}
    seen = {r["id"] for r in records(again) if r["kind"] in (K.J_ORDER, K.J_CANCELED, K.J_FILL)}
    assert found <= seen, "each is told what became of it"
    again.stop()
    true = exchange.god()
    assert true["orders"] == [] and true["positions"].get("1", {"lots": 0})["lots"] == held(again)


def test_a_position_that_the_journal_does_not_know_quotes_nothing(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    other = Taker(exchange, ACCOUNT)
    mark = exchange.ask(do="god")["marks"]["1"]
    other.take(mark + 5000, 100, Side.BID)
    bot = start().ready()
    wait_for(lambda: "HALTED" in str(bot.log) or "position of market" in str(bot.log))
    assert exchange.god()["orders"] == [] and not bot.page()["orders"]
    bot.signal(signal.SIGTERM)
    bot.ends(0)
