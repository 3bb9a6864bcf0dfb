"""Feed and bot within what their units allow them: system calls, pages, and the drain."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.live import ROOT, Bot, environment, wait_for

UNITS = ROOT / "deploy" / "systemd"


def absent(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(autouse=True)
def able() -> None:
    """Skip where systemd is not installed or the kernel has no such means."""
    if shutil.which("systemd-analyze") is None:
        absent("systemd-analyze is not installed: apt-get install systemd")
    done = run("live", "pass")
    if done.returncode:
        absent(f"no jail on this kernel: {done.stderr[-200:]}")


def words(unit: str) -> list[str]:
    return [sys.executable, "-m", "tests.rig.jail", str(UNITS / f"bog-{unit}@.service")]


def run(unit: str, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*words(unit), sys.executable, "-c", program], env=environment(), capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("unit", ["live", "feed"])
def test_the_jail_is_one(unit: str) -> None:
    refused = {
        "import os; os.chroot('/')": "not permitted",
        "import os; os.setuid(1)": "not permitted",
        "import mmap; mmap.mmap(-1, 4096, prot=7)": "ermission",
    }
    for program, why in refused.items():
        done = run(unit, program)
        assert done.returncode == 1 and why in done.stderr, program


@pytest.fixture
def born() -> Iterator[list[subprocess.Popen[bytes] | Bot]]:
    found: list[subprocess.Popen[bytes] | Bot] = []
    yield found
    for each in reversed(found):
        each.kill()
        if isinstance(each, subprocess.Popen):
            each.wait()


def test_feed_and_bot_run_and_drain_within_their_units(
    born: list[subprocess.Popen[bytes] | Bot], tmp_path: Path, shm: Path
) -> None:
    core = max(os.sched_getaffinity(0))
    with (tmp_path / "feed.txt").open("w") as said:
        feed = subprocess.Popen(
            [*words("feed"), sys.executable, "-m", "bog.cli.feed", "--market", "1", "--dir", str(shm)],
            env=environment(), cwd=tmp_path, stderr=said,
        )  # fmt: skip
    born.append(feed)
    wait_for(lambda: (shm / "hg_m1000001").exists() or feed.poll() is not None)
    assert feed.poll() is None, (tmp_path / "feed.txt").read_text()
    # pinned, with metrics: what asks the host for most
    bot = Bot(
        tmp_path, "--feed", "huginn", "--cpu", core, before=words("live"),
        BOG_MONITORING__PROMETHEUS_PORT="0", BOG_RISK__STALE_AFTER_MS="60000",
    )  # fmt: skip
    born.append(bot)
    bot.trading()
    assert os.sched_getaffinity(bot.engine()) == {core}
    assert "not pinned" not in bot.said
    for pid in (bot.pid, bot.engine(), feed.pid):
        status = Path(f"/proc/{pid}/status").read_text()
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    bot.stop()
    assert bot.left() == []
    feed.terminate()
    assert feed.wait(60) == 0, (tmp_path / "feed.txt").read_text()
