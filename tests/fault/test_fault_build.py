"""FAULT-83: bog-arm, bog-live and the gateway are of different builds, as at Knight Capital.

A build is the code, compiled or not. A copy of it in which one byte is another is another build: what one
has armed the other does not start, and a gateway of the other signs nothing that could trade.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.rig.fault import Repeats
from tests.rig.gateway import Exchange
from tests.rig.live import ROOT, Bot, one_error, wait_for
from tests.rig.rehearsal import arm, children, configuration
from tests.rig.spoiled import CALM_S, Stage, pause_s

SAMPLE = 2


def change(build: Path, rng: Random) -> None:
    """Make a copy another build: a byte behind the code of a module, or a line in a source."""
    if rng.random() < 0.5:
        path = rng.choice(sorted((build / "bog" / "_core").glob("*.so")))
        changed = path.read_bytes() + b"\0"
    else:
        path = rng.choice(sorted((build / "bog" / "lighter").glob("*.py")))
        changed = path.read_bytes() + b"# another\n"
    new = path.with_name("new")
    new.write_bytes(changed)
    shutil.copymode(path, new)
    new.replace(path)  # as an installer does: what runs keeps the file that it has


@pytest.fixture
def build(tmp_path: Path) -> Callable[[], Path]:
    """Return a function to a copy of the code, to be put in PYTHONPATH."""
    made = 0

    def copy() -> Path:
        nonlocal made
        made += 1
        path = tmp_path / f"build-{made}"
        shutil.copytree(
            ROOT / "bog", path / "bog", ignore=shutil.ignore_patterns("__pycache__", "*.h")
        )
        return path

    return copy


def test_fault_83_what_one_build_armed_another_does_not_start(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path], build: Callable[[], Path],
    bots: Callable[..., Bot],
) -> None:  # fmt: skip
    # many starts a minute ask more than the venue's limits allow one address
    exchange.ask(do="rule", name="limits", value=False)
    for n, rng in repeats(83, sample=SAMPLE):
        where, other = place(), build()
        (where / "shm").mkdir(mode=0o700)
        change(other, rng)
        keys = configuration(where, exchange)
        theirs = keys | {"PYTHONPATH": str(other)}
        one, two = (keys, theirs) if n % 2 else (theirs, keys)
        armed = arm(where, one)
        assert armed.returncode == 0, armed.stderr
        token = armed.stdout.splitlines()[-1]
        bot = bots(where, "--config", "rehearsal", "--mode", "live", "--arm", token, **two)
        bot.ends(78)
        assert "build is 'bog-mm" in one_error(bot.said)
        assert not exchange.god()["orders"] and not list(where.glob("journal/*.journal"))
        shutil.rmtree(other)


def test_fault_83_a_gateway_of_another_build_does_not_start(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path], build: Callable[[], Path],
    bots: Callable[..., Bot],
) -> None:  # fmt: skip
    for _, rng in repeats(83, sample=SAMPLE):
        where, other = place(), build()
        (where / "shm").mkdir(mode=0o700)
        change(other, rng)
        # a module that is found where bog-live looks, and brings the gateway of the other build
        (where / "stray.py").write_text(
            f"import sys\nsys.path.insert(0, {str(other)!r})\n"
            "from bog.lighter.gateway import main\nsys.exit(main())\n"
        )
        path = os.pathsep.join((str(ROOT), str(where)))
        keys = configuration(where, exchange, live__gateway="stray") | {"PYTHONPATH": path}
        armed = arm(where, keys)
        assert armed.returncode == 78
        assert "want one build" in one_error(armed.stderr)
        assert not exchange.god()["orders"]
        shutil.rmtree(other)


def test_fault_83_a_gateway_that_was_changed_under_a_running_bot_only_cancels(
    repeats: Repeats, place: Callable[[], Path], build: Callable[[], Path]
) -> None:
    for _, rng in repeats(83, sample=SAMPLE):
        code = build()
        on = Stage(place())
        try:
            on.environ = {"PYTHONPATH": str(code)}
            on.begin()
            change(code, rng)
            os.kill(children(on.bot)["bog-gateway"], signal.SIGKILL)
            wait_for(lambda on=on: "the gateway is of bog-mm" in on.halted(), CALM_S)
            wait_for(lambda on=on: not on.god()["orders"], CALM_S)
            sent = on.sent()
            pause_s(1)
            assert on.sent() == sent, "nothing is placed before a person has looked"
            on.settled()
        finally:
            on.close()
        shutil.rmtree(code)
