"""A start is cheap, and a Ctrl-C in the middle of it is an end like any other."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.rig.live import PATIENCE_S, environment, wait_for

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


@pytest.mark.parametrize("name", ["bog", "json"])
def test_what_lies_where_bog_is_started_is_not_run(tmp_path: Path, name: str) -> None:
    # keys are near: a folder that somebody else may write to must not become our code
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('run: what lies here')")
    (tmp_path / "shm").mkdir(mode=0o700)
    done = subprocess.run(
        [BIN / "bog-live", "--market", "1", "--journal", "journal", "--feed-dir", "shm",
         "--speed", "max", "--duration", "30s"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "what lies here" not in done.stdout + done.stderr
