"""A start is cheap, and a Ctrl-C in the middle of it is an end like any other."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.rig.live import PATIENCE_S, Bot, environment, wait_for

BIN = Path(sys.executable).parent
INT = signal.SIGINT
# what is mapped at a moment of the start: the command line, the configuration, the session, the end
MOMENTS = {
    "bog-live": ["_datetime", "pydantic_core", "_core/reader", "bog_m"],
    "bog-feed": ["_datetime", "pydantic_core"],
    "bog-backtest": ["_datetime"],
    "bog-journal": ["_datetime"],
    "bog-ctl": ["_datetime"],
}
ARGUMENTS = {
    "bog-live": ["--market", "1", "--journal", "journal", "--feed-dir", "shm"],
    "bog-feed": ["--market", "1", "--dir", "shm"],
    "bog-backtest": ["absent.bin", "absent.csv", "--fills", "fills.csv"],
    "bog-journal": ["show", "."],
    "bog-ctl": ["--journal", "journal", "status"],
}


def mapped(pid: int, name: str) -> bool:
    """Return whether a process has mapped a file of this name, or has ended."""
    try:
        return name in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return True


def children(pid: int) -> list[int]:
    """Return the children of a process that may have ended."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@pytest.mark.parametrize(
    ("command", "moment"), [(c, m) for c, moments in MOMENTS.items() for m in moments]
)
def test_a_ctrl_c_while_a_command_starts_ends_it_silently(
    tmp_path: Path, command: str, moment: str
) -> None:
    (tmp_path / "shm").mkdir(mode=0o700)
    with (tmp_path / "err.txt").open("w") as err:
        process = subprocess.Popen(
            [BIN / command, *ARGUMENTS[command]], cwd=tmp_path, env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
        until = time.monotonic() + PATIENCE_S
        while process.poll() is None and not mapped(process.pid, moment):
            assert time.monotonic() < until
        born = children(process.pid)
        process.send_signal(INT)
        code = process.wait(PATIENCE_S)
    said = (tmp_path / "err.txt").read_text()
    assert "Traceback" not in said and "Interrupt" not in said, said
    # the handlers may have been there already, and a short command at its end
    assert (code == -INT and not said) or code in (0, 1, 2), (code, said)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in born))


def test_a_ctrl_c_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As `nohup`, or `&` in a script, start a command."""
    script = "trap '' INT; exec \"$0\" -c 'import bog.cli, os, signal; os.kill(os.getpid(), 2)'"
    done = subprocess.run(
        ["sh", "-c", script, sys.executable], env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


NEVER = ("numpy", "pydantic", "loguru", "rich", "asyncio")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("bog.run", NEVER),
        ("bog.cli.ctl", NEVER),
        ("bog.cli.feed", ("numpy", "loguru", "rich")),
        ("bog.cli.live", NEVER),
        ("bog.session", ("numpy", "loguru", "rich")),
    ],
)
def test_a_start_imports_only_what_it_uses(module: str, absent: tuple[str, ...]) -> None:
    """Each costs tens of milliseconds of every start, and numpy the engine 100 MB that it locks."""
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(absent) & set(done.stdout.split())


SHORT = ("--duration", "1s", "--speed", "max")


@pytest.mark.parametrize("how", ["taskset", "cpu"])
def test_the_report_says_what_the_host_gave(tmp_path: Path, how: str) -> None:
    """An outer `taskset` counts as `--cpu` does, but only a core of its own lets the engine spin."""
    core = max(os.sched_getaffinity(0))
    bot = (
        Bot(tmp_path, *SHORT, before=["taskset", "--cpu-list", str(core)])
        if how == "taskset"
        else Bot(tmp_path, *SHORT, "--cpu", core)
    ).ends(0)
    host = bot.report["host"]
    assert host["cpus"] == [core]
    assert host["policy"] == "other" and host["idle"] == ("spin" if how == "cpu" else "nap")
    assert f"host cpu {core}, policy other, " in bot.said
    assert f"host        cpu {core}, policy other, " in bot.out.read_text()


def test_memory_that_was_not_granted_is_not_claimed(tmp_path: Path) -> None:
    root = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    bot = Bot(tmp_path, *SHORT, before=[*root, "prlimit", "--memlock=0"]).ends(0)
    assert bot.report["host"]["locked_bytes"] == 0
    assert ", 0.0 MB locked, " in bot.said
    assert "memory is not locked: RLIMIT_MEMLOCK is 0 bytes" in bot.said


def test_memory_is_locked_where_the_host_allows_it(tmp_path: Path) -> None:
    raised = ["prlimit", "--memlock=unlimited"] if os.geteuid() == 0 else []
    bot = Bot(tmp_path, *SHORT, before=raised).ends(0)
    locked = json.loads(bot.report_path.read_text())["host"]["locked_bytes"]
    assert locked > 0 or "memory is not locked" in bot.said
