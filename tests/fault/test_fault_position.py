"""FAULT-38: a position that the venue tells wrongly, in part, or in a way that cannot be read.

The position is the sum of the fills. What the venue says of it is held against that and never takes its
place: what cannot be read or is not there is asked for again and flattens nothing, a difference that
lasts halts, and a position that is really gone is gone by the fills that closed it.
"""

import random
from collections.abc import Callable

import pytest

from tests.rig.fault import Repeats
from tests.rig.live import wait_for
from tests.rig.spoiled import CALM_S, Stage, pause_s

NONSENSE = ("x", "", "-0.5", "1e9", "0.123456789", "NaN", 7, None)
FRAME, ANSWER = "account_all_positions", "account"


def holding(on: Stage) -> int:
    """Return the lots that the engine holds, once it holds some."""
    return int(wait_for(lambda: on.bot.page()["position"]["pos"], CALM_S))


def lots(on: Stage) -> int:
    """Return the lots that the account really holds."""
    return int(on.god()["positions"].get("1", {"lots": 0})["lots"])


def frame(on: Stage, values: dict[str, object], count: int = 2) -> None:
    on.spoil("frame", "set", channel=FRAME, values=values, count=count)


def answer(on: Stage, values: dict[str, object], count: int = 2) -> None:
    on.spoil("http", "set", path=ANSWER, account=None, values=values, count=count)


def the_snapshot_is_empty(on: Stage, rng: random.Random) -> None:
    frame(on, {"positions": {}})


def the_snapshot_cannot_be_read(on: Stage, rng: random.Random) -> None:
    frame(on, rng.choice(({"positions.*.position": rng.choice(NONSENSE)}, {"positions": "none"},
                          {"positions.*.sign": rng.choice((2, "1", None))})))  # fmt: skip


def a_row_of_the_snapshot_is_missing(on: Stage, rng: random.Random) -> None:
    frame(on, {"positions.1": None, "positions.7": {"market_id": 7, "sign": 1, "position": "1"}})


def a_row_of_the_snapshot_is_bad(on: Stage, rng: random.Random) -> None:
    frame(on, {"positions.7": {"market_id": 7, "sign": 1, "position": rng.choice(NONSENSE[6:])}})


def the_snapshot_is_wrong_once(on: Stage, rng: random.Random) -> None:
    frame(on, {"positions.1.position": f"{rng.randint(2, 9)}.00000"}, count=1)


def the_answer_cannot_be_read(on: Stage, rng: random.Random) -> None:
    answer(on, rng.choice(({"accounts.*.positions.*.position": rng.choice(NONSENSE)},
                           {"accounts.*.positions": "none"}, {"accounts": []})))  # fmt: skip


def a_row_of_the_answer_is_bad(on: Stage, rng: random.Random) -> None:
    answer(on, {"accounts.*.positions.0.sign": rng.choice((2, "1", None))})


def the_answer_is_empty_once(on: Stage, rng: random.Random) -> None:
    answer(on, {"accounts.*.positions": []}, count=1)


TOLD_WRONGLY = (
    the_snapshot_is_empty, the_snapshot_cannot_be_read, a_row_of_the_snapshot_is_missing,
    a_row_of_the_snapshot_is_bad, the_snapshot_is_wrong_once, the_answer_cannot_be_read,
    a_row_of_the_answer_is_bad, the_answer_is_empty_once,
)  # fmt: skip


def test_fault_38_a_position_told_wrongly_flattens_nothing(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    on = stage()
    for n, rng in repeats(38, sample=2 * len(TOLD_WRONGLY), full=25 * len(TOLD_WRONGLY)):
        holding(on)
        TOLD_WRONGLY[n % len(TOLD_WRONGLY)](on, rng)
        on.ask(do="shutdown", close_in_ms=0)  # so that the snapshot is told and all is asked anew
        wait_for(lambda: on.ask(do="faults")["script"][0]["happened"], CALM_S)
        on.bounded()
        on.quoting()
        on.busy(1)
        on.ask(do="clear")
        on.bounded()
        assert on.halted() == "", on.halted()
    on.settled()
    repeats.note(f"{len(TOLD_WRONGLY)} ways, position {on.held()} lots")


def gone_everywhere(on: Stage, rng: random.Random) -> None:
    frame(on, {"positions": {}}, count=-1)
    answer(on, {"accounts.*.positions": []}, count=-1)


def another_everywhere(on: Stage, rng: random.Random) -> None:
    size = f"{rng.randint(2, 9)}.00000"
    frame(on, {"positions.1.position": size}, count=-1)
    answer(on, {"accounts.*.positions.*.position": size}, count=-1)


@pytest.mark.parametrize("lie", [gone_everywhere, another_everywhere])
def test_fault_38_a_position_that_stays_another_halts_and_moves_nothing(
    repeats: Repeats, stage: Callable[..., Stage], lie: Callable[[Stage, random.Random], None]
) -> None:
    for _, rng in repeats(38, sample=1):
        on = stage()
        holding(on)
        lie(on, rng)
        wait_for(lambda on=on: "position of market" in on.halted(), CALM_S)
        wait_for(lambda on=on: not on.god()["orders"])
        sent = on.sent()
        pause_s(1)
        assert on.sent() == sent, "nothing is placed before a person has looked"
        wait_for(lambda on=on: on.bot.page()["position"]["pos"] == lots(on))
        on.settled()
        on.begin()  # the next start finds both equal
        on.settled()
        on.close()


def test_fault_38_a_position_that_is_really_gone_is_gone_by_its_fills(
    repeats: Repeats, stage: Callable[..., Stage]
) -> None:
    for _ in repeats(38, sample=1):
        on = stage()
        holding(on)
        on.ask(do="liquidate", account=1000)
        wait_for(lambda on=on: "never sent" in on.halted(), CALM_S)
        wait_for(lambda on=on: on.bot.page()["position"]["pos"] == lots(on) == 0, CALM_S)
        sent = on.sent()
        pause_s(1)
        assert on.sent() == sent, "nothing is placed before a person has looked"
        on.settled()
        assert on.held() == 0
        on.close()
