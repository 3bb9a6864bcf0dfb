"""Some minutes of the day of `make soak-day`: they are sound, and a day that is not is found out."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rig.day import GROWTH_KB, Day, Watched, spend
from tests.rig.live import PATIENCE_S, environment

HOURS = 0.1


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 40 s of the built-in market."""
    folder = tmp_path_factory.mktemp("tape")
    line = [sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", str(folder)]
    more = ["--speed", "max", "--duration", "40", "--record", str(folder / "tape")]
    subprocess.run(
        [*line, *more], env=environment(), check=True, stderr=subprocess.DEVNULL, timeout=PATIENCE_S
    )
    return folder / "tape"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """Return six minutes of the built-in market."""
    return spend(tmp_path_factory.mktemp("day"), "built-in market", "sim", HOURS, every_s=0.01)


def test_some_minutes_of_the_built_in_market_are_sound(day: Day) -> None:
    assert day.findings() == []
    assert day.report["fills"]["count"] > 0 and day.fold.records > 100


def test_some_minutes_of_a_recording_looped_are_sound(tmp_path: Path, tape: Path) -> None:
    looped = spend(tmp_path, "tape", f"loop:{tape}", 20 * HOURS, every_s=0.002)
    assert looped.findings() == []
    # many times as long as the recording, which it says it loops
    assert looped.report["about"]["feed"] == f"loop {tape}"
    assert looped.report["run"]["market_sec"].startswith("7200.")
    assert looped.report["fills"]["count"] > 0


def leaking() -> Watched:
    kb = list(range(0, 40 * GROWTH_KB, GROWTH_KB))
    return Watched("engine", anonymous_kb=kb, resident_kb=kb, files=[9] * len(kb))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda day: replace(day, processes=[leaking()]), "its own memory grew by"),
        (lambda day: replace(day, fold=replace(day.fold, pos=day.fold.pos + 1)), "position is"),
        (lambda day: replace(day, fold=replace(day.fold, cash=day.fold.cash + 1)), "cash"),
        (lambda day: replace(day, fold=replace(day.fold, volume=0)), "volume is"),
        (lambda day: replace(day, fold=replace(day.fold, fills=[0, 0])), "fills is"),
        (lambda day: replace(day, fold=replace(day.fold, counts={})), "requests place is"),
        (lambda day: replace(day, hours=2 * day.hours), "before the end of the day"),
    ],
)
def test_a_day_that_drifts_is_found(day: Day, damage: Callable[[Day], Day], found: str) -> None:
    assert any(found in line for line in damage(day).findings())
