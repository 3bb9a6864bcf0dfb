"""FAULT-49: the venue goes back to what it was a while ago, and tells nobody."""

import re
from collections.abc import Callable

from tests.rig.fault import Repeats
from tests.rig.live import wait_for
from tests.rig.spoiled import CALM_S, Stage, pause_s


def lots(on: Stage) -> int:
    return int(on.god()["positions"].get("1", {"lots": 0})["lots"])


def test_fault_49_fills_that_vanish_halt_and_are_said_exactly(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    for _, rng in repeats(49, sample=2):
        on = stage()
        on.busy(rng.randint(1, 3))
        before = lots(on)
        on.ask(do="snapshot", name="then")
        wait_for(lambda on=on, before=before: lots(on) != before, CALM_S)
        on.ask(do="rollback", name="then")
        wait_for(on.halted, CALM_S)
        wait_for(lambda on=on: "difference" in str([line["event"] for line in on.bot.log]), CALM_S)
        said = [line["message"] for line in on.bot.log if line["event"] == "gateway_difference"]
        ours, theirs = map(int, re.findall(r"ours (-?\d+), the venue's (-?\d+)", said[-1])[0])
        # a fill of the last orders moves both
        assert on.bot.page()["position"]["pos"] - lots(on) == ours - theirs != 0
        sent = on.sent()
        pause_s(1)
        assert on.sent() == sent, "nothing is placed before a person has looked"
        on.bot.signal(15)
        assert on.bot.process.wait(90) in (0, 3)
        wait_for(lambda on=on: not on.god()["orders"], CALM_S)
        on.close()
