"""A rehearsal is equal to the micro-USDC, and each planted bug of a gateway turns it red."""

import os
from pathlib import Path

import pytest

from bog.errors import BogError
from bog.rehearsal import Account, Fill, Plan, differences, rehearse
from tests.rig.live import ROOT
from tests.rig.planted import PLANTS

SHORT = Plan(seconds=120, orders=20, fills=1)


def test_a_rehearsal_is_equal_to_the_micro_usdc(tmp_path: Path) -> None:
    said: list[str] = []
    result = rehearse(tmp_path, SHORT, said.append)
    assert result.wrong == []
    assert result.ours == result.theirs and result.ours.fills
    assert result.orders >= 20 and said


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_turns_the_rehearsal_red(tmp_path: Path, name: str) -> None:
    more = {
        "PLANTED_BUG": name, "BOG_LIVE__GATEWAY": "tests.rig.planted",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    plan = Plan(seconds=40, orders=20, fills=1)
    try:
        result = rehearse(tmp_path, plan, lambda _: None, more)
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
