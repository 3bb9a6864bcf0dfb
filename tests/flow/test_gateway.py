"""The gateway as a process, between a link and an exchange, over real sockets and signatures."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bog import signed
from bog._core.link import GatewayState
from bog._core.types import FillReason, Reject, Side
from tests.rig.gateway import ACCOUNT, Exchange, Rig, Taker

PX = 1_200_000
QUICK = {"expired_ms": 4000, "skew_ms": 1500}


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    folder = tmp_path / "exchange"
    folder.mkdir()
    found = Exchange(folder)
    yield found
    found.close()


@pytest.fixture
def gateway(tmp_path: Path, shm: Path, exchange: Exchange) -> Iterator[Any]:
    """Return a function that starts a gateway with changes to its spec."""
    rigs: list[Rig] = []

    def start(**spec: Any) -> Rig:
        rigs.append(Rig(tmp_path, exchange, shm, **spec))
        return rigs[-1].up()

    yield start
    for rig in rigs:
        rig.close()


def resting(exchange: Exchange) -> list[int]:
    return [order["client"] for order in exchange.god()["orders"]]


def test_an_order_rests_fills_changes_and_ends_and_all_of_it_was_recorded(
    gateway: Any, exchange: Exchange
) -> None:
    rig = gateway()
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    Taker(exchange).take(PX, 400, Side.ASK)
    fill = rig.wait(id, "FILL")
    assert (fill.px, fill.qty, fill.reason) == (PX, 400, FillReason.FILL_MATCH)
    rig.amend(id, PX + 10, 1200)
    rig.wait(id, "AMENDED")
    rig.cancel(id)
    rig.wait(id, "CANCELED")
    assert rig.told(id) == ["ACK", "FILL", "AMENDED", "CANCELED"]
    true = exchange.god()
    assert true["positions"]["1"]["lots"] == 400 and true["orders"] == []
    assert fill.fee == true["fees"]
    assert true["cancel_all_ms"] > time.time() * 1000 + 300_000
    assert rig.close() == 0
    assert exchange.god()["cancel_all_ms"] == 0, "the timer is stopped when nothing rests"
    for path, at_least in ((rig.spec["signed"], 3), (rig.spec["signed"][:-7] + ".guard.signed", 2)):
        found = signed.read(Path(path))
        assert found.findings == () and found.torn == 0 and found.count >= at_least
        assert os.stat(path).st_mode & 0o777 == 0o600


def test_what_the_venue_refuses_is_refused_and_a_crossing_order_does_not_take(
    gateway: Any, exchange: Exchange
) -> None:
    rig = gateway()
    Taker(exchange).take(PX, 1000, Side.ASK, force=2)
    crossing = rig.place(PX, 1000)
    assert rig.wait(crossing, "REJECT").reason == Reject.REJ_POST_ONLY
    small = rig.place(PX - 50_000, 1)
    assert rig.wait(small, "REJECT").reason == Reject.REJ_MIN_SIZE
    assert exchange.god()["fills"] == 0


def test_a_lost_answer_of_an_order_that_lives_is_found(gateway: Any, exchange: Exchange) -> None:
    rig = gateway(**QUICK)
    exchange.ask(at="ws", do="silent", when="after", type="create", account=ACCOUNT)
    exchange.ask(at="frame", do="drop", channel="account_all_orders", account=ACCOUNT)
    exchange.ask(at="frame", do="drop", channel="account_tx", account=ACCOUNT)
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    assert rig.told(id) == ["UNKNOWN", "ACK"] and resting(exchange) == [id]


def test_a_lost_request_is_unknown_until_it_cannot_be_run(gateway: Any, exchange: Exchange) -> None:
    rig = gateway(**QUICK)
    exchange.ask(at="ws", do="silent", type="create", account=ACCOUNT)
    began = time.monotonic()
    id = rig.place(PX, 1000)
    rig.wait(id, "REJECT")
    assert rig.told(id) == ["UNKNOWN", "REJECT"]
    assert time.monotonic() - began > 5.0, "its transaction could be run until then"
    again = rig.place(PX, 1000)
    rig.wait(again, "ACK")
    assert resting(exchange) == [again]


def test_what_waited_at_the_venue_until_it_was_too_late_is_proven_dead(
    gateway: Any, exchange: Exchange
) -> None:
    """The sequencer stands: what it had taken expires there, fails, and is in no list for ever."""
    rig = gateway(**QUICK)
    rests = rig.place(PX, 1000)
    rig.wait(rests, "ACK")
    exchange.ask(do="freeze", seconds=6)
    id = rig.place(PX - 1, 1000)
    rig.amend(rests, PX + 5, 1000)
    rig.wait(id, "REJECT")
    rig.wait(rests, "AMEND_REJECT")
    assert "UNKNOWN" in rig.told(id) and resting(exchange) == [rests]


def test_a_fill_while_the_socket_was_gone_is_told_once(gateway: Any, exchange: Exchange) -> None:
    rig = gateway()
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    exchange.ask(at="ws", do="close", type="cancel", account=ACCOUNT)
    exchange.ask(at="frame", do="drop", channel="account_all_trades", account=ACCOUNT)
    rig.cancel(id)  # the venue closes instead of taking it
    Taker(exchange).take(PX, 300, Side.ASK)
    assert rig.wait(id, "FILL").qty == 300
    rig.until(lambda: rig.link.gateway_state == GatewayState.GATEWAY_UP)
    if "CANCELED" not in rig.told(id):
        rig.cancel(id)
        rig.wait(id, "CANCELED")
    assert rig.told(id).count("FILL") == 1 and resting(exchange) == []


def test_answered_questions_show_a_gateway_that_sends_nothing_that_the_venue_is_there(
    gateway: Any,
) -> None:
    """An engine whose breaker is half open sends nothing and waits for attempts that succeed."""
    rig = gateway(switch_ms=0)
    begun = rig.link.done
    rig.until(lambda: rig.link.done >= begun + 2)


def test_an_engine_that_falls_silent_has_its_orders_canceled(
    gateway: Any, exchange: Exchange
) -> None:
    rig = gateway(silent_ms=1000)
    ids = [rig.place(PX - n, 1000) for n in range(3)]
    for id in ids:
        rig.wait(id, "ACK")
    rig.beating = False
    rig.lines.wait(lambda line: line["event"] == "guard")
    rig.until(lambda: resting(exchange) == [])
    rig.beating = True
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")


def test_a_gateway_started_anew_finds_and_cancels_what_the_one_before_left(
    gateway: Any, exchange: Exchange
) -> None:
    rig = gateway()
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    rig.child.kill()
    rig.child.wait()
    assert resting(exchange) == [id]
    Taker(exchange).take(PX, 200, Side.ASK)
    rig.spec["markets"][0]["orders"] = [
        {"id": id, "side": int(Side.BID), "px": PX, "qty": 1000, "filled": 0}
    ]
    rig.start()
    line = rig.up().lines.wait(lambda line: line["event"] == "ready")
    assert line["positions"] == {"1000001": [200, 200]} and line["foreign"] == 0
    assert rig.wait(id, "FILL").qty == 200 and rig.told(id).count("FILL") == 1
    rig.cancel(id)
    rig.wait(id, "CANCELED")
    assert resting(exchange) == []


def test_foreign_orders_are_left_alone(gateway: Any, exchange: Exchange) -> None:
    other = Taker(exchange, ACCOUNT)
    other.client = 1_000_000  # not one of the engine's
    other.take(PX - 1000, 1000, Side.BID, force=2)
    rig = gateway()
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    rig.cancel(id)
    rig.wait(id, "CANCELED")
    assert len(resting(exchange)) == 1


def test_a_key_that_the_venue_does_not_know_ends_the_start_in_one_line(
    tmp_path: Path, shm: Path, exchange: Exchange
) -> None:
    rig = Rig(tmp_path, exchange, shm, trade={"index": 4, "path": str(exchange.key(4, 1001))})
    line = rig.lines.wait(lambda line: line["event"] == "error")
    assert line["code"] == 78 and "key 4 of account 1000 is another at the venue" in line["text"]
    assert rig.child.wait(20) == 78
    rig.close()


def test_a_terminated_gateway_leaves_nothing_resting_and_no_secret_anywhere(
    gateway: Any, exchange: Exchange, tmp_path: Path
) -> None:
    rig = gateway()
    id = rig.place(PX, 1000)
    rig.wait(id, "ACK")
    secrets = [exchange.key(n).read_text().strip().removeprefix("0x") for n in (4, 5)]
    needles = [part for s in secrets for part in (s.encode(), s[:16].encode(), bytes.fromhex(s))]
    for name in ("cmdline", "environ"):
        data = Path(f"/proc/{rig.child.pid}/{name}").read_bytes()
        assert not any(needle in data for needle in needles)
    rig.child.send_signal(signal.SIGINT)  # a Ctrl-C is bog-live's
    rig.child.terminate()
    line = rig.lines.wait(lambda line: line["event"] == "end")
    assert line["live"] == [] and resting(exchange) == []
    rig.wait(id, "CANCELED")
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.suffix != ".key":
            data = path.read_bytes()
            assert not any(needle in data for needle in needles), path
    said = str(rig.lines.lines).encode()
    assert not any(needle in said for needle in needles)
