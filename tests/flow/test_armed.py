"""bog-live, armed, on a local exchange: real sockets, real signatures, real queues."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bog._core.types import ConnectionState, Side, StateWord
from bog._core.types import JournalKind as K
from bog.journal import read
from bog.recovery import recover
from bog.units import text
from tests.rig.gateway import ACCOUNT, Exchange, Taker
from tests.rig.live import Bot, command, environment, wait_for
from tests.rig.rehearsal import arm, children, configuration, live


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "bot"
    (where / "shm").mkdir(mode=0o700, parents=True)
    return where


@pytest.fixture
def start(place: Path, exchange: Exchange) -> Iterator[Callable[..., Bot]]:
    """Start a live bot; none outlives the test."""
    bots: list[Bot] = []

    def go(*options: object, token: str = "", **keys: object) -> Bot:
        environ = configuration(place, exchange, **keys)
        if token:
            options = ("--config", "rehearsal", "--mode", "live", "--arm", token, *options)
            bots.append(Bot(place, *options, **environ))
        else:
            bots.append(live(place, environ, *options))
        return bots[-1]

    yield go
    for bot in bots:
        bot.kill()


def word(bot: Bot, which: StateWord) -> int:
    """Return a word of the state that the bot's journal comes to."""
    return recover(bot.folder, bot.raw, segments=bot.shm).words[which]


def held(bot: Bot) -> int:
    """Return the position in lots that the bot's journal comes to."""
    return word(bot, StateWord.W_POS)


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


def test_funding_is_booked_once_while_it_runs_and_for_the_time_between(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start().trading(fills=1)
    assert bot.page()["position"]["funding"] == 0 and bot.page()["position"]["funded"]
    booked = 0

    def charged() -> bool:
        exchange.ask(do="fund", ppm=500)  # of a flat position nothing is paid
        return bool(exchange.god()["funding"] != booked)

    for _ in range(2):
        wait_for(lambda: time.time() > bot.page()["position"]["funded"] + 1)
        wait_for(charged)
        # it is asked for after full hours, and by a gateway that begins
        first = children(bot)["bog-gateway"]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda first=first: children(bot).get("bog-gateway", first) != first)
        booked = exchange.god()["funding"]
        wait_for(lambda booked=booked: bot.page()["position"]["funding"] == -booked)
    bot.stop()
    wait_for(lambda: time.time() > word(bot, StateWord.W_FUNDED) + 1)
    exchange.ask(do="fund", ppm=900)
    again = start().trading()
    wait_for(lambda: again.page()["position"]["funding"] == -exchange.god()["funding"])
    again.stop()
    paid = [r["val"] for r in records(again) if r["kind"] == K.J_FUNDING]
    assert sum(paid) == exchange.god()["funding"] - booked
    assert exchange.god()["cash"] - exchange.god()["deposited"] == word(again, StateWord.W_CASH)


def test_flatten_ends_with_neither_position_nor_order_at_the_venue(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start().trading(fills=1)
    wait_for(lambda: bot.page()["position"]["pos"])
    line = [sys.executable, "-m", "bog.cli.ctl", "--journal", str(bot.folder), "flatten"]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "post-only" in done.stdout + done.stderr
    wait_for(lambda: any(r["kind"] == K.J_FLATTENED for r in records(bot)))
    assert bot.page()["position"]["pos"] == 0 and not exchange.god()["orders"]
    assert exchange.god()["positions"]["1"]["lots"] == 0
    bot.stop()


def test_money_that_no_trade_moved_is_said(start: Callable[..., Bot], exchange: Exchange) -> None:
    bot = start().trading(fills=1)
    line = [sys.executable, "-m", "bog.cli.ctl", "--journal", str(bot.folder), "reconcile"]

    def said() -> str:
        done = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
        return done.stdout

    wait_for(lambda: "moved by no fill, fee or funding: 0.000000" in said())
    exchange.ask(do="deposit", account=ACCOUNT, micro=25_000_000)
    # a fill may be in one of the sums and not yet in the other
    wait_for(lambda: re.search(r"moved by no fill, fee or funding: 2(4\.9|5\.0)", said()))
    moved = [one["message"] for one in bot.log if one["event"] == "gateway_cash"]
    assert len(moved) == 1 and "a transfer, or trades of somebody else" in moved[0]
    bot.stop()


def test_a_restart_finds_the_fills_and_the_orders_of_the_life_before(
    start: Callable[..., Bot], exchange: Exchange
) -> None:
    bot = start(live__engine_silent_ms=60_000).trading(fills=1)
    # nobody is left to cancel: all die at once, the gateway first, which would when another is gone
    names = children(bot)
    pids = [names.pop("bog-gateway"), *names.values(), bot.pid]
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


def by_hand(exchange: Exchange, lots: int) -> None:
    """Buy on the account with no order of the bot's."""
    other = Taker(exchange, ACCOUNT)
    other.nonce = exchange.god()["nonces"]["4"]
    other.take(exchange.ask(do="god")["marks"]["1"] + 5000, lots, Side.BID)


def test_a_position_that_the_journal_does_not_know_quotes_nothing(
    place: Path, start: Callable[..., Bot], exchange: Exchange
) -> None:
    token = arm(place, configuration(place, exchange)).stdout.splitlines()[-1]
    by_hand(exchange, 100)
    bot = start(token=token).ready()
    wait_for(lambda: "HALTED" in str(bot.log) or "position of market" in str(bot.log))
    assert exchange.god()["orders"] == [] and not bot.page()["orders"]
    bot.signal(signal.SIGTERM)
    bot.ends(0)


def test_a_fill_between_two_answers_is_no_difference_to_who_arms(
    place: Path, exchange: Exchange
) -> None:
    exchange.ask(at="http", path="trades", do="delay", seconds=0.01)
    exchange.ask(at="http", path="account", do="delay", seconds=1.5, count=-1)
    with ThreadPoolExecutor(1) as pool:
        armed = pool.submit(arm, place, configuration(place, exchange))
        wait_for(lambda: exchange.ask(do="faults")["script"][0]["left"] == 0)
        time.sleep(0.2)  # the trades have been told, the account has not
        by_hand(exchange, 100)
        exchange.ask(do="clear")
        assert armed.result().returncode == 0, armed.result().stderr


def test_who_arms_is_told_why_the_venue_says_nothing(place: Path, exchange: Exchange) -> None:
    """A loop of crashes asks for more than a minute allows: 20 s of silence said nothing of that."""
    exchange.ask(at="http", do="status", status=429, code=23000, path="account", count=-1)
    refused = arm(place, configuration(place, exchange))
    assert refused.returncode != 0
    assert (
        "did not say within 20 s what it holds: account answered 429, code 23000" in refused.stderr
    )


def test_a_person_adopts_the_position_of_the_venue_and_the_bot_trades_on(
    place: Path, start: Callable[..., Bot], exchange: Exchange
) -> None:
    first = start().trading(fills=1)
    first.stop()
    earned = word(first, StateWord.W_REALIZED)
    agreed = arm(place, configuration(place, exchange), "--adopt")
    assert agreed.returncode == 78 and "agree on every position: leave it out" in agreed.stderr
    # fills that vanished: the venue's position is another, and no trade leads to it
    held_there = held(first) + 300
    exchange.ask(do="position", account=ACCOUNT, market=1, lots=held_there, px=1_000_000)
    refused = arm(place, configuration(place, exchange))
    assert refused.returncode == 78
    ours, theirs = text(held(first), 5), text(held_there, 5)
    assert f"a position of {ours}, the venue has {theirs}" in refused.stderr
    armed = arm(place, configuration(place, exchange), "--adopt")
    assert armed.returncode == 0, armed.stderr
    assert f"position {theirs} that cost" in armed.stdout and f"in place of {ours}" in armed.stdout
    token = armed.stdout.splitlines()[-1]
    again = start(token=token).trading(fills=1)
    again.stop()
    (adopted,) = (r for r in records(again) if r["kind"] == K.J_ADOPT)
    signed = -adopted["id"] if adopted["side"] else adopted["id"]
    assert signed == held_there and adopted["val"] == abs(held_there) * 1_000_000
    fills = [r for r in records(again) if r["kind"] == K.J_FILL]
    bought = sum(-r["qty"] if r["side"] else r["qty"] for r in fills)
    assert held(again) == held_there + bought == exchange.god()["positions"]["1"]["lots"]
    assert word(again, StateWord.W_REALIZED) != earned or not fills
