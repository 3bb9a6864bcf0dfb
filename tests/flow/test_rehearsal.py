"""A rehearsal is equal to the micro-USDC, with faults too; each planted bug of a gateway turns it red."""

import os
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest

from bog import nemesis
from bog.errors import BogError
from bog.lighter.desk import Desk
from bog.lighter.fate import Fates
from bog.rehearsal import Account, Fill, Plan, differences, rehearse
from tests.rig.live import ROOT
from tests.rig.planted import FAULTY, PLANTS

SHORT = Plan(seconds=120, orders=20, fills=1)
LOST = "lost-answers"
BEGIN = 137  # a seed whose script begins with it


def test_a_rehearsal_is_equal_to_the_micro_usdc(tmp_path: Path) -> None:
    said: list[str] = []
    result = rehearse(tmp_path, SHORT, said.append)
    assert result.wrong == []
    assert result.ours == result.theirs and result.ours.fills
    assert result.orders >= 20 and said


def environment_of(plant: str) -> dict[str, str]:
    """Return the variables that start a gateway with a bug."""
    return {
        "PLANTED_BUG": plant, "BOG_LIVE__GATEWAY": "tests.rig.planted",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip


def test_a_rehearsal_with_every_kind_of_fault_is_equal_to_the_micro_usdc(tmp_path: Path) -> None:
    """It takes some 70 s; a crowded machine has not played the whole script after 150."""
    said: list[str] = []
    plan = Plan(seconds=150, orders=20, fills=0, seed=BEGIN, faults=1)
    result = rehearse(tmp_path, plan, said.append)
    print(result.faults, result.lost, result.live)
    assert [line for line in result.wrong if not line.endswith("faults in 150 s")] == []
    assert result.ours == result.theirs
    kinds = [line.split()[1].rstrip(",") for line in said if "[{" in line]
    assert kinds == [act.kind for act in nemesis.script(BEGIN, 1)]
    assert set(kinds) == set(nemesis.KINDS) and kinds[0] == LOST
    assert list(result.faults) == kinds[: len(result.faults)] and result.faults[LOST] > 0


def test_an_order_that_is_forgotten_for_want_of_an_answer_turns_a_rehearsal_red(
    tmp_path: Path,
) -> None:
    (name,) = FAULTY
    plan = Plan(seconds=240, orders=10**6, fills=0, faults=50, only=(LOST,))
    result = rehearse(tmp_path, plan, lambda _: None, environment_of(name))
    assert any("ended by the journal and rests" in line for line in result.wrong), result.wrong


def taken(function: Callable[..., object]) -> list[object]:
    """Return what tells whether a function takes a call: the default of each parameter."""
    return [each.default for each in signature(function).parameters.values()]


@pytest.mark.parametrize("name", [*PLANTS, *FAULTY])
def test_a_planted_bug_takes_what_the_desk_gives(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """One that did not ended each gateway with a TypeError, and the rehearsal was red for that."""
    real = {
        (of, verb): what
        for of in (Desk, Fates)
        for verb, what in vars(of).items()
        if callable(what)
    }
    for (of, verb), what in real.items():
        monkeypatch.setattr(of, verb, what)  # given back at the end
    (PLANTS | FAULTY)[name]()
    changed = [(each, what) for each, what in real.items() if getattr(*each) is not what]
    assert changed
    for each, what in changed:
        assert taken(getattr(*each)) == taken(what), each


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_turns_the_rehearsal_red(tmp_path: Path, name: str) -> None:
    plan = Plan(seconds=40, orders=20, fills=1)
    try:
        result = rehearse(tmp_path, plan, lambda _: None, environment_of(name))
    except BogError as error:
        raise AssertionError(f"the bug was not reached: {error}") from error
    beyond = [line for line in result.wrong if not line.endswith(f"want {plan.orders} and 1")]
    assert beyond, "red for what went wrong, not for how little happened"


def test_each_kind_of_difference_is_said() -> None:
    fill = Fill(7, 0, 100, 5, 1)
    ours = Account(5, -501, 1, [3], [fill])
    assert differences(ours, ours) == []
    for other in (
        Account(4, -501, 1, [3], [fill]),
        Account(5, -500, 1, [3], [fill]),
        Account(5, -501, 2, [3], [fill]),
        Account(5, -501, 1, [], [fill]),
        Account(5, -501, 1, [3], []),
        Account(5, -501, 1, [3], [fill, fill]),
        Account(5, -501, 1, [3], [fill._replace(px=101)]),
    ):
        assert differences(ours, other), other


class GodView:
    """An exchange that says what it is told to."""

    def __init__(self) -> None:
        self.account = {"orders": [], "positions": {"1": {"lots": 0}}}
        self.says = {"accounts": {"1000": self.account}, "could_execute": [], "twice": []}
        self.asked: list[dict] = []

    def ask(self, **asked: object) -> dict:
        self.asked.append(asked)
        if asked["do"] == "faults":
            return {
                "script": [{"do": "silent", "when": "after", "happened": 2, "hit": 3}],
                "refuse": [],
            }
        return self.says if asked["do"] == "god" else {}

    def rests(self, client: int, left: int, is_ask: bool = False) -> None:
        self.account["orders"].append({"client": client, "left": left, "is_ask": is_ask})


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda god: god.says.update(twice=[7]), "order 7 was created twice"),
        (lambda god: god.rests(8, 1), "order 8 has ended by the journal and rests at the exchange"),
        (lambda god: god.rests(7, 101), "position 0 and bids of 101 pass 100 lots"),
        (lambda god: god.rests(7, 101, True), "position 0 and asks of 101 pass 100 lots"),
        (lambda god: god.account["positions"]["1"].update(lots=-101),
         "position -101 and asks of 0 pass 100 lots"),
        (lambda god: (god.rests(7, 60),
                      god.says["could_execute"].append({"lots": 41, "is_ask": False})),
         "position 0 and bids of 101 pass 100 lots"),
        (lambda god: (god.rests(7, 100), god.rests(9, 100, True)), ""),
    ],
)  # fmt: skip
def test_what_must_not_be_at_the_exchange_is_said_once(change: Callable, says: str) -> None:
    god = GodView()
    change(god)
    watch = nemesis.Nemesis([], god.ask, 1000, 100)
    watch.look(0.0, {8})
    watch.look(1.0, {8})
    assert watch.wrong == ([says] if says else [])


def test_a_script_is_its_seeds_and_is_played_while_orders_rest() -> None:
    acts = nemesis.script(5, 2)
    assert acts == nemesis.script(5, 2) != nemesis.script(6, 2)
    assert sorted(act.kind for act in acts) == sorted([*nemesis.KINDS, *nemesis.KINDS])
    god = GodView()
    play = nemesis.Nemesis(acts[:1], god.ask, 1000, 100)
    for now in range(10):
        play.look(float(now), set())
    assert {asked["do"] for asked in god.asked} == {"god"}, "nothing rests, nothing is spoiled"
    god.rests(7, 10)
    for now in range(10, 30):
        play.look(float(now), set())
    assert play.done and play.played == 1 and (play.lost, play.live) == (3, 3)
    spoiled = [asked for asked in god.asked if asked["do"] not in ("god", "faults", "clear")]
    assert spoiled == acts[0].asks and god.asked.count({"do": "clear"}) == 1
