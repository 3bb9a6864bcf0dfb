"""Incidents of other bots and of the venue, each played again as it is told, with its numbers.

Each test is named for its source. `desk` is a gateway whose engine is the test, on an exchange without a
market, where what happens can be written down order by order; `stage` is the whole bot in a market that
moves, where it matters what the engine does next, or what a restart remembers.
"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog import signed
from bog._core.link import GatewayState
from bog._core.types import JournalKind as K
from bog._core.types import Side
from tests.fault import test_fault_exchange as rows_of_the_venue
from tests.rig.gateway import ACCOUNT, Exchange, Rig, Taker
from tests.rig.live import of_kind, records, runs, wait_for
from tests.rig.rehearsal import configuration, live
from tests.rig.spoiled import CALM_S, Spoil, Stage, pause_s

PX = 1_200_000
LEAST = 20  # lots, of an order at this exchange
QUICK = {"expired_ms": 4000, "skew_ms": 1500}
GRID = {
    "strategy__name": "inventory", "strategy__inventory__model": "grid",
    "strategy__inventory__order_size": "0.002", "strategy__inventory__warm_samples": 20,
    "strategy__inventory__calibrate": "false", "strategy__inventory__min_interval_ms": 500,
}  # fmt: skip


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Exchange]:
    folder = tmp_path / "venue"
    folder.mkdir()
    found = Exchange(folder)
    yield found
    found.close()


@pytest.fixture
def desk(tmp_path: Path, shm: Path, venue: Exchange) -> Iterator[Callable[..., Rig]]:
    """Return a function that starts a gateway with changes to its spec."""
    rigs: list[Rig] = []

    def start(**spec: object) -> Rig:
        rigs.append(Rig(tmp_path, venue, shm, **spec))
        return rigs[-1].up()

    yield start
    for rig in rigs:
        rig.close()


def deaf(venue: Exchange, *channels: str, count: int = -1) -> None:
    """Let the account hear nothing of these channels."""
    for channel in channels:
        venue.ask(at="frame", do="drop", channel=channel, account=ACCOUNT, count=count)


def resting(venue: Exchange) -> list[int]:
    return [order["client"] for order in venue.god()["orders"]]


def held(venue: Exchange) -> int:
    return int(venue.god()["positions"].get("1", {"lots": 0})["lots"])


def grid(stage: Callable[..., Stage], each: int) -> Stage:
    """Return a bot of which `each` orders a side rest at the exchange, all of them at once."""
    on = stage(
        **GRID, strategy__inventory__grid_orders=each, risk__max_open_orders=2 * each
    )  # fmt: skip
    wait_for(lambda: len(on.god()["orders"]) == 2 * each, CALM_S)
    return on


def test_incident_hummingbot_8457_three_failed_polls_and_six_live_sells_that_fill(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """An outage of the names; three polls fail, the orders count as failed, six of them live and fill."""
    rig = desk(**QUICK)
    deaf(venue, "account_all_orders", "account_all_trades", "account_tx")
    venue.ask(at="ws", do="silent", type="create", when="after", account=ACCOUNT, count=6)
    for path in ("accountOrders", "tx"):
        venue.ask(at="http", do="reset", path=path, count=3)
    sells = [rig.place(PX + n, LEAST, Side.ASK) for n in range(6)]
    wait_for(lambda: sorted(resting(venue)) == sells)
    for id in sells:
        rig.wait(id, "UNKNOWN")
    Taker(venue).take(PX + 6, 6 * LEAST, Side.BID)
    wait_for(lambda: held(venue) == -6 * LEAST)

    def polls() -> int:
        script = venue.ask(do="faults")["script"]
        return sum(f["happened"] for f in script if f.get("path") == "accountOrders")

    rig.until(lambda: polls() == 3)
    venue.ask(do="clear")
    venue.ask(do="disconnect", how="reset")
    for id in sells:
        assert rig.wait(id, "FILL").qty == LEAST
        assert not {"REJECT", "CANCELED", "EXPIRED"} & set(rig.told(id)), "it was forgotten"
    assert (
        sum(r.qty for r in rig.reports if r.side == Side.ASK and r.venue_id and r.qty) == 6 * LEAST
    )


def test_incident_hummingbot_1508_and_720_no_order_is_created_after_stop(
    stage: Callable[..., Stage],
) -> None:
    """`stop` is said while answers are lost: nothing more is created, no order twice, nothing is left."""
    on = stage()
    on.busy(3)
    on.spoil("ws", "silent", type="create", when="after", count=3)
    on.spoil("ws", "silent", type="cancel", count=2)
    on.bot.signal(signal.SIGTERM)
    on.bot.ends(0)
    for _ in range(20):
        assert not on.god()["orders"]
        pause_s(0.1)
    rows = records(on.bot.folder)
    stop = rows[(rows["kind"] == K.J_LEVEL)]["seq"].max()
    assert not len(of_kind(rows[rows["seq"] > stop], K.J_PLACE, K.J_AMEND))
    placed = of_kind(rows, K.J_PLACE)["id"].tolist()
    assert len(placed) == len(set(placed))
    on.ask(do="clear")
    on.agree()


def test_incident_hummingbot_3374_six_lost_orders_have_no_other_six_beside_them(
    stage: Callable[..., Stage],
) -> None:
    """Six orders are lost to errors of the network and live; others are placed beside them; all fill."""
    on = grid(stage, 3)
    for kind in ("create", "modify"):
        on.spoil("ws", "silent", type=kind, when="after", count=6)
    for channel in rows_of_the_venue.PRIVATE[:3]:
        on.spoil("frame", "drop", channel=channel, count=6)
    for path in ("accountOrders", "tx"):
        on.spoil("http", "status", path=path, status=500, count=4, account=None)
    for order in on.god()["orders"]:  # each of the six is taken, and has to be placed again
        side = "bid" if order["is_ask"] else "ask"
        on.ask(
            do="public-order", market=1, side=side, px=order["px"], lots=order["left"], take=True
        )
    until = time.monotonic() + 8
    while time.monotonic() < until:
        orders = on.god()["orders"]
        assert len(orders) <= 6 and len({o["client"] for o in orders}) == len(orders)
        pause_s(0.05)
    on.ask(do="clear")
    on.quoting()
    assert on.halted() == "", on.halted()
    on.settled()


def test_incident_hummingbot_366_1528_and_2955_nothing_is_left_at_the_exit_nor_forgotten(
    stage: Callable[..., Stage],
) -> None:
    """Orders rest on after the exit, and the next start knows nothing of before."""
    on = stage()
    for _ in range(2):
        on.busy(2)
        wait_for(lambda: on.bot.page()["fills"], CALM_S)
        on.spoil("ws", "silent", type="cancel", count=3)
        on.settled()  # stopped, with exit code 0: nothing rests, and the sums are equal
        before = on.held()
        on.begin()
        assert on.bot.page()["position"]["pos"] == on.lots() or on.bot.page()["fills"]
        start = records(on.bot.folder)
        assert before in start[start["kind"] == K.J_STATE]["val"].tolist()
    on.settled()


def test_incident_hummingbot_7737_a_number_used_twice_leaves_no_order_alive(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """The nonce of an order is given to its cancel as well: that fails, and the order lives on."""
    rig = desk()

    def rests() -> int:
        """Return an order that rests, however often it was refused before."""
        while True:
            id = rig.place(PX, 1000)
            rig.until(lambda id=id: {"ACK", "REJECT"} & set(rig.told(id)))
            if "ACK" in rig.told(id):
                return id
            pause_s(0.05)  # until the next number was asked for

    for kind in ("create", "cancel"):
        venue.ask(do="refuse", code=21104, where="api", type=kind, count=3)
        id = rests()
        assert resting(venue) == [id], "what was refused does not stand beside it"
        while "CANCELED" not in rig.told(id):
            refused = rig.told(id).count("CANCEL_REJECT")
            rig.cancel(id)
            rig.until(
                lambda id=id, n=refused: (
                    "CANCELED" in rig.told(id) or rig.told(id).count("CANCEL_REJECT") > n
                )
            )
        assert resting(venue) == []
    rig.close()
    # a number of the trading key that the venue took was of one payload
    lines = signed.read(Path(rig.spec["signed"]))
    assert lines.findings == () and venue.god()["nonces"]["4"] <= lines.count


def test_incident_hummingbot_8169_a_partial_fill_unheard_and_no_redundant_orders(
    stage: Callable[..., Stage],
) -> None:
    """The connector of Lighter: orders are lost, redundant ones created, a partial fill ends the close."""
    on = stage()
    for _ in range(2):
        on.busy(2)
        for channel in ("account_all_orders", "account_all_trades"):
            on.spoil("frame", "drop", channel=channel, count=8)
        for order in on.god()["orders"]:
            side = "bid" if order["is_ask"] else "ask"
            on.ask(do="public-order", market=1, side=side, px=order["px"],
                   lots=max(1, order["left"] // 3), take=True)  # fmt: skip
        until = time.monotonic() + 4
        while time.monotonic() < until:
            on.bounded()
            pause_s(0.1)
        on.ask(do="clear")
        on.quoting()
    assert on.halted() == "", on.halted()
    on.settled()


def test_incident_nautilus_3046_3176_and_3878_each_restart_comes_to_the_same(
    stage: Callable[..., Stage],
) -> None:
    """A restart books fills again, creates the orders again, reconciles otherwise on each run."""
    on = stage()
    for _ in range(3):
        on.busy(2)
        on.kill_all()
        on.begin()
        on.bounded()
    wait_for(lambda: on.bot.page()["fills"], CALM_S)
    on.settled()
    fills = [int(t) for n in range(len(runs(on.bot.folder)))
             for t in of_kind(records(on.bot.folder, n), K.J_FILL)["aux"]]  # fmt: skip
    assert len(fills) == len(set(fills)), "a fill was booked again"
    placed = [int(i) for n in range(len(runs(on.bot.folder)))
              for i in of_kind(records(on.bot.folder, n), K.J_PLACE)["id"]]  # fmt: skip
    assert len(placed) == len(set(placed)), "an order was created again"


def test_incident_nautilus_5000_fourteen_working_orders_outlive_sigkill_and_restart(
    stage: Callable[..., Stage],
) -> None:
    """SIGKILL and restart: the reconciliation drops 14 working orders that the venue still lists."""
    on = grid(stage, 7)
    on.kill_all()
    left = {order["client"] for order in on.god()["orders"]}
    assert len(left) >= 12, "strangers take no more than a few of the fourteen meanwhile"
    on.start().bot.ready()
    on.quoting()
    rows = records(on.bot.folder)
    told = of_kind(rows, K.J_ORDER, K.J_CANCELED, K.J_FILL, K.J_ACK, K.J_EXPIRED)["id"]
    assert left <= {int(id) for id in told}, "each is told what became of it"
    wait_for(on.is_the_same, CALM_S)
    assert len(on.god()["orders"]) <= 14
    assert on.halted() == "", on.halted()
    on.settled()


def test_incident_nautilus_3493_a_fill_that_its_order_shows_first_counts_once(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """A fill is inferred from the order's filled size, and then the real one comes."""
    rig = desk()
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    venue.ask(at="frame", do="delay", channel="account_all_trades", account=ACCOUNT, seconds=0.8)
    Taker(venue).take(PX, 300, Side.ASK)
    pause_s(0.5)
    assert "FILL" not in rig.told(id), "a size in a frame is no fill"
    assert rig.wait(id, "FILL").qty == 300
    rig.cancel(id)
    rig.wait(id, "CANCELED")
    assert rig.told(id) == ["ACK", "FILL", "CANCELED"]


def test_incident_nautilus_4739_nothing_is_made_up_where_the_venue_holds_more(
    stage: Callable[..., Stage],
) -> None:
    """A flag says not to generate missing orders and fills, and one way ignores it."""
    on = stage()
    on.settled()
    before = on.held()

    def trade_by_hand() -> None:
        by_hand = Taker(on.exchange, ACCOUNT)
        by_hand.nonce = on.god()["nonces"]["4"]
        by_hand.take(on.ask(do="god")["marks"]["1"] + 5000, 137, Side.BID)

    keys = configuration(on.where, on.exchange, **on.keys)
    on.bot = live(on.where / "bot", keys, meanwhile=trade_by_hand)  # bog-arm would refuse it
    on.bot.ready()
    wait_for(lambda: on.halted() or "position of market" in str(on.bot.log), CALM_S)
    pause_s(1)
    rows = records(on.bot.folder)
    assert not len(of_kind(rows, K.J_FILL, K.J_ORDER, K.J_PLACE)), "it was made up"
    assert on.bot.page()["position"]["pos"] == before != on.lots()
    said = [line["message"] for line in on.bot.log if line["event"] == "gateway_difference"]
    assert f"ours {before}, the venue's {on.lots()}" in said[-1]


def test_incident_nautilus_live_md_a_submit_without_an_answer_is_never_guessed_to_be_rejected(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """After retries a submit that was never acknowledged is resolved to REJECTED: here it lives."""
    rig = desk(**QUICK)
    deaf(venue, "account_all_orders", "account_tx")
    venue.ask(at="ws", do="silent", type="create", when="after", account=ACCOUNT)
    for path in ("accountOrders", "tx", "accountActiveOrders"):
        venue.ask(at="http", do="status", status=500, path=path, count=-1)
    id = rig.place(PX, 1000)
    rig.wait(id, "UNKNOWN")
    until = time.monotonic() + 7  # its transaction and the skew are over for a second by then
    while time.monotonic() < until:
        assert rig.told(id) == ["UNKNOWN"] and resting(venue) == [id]
        pause_s(0.1)
    venue.ask(do="clear")
    rig.wait(id, "ACK")
    rig.cancel(id)
    rig.wait(id, "CANCELED")
    assert resting(venue) == []


def the_window_is_used_up(on: Stage) -> None:
    on.spoil("ws", "silent", type="create", when="before", count=8)
    on.spoil("ws", "silent", type="modify", when="before", count=8)


def a_parse_failure_takes_the_place_of_a_fill(on: Stage) -> None:
    on.spoil("frame", "set", channel="account_all_trades", values={"trades.*.*.price": "x"})
    wait_for(lambda: on.ask(do="faults")["script"][0]["happened"], CALM_S)


def an_empty_position_that_is_none(on: Stage) -> None:
    on.spoil("frame", "set", channel="account_all_positions", values={"positions": "none"}, count=2)
    on.ask(do="disconnect", how="fin")


def row(spoil: Spoil, n: int) -> Callable[[Stage], None]:
    return lambda on: spoil(on, n, rows_of_the_venue.random.Random(n))


def a_405_is_the_rate_limit(on: Stage) -> None:
    for path in rows_of_the_venue.READS:
        on.spoil("http", "status", path=path, status=405, account=None)
    on.ask(do="disconnect", how="reset")


def test_incident_nautilus_lighter_adapter_2026_06_its_fixes_one_after_another(
    stage: Callable[..., Stage],
) -> None:
    """A window of numbers used up and rolled back, acks of other orders, positions that are empty or cannot
    be read, a fill whose place a parse failure takes, 405 as a rate limit, tokens that turn over."""
    on = stage()
    for spoil in (
        the_window_is_used_up, row(rows_of_the_venue.a_nonce_is_refused, 0),
        row(rows_of_the_venue.an_answer_names_other_transactions, 0),
        an_empty_position_that_is_none, a_parse_failure_takes_the_place_of_a_fill,
        a_405_is_the_rate_limit, row(rows_of_the_venue.a_token_lives_for_seconds, 0),
    ):  # fmt: skip
        spoil(on)
        on.bounded()
        pause_s(0.5)
        on.ask(do="clear")
        on.quoting()
        on.busy(1)
        assert on.halted() == "", on.halted()
    on.settled()


def test_incident_ccxt_28073_and_lighter_python_60_orders_sent_without_waiting(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """Orders that do not wait for each other get 21104: here twelve leave in one breath."""
    rig = desk()
    failed = rig.link.failed
    ids = [rig.place(PX - n, LEAST * 5) for n in range(12)]
    for id in ids:
        rig.wait(id, "ACK")
    for id in ids:
        rig.cancel(id)
    for id in ids:
        rig.wait(id, "CANCELED")
        assert rig.told(id) == ["ACK", "CANCELED"]
    assert rig.link.failed == failed and resting(venue) == []


def test_incident_lighter_python_131_an_answer_of_200_is_no_order(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """HTTP 200 says nothing of the execution."""
    rig = desk()
    venue.ask(do="refuse", code=21739, where="app", type="create", count=1)
    id = rig.place(PX, 1000)
    rig.wait(id, "REJECT")
    assert rig.told(id) == ["REJECT"] and resting(venue) == []


def test_incident_lighter_python_84_and_11_a_socket_that_dies_loses_no_fill(
    desk: Callable[..., Rig], venue: Exchange
) -> None:
    """The socket ends after a while, or for want of a pong; what filled meanwhile is told once."""
    rig = desk()
    for n in range(3):
        id = rig.place(PX - n, 1000)
        rig.wait(id, "ACK")
        deaf(venue, "account_all_trades", count=1)
        if n == 2:
            venue.ask(do="mute-pong", on=True)
            venue.ask(at="frame", do="drop", channel="pong", count=-1)
        taker = Taker(venue)
        taker.nonce = taker.client = n
        taker.take(PX - n, 300, Side.ASK)
        venue.ask(do="disconnect", how=("close", "fin", "reset")[n])
        assert rig.wait(id, "FILL").qty == 300
        venue.ask(do="clear")
        rig.until(lambda: rig.link.gateway_state == GatewayState.GATEWAY_UP)
        rig.cancel(id)
        rig.wait(id, "CANCELED")
        assert rig.told(id).count("FILL") == 1
    assert held(venue) == 900 and resting(venue) == []


def test_incident_lighter_2025_10_10_the_sequencer_stands_and_three_batches_are_lost(
    stage: Callable[..., Stage],
) -> None:
    """Four and a half hours in which what is taken waits, here seconds; three batches were lost in it."""
    on = stage()
    on.busy(2)
    on.spoil("ws", "silent", when="before", count=3)
    on.ask(do="freeze", seconds=0)
    pause_s(8)  # past the verdict of everything that left
    frozen = on.sent()
    pause_s(4)
    assert on.sent() - frozen <= 2, "it goes on creating at a venue that runs nothing"
    on.bounded()
    on.ask(do="clear")
    on.ask(do="thaw")
    on.quoting()
    on.busy(2)
    on.bounded()
    assert on.halted() == "", on.halted()
    on.settled()
