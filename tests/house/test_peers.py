"""The turns of `make peers`: bog's part of them does what it is timed for, and says so when not."""

from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the program that times bog, with fewer turns."""
    monkeypatch.syspath_prepend(str(PEERS.parent))
    monkeypatch.syspath_prepend(str(PEERS))
    import bog_turns  # type: ignore[import-not-found]

    monkeypatch.setattr(bog_turns, "TURNS", 500)
    monkeypatch.setattr(bog_turns, "ROUNDS", 2)
    return bog_turns


def test_no_message_repeats_the_one_before_it(turns: ModuleType) -> None:
    for kind in turns.KINDS:
        books = kind.books(100)
        assert len(books) == 101
        assert all(one != other for one, other in pairwise(books))
        assert {mid for mid, _ in books} == {turns.MID, turns.MID + kind.move}


def test_each_turn_gives_the_commands_that_its_name_says(
    turns: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in turns.KINDS:
        turns.lane(kind)
    assert capsys.readouterr().out.count('"who": "bog, lane"') == 3


@pytest.mark.parametrize("move", [1, 5])
def test_a_turn_that_does_something_else_ends_the_run(turns: ModuleType, move: int) -> None:
    amends = 2 if move == 1 else 0
    with pytest.raises(SystemExit, match="amended, not"):
        turns.lane(turns.Turn("planted", move, amends))
    with pytest.raises(SystemExit, match="amends, not"):
        turns.step(turns.Turn("planted", move, amends))
