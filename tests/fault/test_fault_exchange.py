"""FAULT-20 to 49: what the venue and the network do to a live bot, on a local exchange.

Each row is one bot that trades on and on while the exchange spoils what passes. After each fault the
bot quotes again by itself; at the exchange no id rests twice and no exposure passes its limit, at any
time; at the end nothing rests, and position, cash, fees and every fill are equal to the micro-USDC.
"""

import random
import time
from collections.abc import Callable

import pytest

from bog._core.types import ConnectionState
from bog._core.types import JournalKind as K
from tests.rig.fault import FULL, Repeats
from tests.rig.live import of_kind, records, wait_for
from tests.rig.spoiled import Spoil, Stage, pause_s

SAMPLE = 6
PRIVATE = ("account_all_orders", "account_all_trades", "account_tx", "account_all_positions")
READS = ("nextNonce", "accountOrders", "accountActiveOrders", "account", "trades", "tx")
REFUSED = [21701, 21702, 21703, 21706, 21711, 21729, 21733, 21739, 21717, 23000, 30009, 29500]
ROWS: list[tuple[int, int, Spoil]] = []


def row(number: int, full: int = FULL) -> Callable[[Spoil], Spoil]:
    """Take a fault as a test of a row, with the count that its text states."""

    def add(spoil: Spoil) -> Spoil:
        ROWS.append((number, full, spoil))
        return spoil

    return add


@row(20)
def refused_by_a_code(stage: Stage, n: int, rng: random.Random) -> None:
    kind = rng.choice(("create", "modify", "cancel"))
    stage.ask(do="refuse", code=REFUSED[n % len(REFUSED)], where="api", type=kind, count=2)


@row(20)
def a_read_is_refused_by_its_status(stage: Stage, n: int, rng: random.Random) -> None:
    status = (400, 401, 403, 404, 405, 409, 418, 422, 429)[n % 9]
    stage.spoil("http", "status", path=rng.choice(READS), status=status, account=None)
    stage.ask(do="disconnect", how="reset")  # so that everything is asked anew


@row(21, full=10_000)
def a_read_fails_on_the_server(stage: Stage, n: int, rng: random.Random) -> None:
    path = rng.choice(READS)
    if n % 3 == 0:
        stage.spoil("http", "html", path=path, account=None)
    elif n % 3 == 1:
        stage.spoil("http", "empty", path=path, account=None)
    else:
        stage.spoil(
            "http", "status", path=path, status=rng.choice((500, 502, 503, 504)), account=None
        )
    stage.ask(do="disconnect", how="fin")


@row(22, full=3_000)
def no_answer_before_or_after_it_was_taken(stage: Stage, n: int, rng: random.Random) -> None:
    kind = rng.choice(("create", "modify", "cancel"))
    stage.spoil("ws", "silent", type=kind, when=("before", "after")[n % 2])


@row(23)
def the_connection_breaks(stage: Stage, n: int, rng: random.Random) -> None:
    if n % 3 == 0:
        stage.ask(do="refuse-connections", seconds=1)
    stage.ask(do="disconnect", how=("fin", "reset")[n % 2])


@row(24)
def a_read_is_poison(stage: Stage, n: int, rng: random.Random) -> None:
    do = ("huge", "bomb", "deep", "utf8", "number", "twice", "types", "half")[n % 8]
    more = {"mib": 64} if do in ("huge", "bomb") else {}
    stage.spoil("http", do, path=rng.choice(READS), account=None, **more)
    stage.ask(do="disconnect", how="fin")


@row(24)
def a_frame_is_cut(stage: Stage, n: int, rng: random.Random) -> None:
    stage.spoil("frame", "cut", channel=PRIVATE[n % 4])


@row(28)
def the_network_is_slow(stage: Stage, n: int, rng: random.Random) -> None:
    stage.ask(do="latency", seconds=rng.uniform(0, 0.3), jitter=rng.uniform(0, 0.3))
    pause_s(2)
    stage.ask(do="latency", seconds=0, jitter=0)


@row(29)
def the_network_is_gone_for_a_while(stage: Stage, n: int, rng: random.Random) -> None:
    stage.ask(do="partition", seconds=rng.uniform(0.5, 4))
    pause_s(1)


@row(30)
def the_socket_ends_between_order_and_answer(stage: Stage, n: int, rng: random.Random) -> None:
    kind = ("create", "modify", "cancel")[n % 3]
    stage.spoil(
        "ws", rng.choice(("close", "reset")), type=kind, when=rng.choice(("before", "after"))
    )


@row(31)
def fills_are_told_again_and_again(stage: Stage, n: int, rng: random.Random) -> None:
    stage.spoil("frame", "repeat", channel="account_all_trades", times=rng.randint(2, 20), count=5)


@row(32)
def words_come_in_another_order(stage: Stage, n: int, rng: random.Random) -> None:
    for channel in rng.sample(PRIVATE, 2):
        stage.spoil("frame", "hold", channel=channel, count=rng.randint(1, 3))


@row(33, full=10_000)
def the_answer_is_lost(stage: Stage, n: int, rng: random.Random) -> None:
    when = rng.choice(("before", "after"))
    stage.spoil("ws", "silent", type=rng.choice(("create", "modify")), when=when)
    for channel in PRIVATE[:3]:
        stage.spoil("frame", "drop", channel=channel, count=rng.randint(1, 3))


@row(34)
def an_answer_names_other_transactions(stage: Stage, n: int, rng: random.Random) -> None:
    stage.spoil("ws", "swap", type=("create", "modify", "cancel")[n % 3])


@row(36)
def questions_fail_for_long(stage: Stage, n: int, rng: random.Random) -> None:
    stage.spoil("ws", "silent", type="create", when=rng.choice(("before", "after")))
    stage.spoil("http", "status", path="accountOrders", status=500, count=4, account=None)
    stage.spoil("http", "status", path="tx", status=500, count=4, account=None)


@row(37, full=100_000)
def fills_race_with_changes(stage: Stage, n: int, rng: random.Random) -> None:
    for order in stage.god()["orders"]:
        stage.ask(
            do="public-order", market=1, side="bid" if order["is_ask"] else "ask", px=order["px"],
            lots=max(1, order["left"] // rng.randint(1, 3)), take=True,
        )  # fmt: skip


@row(40, full=100_000)
def a_nonce_is_refused(stage: Stage, n: int, rng: random.Random) -> None:
    kind = ("create", "modify", "cancel")[n % 3]
    stage.ask(do="refuse", code=21104, where="api", type=kind, count=rng.randint(1, 3))


@row(40)
def what_was_refused_has_used_its_nonce(stage: Stage, n: int, rng: random.Random) -> None:
    kind = ("create", "modify")[n % 2]
    stage.ask(do="refuse", code=21711, where="api", type=kind, count=1, consume=True)


@row(41)
def the_trading_key_cannot_cancel(stage: Stage, n: int, rng: random.Random) -> None:
    stage.ask(do="refuse", code=21104, where="api", type="cancel", key=4, count=rng.randint(1, 4))


@row(42)
def cancels_are_lost(stage: Stage, n: int, rng: random.Random) -> None:
    stage.spoil("ws", "silent", type="cancel", count=3, odds=0.5)


@row(45)
def the_private_stream_is_silent(stage: Stage, n: int, rng: random.Random) -> None:
    for channel in PRIVATE:
        stage.spoil("frame", "drop", channel=channel, count=20)
    pause_s(2)
    stage.ask(do="clear")


@row(46, full=1_000)
def the_venue_closes_the_stream(stage: Stage, n: int, rng: random.Random) -> None:
    stage.ask(do="disconnect", how="close", after=0)


@row(47)
def a_token_lives_for_seconds(stage: Stage, n: int, rng: random.Random) -> None:
    stage.ask(do="rule", name="token_s", value=5)
    stage.ask(do="disconnect", how="fin")
    pause_s(rng.uniform(0.5, 2))
    stage.ask(do="rule", name="token_s", value=8 * 3600)


@row(48)
def the_sequencer_stands_still(stage: Stage, n: int, rng: random.Random) -> None:
    stage.ask(do="freeze", seconds=rng.uniform(0.5, 3))
    pause_s(1)


@pytest.mark.parametrize(
    ("number", "full", "spoil"), ROWS, ids=[f"{n}-{spoil.__name__}" for n, _, spoil in ROWS]
)
def test_fault_of_the_venue(
    number: int, full: int, spoil: Spoil, repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on = stage()
    for n, rng in repeats(number, sample=SAMPLE, full=full):
        spoil(on, n, rng)
        on.bounded()
        pause_s(rng.uniform(0.2, 1.0))
        on.ask(do="clear")
        on.quoting()
        on.busy(2)
        on.bounded()
        assert on.halted() == "", on.halted()
    sent = on.sent()
    on.settled()
    repeats.note(f"{sent} orders, position {on.held()} lots")


PARTED_S = 600.0  # the row's ten minutes; a sample is parted for a moment
DEAD_MAN_S = 360 + 15  # the venue's own timer has canceled everything by then


def test_fault_29_a_network_parted_for_ten_minutes_ends_in_the_truth(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    """Three times is a full run: what differs from time to time is tried above, by the second."""
    on, equal_s, quoting_s = stage(), 0.0, 0.0
    for _, rng in repeats(29, sample=1, full=3):
        parted_s = 12.0 if repeats.mode == "sample" else PARTED_S
        on.busy(rng.randint(1, 4))
        wait_for(lambda: on.god()["orders"])
        on.ask(do="partition", seconds=parted_s)
        begun = time.monotonic()
        pause_s(2)
        sent = on.sent()
        while time.monotonic() < begun + parted_s - 1:
            rest = {order["client"] for order in on.god()["orders"]}
            assert on.sent() == sent, "an order left into a network that carries nothing"
            assert rest <= {order["id"] for order in on.bot.page()["orders"]}, "forgotten"
            assert not rest or time.monotonic() < begun + DEAD_MAN_S
            on.bounded()
            pause_s(0.5)
        wait_for(lambda: on.bot.page()["position"]["pos"] == on.lots() and on.is_the_same())
        equal_s = max(equal_s, time.monotonic() - begun - parted_s)
        on.quoting()
        quoting_s = max(quoting_s, time.monotonic() - begun - parted_s)
        on.busy(2)
        on.bounded()
        assert on.halted() == "", on.halted()
    on.settled()
    rows = records(on.bot.folder)
    states = of_kind(rows, K.J_CONNECTION)["state"].tolist()
    assert ConnectionState.CONNECTION_LOST in states[2:], "the loss was seen"
    repeats.note(
        f"parted for {parted_s:.0f} s; equal {equal_s:.1f} s after it, quoting {quoting_s:.1f} s"
    )


def test_fault_27_without_quota_everything_can_still_be_canceled(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on = stage()
    for _ in repeats(27, sample=SAMPLE):
        on.ask(do="quota", account=1000, left=1)
        on.bot.signal(12)  # SIGUSR2 pauses: everything is pulled
        wait_for(lambda: not on.god()["orders"])
        on.ask(do="quota", account=1000, left=1000)
        on.bot.signal(12)
        on.quoting()
    on.settled()


HALTS: dict[str, tuple[int, Callable[[Stage, random.Random], None], str]] = {}


def halts(number: int, why: str) -> Callable[..., Callable[[Stage, random.Random], None]]:
    def add(
        spoil: Callable[[Stage, random.Random], None],
    ) -> Callable[[Stage, random.Random], None]:
        HALTS[spoil.__name__] = (number, spoil, why)
        return spoil

    return add


@halts(43, "HALTED")
def a_fill_is_larger_than_its_order(stage: Stage, rng: random.Random) -> None:
    stage.spoil("frame", "set", channel="account_all_trades", count=-1,
                values={"trades.*.*.size": f"{rng.randint(2, 9)}.00000"})  # fmt: skip


@halts(44, "never sent")
def someone_trades_by_hand(stage: Stage, rng: random.Random) -> None:
    mark = stage.ask(do="god")["marks"]["1"]
    side, past = rng.choice((("ask", -5000), ("bid", 5000)))
    stage.ask(do="order", account=1000, market=1, side=side, px=mark + past,
              lots=rng.randint(20, 300), take=True)  # fmt: skip


@halts(57, "somebody else signs")
def somebody_else_uses_the_key(stage: Stage, rng: random.Random) -> None:
    stage.ask(do="nonce", account=1000, key=4, next=stage.god()["nonces"]["4"] + rng.randint(1, 9))


@pytest.mark.parametrize("name", HALTS)
def test_fault_of_the_venue_that_halts(
    name: str, repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    number, spoil, why = HALTS[name]
    for _, rng in repeats(number, sample=2):
        on = stage()
        spoil(on, rng)
        wait_for(lambda on=on: why in on.halted())
        sent = on.sent()
        wait_for(lambda on=on: not on.god()["orders"])
        on.bounded()
        pause_s(1)
        assert on.sent() == sent, "nothing is placed before a person has looked"
        on.ask(do="clear")
        on.bot.signal(15)
        # what the venue says of a fill that cannot be leaves its order unproven
        assert on.bot.process.wait(60) in ((0, 3) if number == 43 else (0,))
        assert not on.god()["orders"]
        on.close()


def test_fault_54_whatever_is_killed_the_next_start_knows_what_is_true(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on = stage(live__engine_silent_ms=500)
    parts = ["bog-engine", "bog-gateway", "bog-live"]
    for _, rng in repeats(54, sample=SAMPLE, full=1000):
        on.busy(rng.randint(1, 4))
        killed = rng.sample(parts, rng.randint(1, 3))
        on.kill(*sorted(killed))
        if killed == ["bog-gateway"]:
            on.quoting()
            on.bot.stop()
        on.gone()
        on.bounded()
        on.begin()
        on.bounded()
    on.settled()
