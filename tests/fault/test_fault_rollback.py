"""FAULT-49: the venue goes back to what it was a while ago, and tells nobody.

What vanishes by that, a position says. What comes back, orders that had been canceled or filled, says
nothing by itself: they stand in an answer or fill, and the bot had seen their end.
"""

import re
from collections.abc import Callable
from typing import Any

from bog._core.types import JournalKind as K
from tests.rig.fault import Repeats
from tests.rig.live import of_kind, records, wait_for
from tests.rig.spoiled import CALM_S, Stage, pause_s


def test_fault_49_fills_that_vanish_halt_and_are_said_exactly(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    for _, rng in repeats(49, sample=2):
        on = stage()
        on.busy(rng.randint(1, 3))
        before = on.lots()
        on.ask(do="snapshot", name="then")
        wait_for(lambda on=on, before=before: on.lots() != before, CALM_S)
        on.ask(do="rollback", name="then")
        wait_for(on.halted, CALM_S)
        wait_for(lambda on=on: "difference" in str([line["event"] for line in on.bot.log]), CALM_S)
        said = [line["message"] for line in on.bot.log if line["event"] == "gateway_difference"]
        ours, theirs = map(int, re.findall(r"ours (-?\d+), the venue's (-?\d+)", said[-1])[0])
        # a fill of the last orders moves both
        assert on.bot.page()["position"]["pos"] - on.lots() == ours - theirs != 0
        sent = on.sent()
        pause_s(1)
        assert on.sent() == sent, "nothing is placed before a person has looked"
        on.bot.signal(15)
        assert on.bot.process.wait(90) in (0, 3)
        wait_for(lambda on=on: not on.god()["orders"], CALM_S)
        on.close()


def halts_of(on: Stage) -> str:
    """Return every reason that the gateway has given for standing still."""
    return "\n".join(r["message"] for r in on.bot.log if r["event"] == "gateway_halt")


def remembered(on: Stage) -> bool:
    """Have the exchange remember this moment; whether orders rested before and after it, the same."""
    before = on.god()["orders"]
    on.ask(do="snapshot", name="then")
    return bool(before) and on.god()["orders"] == before


def again(order: dict[str, Any]) -> str:
    """Return what is said of an order that came back."""
    words = f"order {order['client']} was canceled, and stands at the venue again:"
    return f"{words} {order['px']} x {order['size']}, {order['size'] - order['left']} of it"


def ends_of(on: Stage) -> None:
    """Stop a bot that stands still: nothing is left behind, and it says so."""
    on.bot.signal(15)
    on.bot.ends(0)
    assert not on.god()["orders"]


def test_fault_49_orders_that_come_back_halt_are_said_exactly_and_canceled_to_the_proof(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    came = told = 0
    for n, rng in repeats(49, sample=2):
        on = stage()
        on.busy(rng.randint(1, 3))
        wait_for(lambda on=on: remembered(on))
        on.bot.signal(12)  # SIGUSR2 pauses: everything is pulled, and proven dead
        wait_for(lambda on=on: not on.god()["orders"] and not on.bot.page()["orders"], CALM_S)
        held = on.lots()
        if n % 2:
            on.spoil("ws", "silent", type="cancel", count=2)
        on.ask(do="rollback", name="then")
        back, same = on.god()["orders"], on.lots() == held
        wait_for(on.halted, CALM_S)
        wait_for(lambda on=on: not on.god()["orders"], CALM_S)
        said = halts_of(on)
        stood = [again(order) for order in back if again(order) in said]
        late = [
            order for order in back if f"order {order['client']} was canceled, and trade" in said
        ]
        assert stood or late, (back, said)  # the halt itself cancels the others, maybe unseen
        came, told = came + len(back), told + len(stood)
        ends_of(on)
        if same:  # else fills have vanished as well, and the row above is about them
            on.agree()
        on.close()
    repeats.note(f"{came} orders came back, {told} of them seen before they filled")


def test_fault_49_fills_that_come_back_are_counted_once_and_halt_on(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    for _, rng in repeats(49, sample=1):
        on = stage()
        on.busy(rng.randint(1, 3))
        on.ask(do="snapshot", name="before")
        before = on.lots()
        wait_for(lambda on=on, before=before: on.lots() != before, CALM_S)
        on.bot.signal(12)
        wait_for(lambda on=on: not on.god()["orders"] and not on.bot.page()["orders"], CALM_S)
        wait_for(lambda on=on: on.bot.page()["position"]["pos"] == on.lots())
        on.ask(do="snapshot", name="after")
        on.ask(do="rollback", name="before")
        wait_for(on.halted, CALM_S)
        wait_for(lambda on=on: not on.god()["orders"], CALM_S)
        on.ask(do="rollback", name="after")
        compared = on.bot.page()["journal_seq"]
        pause_s(12)  # a round of questions and more
        assert on.halted() and not on.god()["orders"]
        fills = of_kind(records(on.bot.folder), K.J_FILL)
        assert len(set(fills["aux"].tolist())) == len(fills), "a fill was counted twice"
        late = fills[fills["seq"] > compared]
        assert not len(late), "what came back had been counted"
        ends_of(on)
        on.close()
