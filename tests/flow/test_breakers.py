"""The protections in the running engine: what ships lets trading be, and a broken market halts."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bog._core.source import open_source
from bog._core.types import Halt, Verdict, Violation
from bog._core.types import JournalKind as J
from tests.flow.test_incidents import AT, EAGER, INTENTS, SEC, times
from tests.rig.live import Bot
from tests.rig.session import trade

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "market-data"
RECORDINGS = ["lighter-btc", "binance-btcusdt-perp"]


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    started: list[Bot] = []

    def start(*arguments: object) -> Bot:
        started.append(Bot(tmp_path, *arguments))
        return started[-1]

    yield start
    for bot in started:
        bot.process.kill()
        bot.process.wait()


def most_within(records: np.ndarray, kind: int, window_s: float) -> int:
    """Return the largest number of records of a kind that any window holds."""
    at = np.sort(records["time_ns"][records["kind"] == kind].astype(np.int64))
    ends = np.searchsorted(at, at + int(window_s * SEC), side="left")
    return int((ends - np.arange(len(at))).max(initial=0))


@pytest.mark.parametrize("preset", ["quiet", "active", "toxic"])
def test_what_ships_halts_no_ordinary_market(tmp_path: Path, preset: str) -> None:
    for seed in range(1, 6):
        page, records, code = trade(tmp_path / f"{seed}", seed=seed, preset=preset, seconds=300)
        assert (code, page["halt"]) == (0, Halt.HALT_NONE), seed
        assert not len(records[records["kind"] == J.J_BREAKER])
        assert most_within(records, J.J_FILL, 10) <= 71
        assert most_within(records, J.J_REJECT, 1) <= 2
        assert page["denied"][Verdict.DENY_KILLED] == 0, "a normal end is no refusal"


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_ships_halts_no_recording(tmp_path: Path, name: str) -> None:
    path = SHARED / name / "events.csv.gz"
    if not path.exists():
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"{path} is absent")
        pytest.skip(f"{path} is absent: this test needs the recordings beside the project")
    source = open_source(path, 1, price_decimals=1, size_decimals=5)
    page, records, code = trade(tmp_path, source=source, seconds=3600)
    assert (code, page["halt"]) == (0, Halt.HALT_NONE)
    assert not len(records[records["kind"] == J.J_BREAKER])
    assert most_within(records, J.J_FILL, 10) <= 71
    # the snapshot of Lighter's recording is older than a second; then nothing is late
    late = records[(records["kind"] == J.J_DENIED) & (records["reason"] == Verdict.DENY_DELAYED)]
    assert len(late) <= 2
    assert times(records, *INTENTS)


def test_a_lasting_step_of_twelve_percent_halts_within_three_books(tmp_path: Path) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} jump 12", flags=EAGER, seconds=20)
    assert (code, page["halt"], page["halt_id"]) == (0, Halt.HALT_MARKET, 1)
    told = records[records["kind"] == J.J_BREAKER]
    assert [int(v) for v in told["val"]] == [1, 2, 3]
    assert set(told["reason"]) <= {int(Violation.VIOLATION_MOVE), int(Violation.VIOLATION_SPREAD)}
    (halted,) = times(records, J.J_HALT)
    first = times(records, J.J_BREAKER)[0]
    assert AT <= first <= halted < AT + 1
    assert not [t for t in times(records, *INTENTS) if t >= first], "nor on the violating ticks"
    # the next life stays halted, and trades once the right number is named
    page, records, _ = trade(tmp_path, flags=EAGER)
    assert page["halt"] == Halt.HALT_MARKET and not times(records, *INTENTS)
    page, records, _ = trade(tmp_path, flags=EAGER, clear_halt=1)
    assert page["halt"] == Halt.HALT_NONE and times(records, *INTENTS)


def test_quoting_begins_after_the_warm_up_and_again_after_a_doubt(tmp_path: Path) -> None:
    page, records, code = trade(tmp_path, script=f"{AT} stall 3", flags=EAGER)
    assert code == 0
    places = times(records, *INTENTS)
    fresh = times(records, J.J_STALE)[1]
    assert places[0] >= 1, "a start warms up"
    assert min(t for t in places if t > AT + 0.75) >= fresh + 1
    assert page["denied"][Verdict.DENY_WARMING] > 0


def test_the_log_of_a_running_bot_says_circuit_breaker(
    bots: Callable[..., Bot], tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_text(f"{AT} jump 12\n")
    bot = bots("--script", script, "--duration", "20s", "--speed", "max").ends()
    halted = [line for line in bot.log if "CIRCUIT BREAKER" in line["message"]]
    assert [line["reason"] for line in halted] == ["MARKET"]
    assert len([line for line in bot.log if line["message"] == "Market breaker: violation"]) == 3


def test_a_number_without_a_halt_is_refused_in_one_line(bots: Callable[..., Bot]) -> None:
    bot = bots("--clear-halt", 9, "--duration", "5s", "--speed", "max").ends(code=78)
    (line,) = [one for one in bot.said.splitlines() if "halt" in one]
    assert "--clear-halt 9: no such halt: no halt stands: leave it out" in line
    assert not list(bot.folder.glob("*.journal")), "it began no run"
