"""What the host gives the engine, and what is said of what it does not give: real processes on it."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bog import host
from bog.control import Client, Command
from tests.rig.live import Bot, environment, one_error, runs, wait_for

SHORT = ("--duration", "1s", "--speed", "max")
STRICT = {"BOG_HOST__STRICT": "true"}
AWAKE = {"BOG_HOST__AWAKE": "true"}
READ_ONLY = (
    f'mount --bind "$0" {host.LATENCY} && mount -o remount,bind,ro {host.LATENCY} && exec "$@"'
)
CORES = sorted(os.sched_getaffinity(0))
CORE = CORES[-1]
ROOT = os.geteuid() == 0


@pytest.fixture
def bots(tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    """Start bots that do not outlive the test."""
    born: list[Bot] = []

    def start(*arguments: object, **how: Any) -> Bot:
        born.append(Bot(tmp_path, *arguments, **how))
        return born[-1]

    yield start
    for bot in born:
        bot.kill()


def limited(**limits: object) -> list[str]:
    """Return the words that give a program these limits and take root's privileges away."""
    given = ["prlimit", *(f"--{name}={value}" for name, value in limits.items())]
    return [*given, "setpriv", "--bounding-set=-all", "--inh-caps=-all"] if ROOT else given


def grants_realtime() -> bool:
    """Return whether a program of ours may have real time on this host."""
    program = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    return done.returncode == 0


def threads(pid: int) -> list[int]:
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


def mappings(pid: int, prefix: str) -> list[list[str]]:
    """Return the kernel's flags of each mapping of files whose path begins so."""
    found, inside = [], False
    for row in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if not row.split()[0].endswith(":"):
            inside = prefix in row
        elif inside and row.startswith("VmFlags:"):
            found.append(row.split()[1:])
    return found


def status(bot: Bot) -> dict[str, Any]:
    client = Client(str(bot.folder))
    with contextlib.closing(client):
        answer: dict[str, Any] = client.ask(1, Command.STATUS)["status"]
    return answer


@pytest.mark.parametrize("how", ["taskset", "cpu"])
def test_the_report_says_what_the_host_gave(bots: Callable[..., Bot], how: str) -> None:
    """An outer `taskset` counts as `--cpu` does, but only a core of its own lets the engine spin."""
    flags, before = (
        ((), ["taskset", "--cpu-list", str(CORE)]) if how == "taskset" else (("--cpu", CORE), [])
    )
    bot = bots(*SHORT, *flags, before=before).ends(0)
    given = bot.report["host"]
    assert given["cpus"] == [CORE] and given["policy"] == "other"
    assert given["idle"] == ("spin" if how == "cpu" else "nap")
    assert f"host cpu {CORE}, policy other, " in bot.said
    assert f"host        cpu {CORE}, policy other, " in bot.out.read_text()


def test_a_hot_core_is_the_hot_threads_alone(bots: Callable[..., Bot]) -> None:
    bot = bots("--cpu", CORE).trading()
    engine, others = bot.engine(), set(CORES) - {CORE} or {CORE}
    assert os.sched_getaffinity(engine) == {CORE}
    # the journal's thread, and all of bog-live
    rest = [one for one in threads(engine) if one != engine]
    assert rest and len(threads(bot.pid)) > 1
    for one in [*rest, *threads(bot.pid)]:
        assert os.sched_getaffinity(one) == others, Path(f"/proc/{one}/comm").read_text()
    bot.stop()


def test_a_taskset_around_says_where_all_others_run(bots: Callable[..., Bot]) -> None:
    """`--cpu` is the closer word for the hot thread, as an isolated core is outside of every mask."""
    first = CORES[0]
    bot = bots("--cpu", CORE, before=["taskset", "--cpu-list", str(first)]).trading()
    engine = bot.engine()
    assert os.sched_getaffinity(engine) == {CORE}
    for one in [*threads(engine), *threads(bot.pid)]:
        assert one == engine or os.sched_getaffinity(one) == {first}
    assert status(bot)["host"]["cpus"] == [CORE]
    bot.stop()


@pytest.mark.parametrize("strict", [False, True])
def test_a_core_that_all_of_us_share_is_said_or_refused(
    bots: Callable[..., Bot], strict: bool
) -> None:
    before = ["taskset", "--cpu-list", str(CORE)]
    bot = bots(*SHORT, "--cpu", CORE, before=before, **(STRICT if strict else {}))
    words = f"--cpu {CORE}: bog-live and the journal share this core, the only one that they may"
    if strict:
        assert f"host.strict = true: {words}" in one_error(bot.ends(78).said)
    else:
        (remark,) = (line for line in bot.ends(0).report["host"]["refused"] if "--cpu" in line)
        assert remark.startswith(words) and remark in bot.said


def test_a_core_that_is_not_there_is_refused_in_any_mode(bots: Callable[..., Bot]) -> None:
    said = one_error(bots(*SHORT, "--cpu", 4095).ends(78).said)
    assert f"--cpu 4095: Invalid argument: want one of {', '.join(map(str, CORES))}" in said


@pytest.mark.parametrize("strict", [False, True])
def test_real_time_that_was_not_granted_is_said_or_refused(
    bots: Callable[..., Bot], strict: bool
) -> None:
    before = limited(rtprio=0)
    bot = bots(*SHORT, "--realtime", before=before, **(STRICT if strict else {}))
    words = "no real time, --realtime: Operation not permitted: RLIMIT_RTPRIO is 0, want 1 or more"
    if strict:
        assert f"host.strict = true: {words}" in one_error(bot.ends(78).said)
    else:
        assert words in bot.ends(0).said
        assert bot.report["host"]["policy"] == "other"
        assert any(words in line for line in bot.report["host"]["refused"])


@pytest.mark.parametrize("strict", [False, True])
def test_real_time_is_not_taken_where_it_would_starve_the_journal(
    bots: Callable[..., Bot], strict: bool
) -> None:
    before = ["taskset", "--cpu-list", str(CORE)]
    bot = bots(*SHORT, "--realtime", before=before, **(STRICT if strict else {}))
    words = f"no real time: cpu {CORE} is the only one that bog-live and the journal may use"
    if strict:
        assert f"host.strict = true: {words}" in one_error(bot.ends(78).said)
    else:
        assert words in bot.ends(0).said and bot.report["host"]["policy"] == "other"


def test_cores_are_kept_awake_for_as_long_as_the_engine_lives(bots: Callable[..., Bot]) -> None:
    def holders() -> list[Path]:
        return [
            file for file in Path(f"/proc/{engine}/fd").iterdir() if file.readlink() == host.LATENCY
        ]

    bot = bots(**AWAKE).trading()
    engine = bot.engine()
    if not os.access(host.LATENCY, os.W_OK):  # then the test below is what this host can show
        assert status(bot)["host"]["awake"] is False
        return
    assert status(bot)["host"]["awake"] is True and len(holders()) == 1
    bot.stop()
    assert "while nothing is due, cores kept awake\n" in bot.out.read_text()


@pytest.mark.parametrize("strict", [False, True])
def test_cores_that_may_sleep_are_said_or_refused(
    bots: Callable[..., Bot], tmp_path: Path, strict: bool
) -> None:
    before: list[str] = []
    words = f"cores may sleep, host.awake = true: {host.LATENCY}: "
    if os.access(host.LATENCY, os.W_OK):  # a root that has it anyway: a file system that has it not
        (tmp_path / "none").write_bytes(b"")
        before = ["unshare", "--mount", "--", "sh", "-c", READ_ONLY, str(tmp_path / "none")]
        words += "Read-only file system: want it writable for us"
    bot = bots(*SHORT, before=before, **AWAKE, **(STRICT if strict else {}))
    if strict:
        assert f"host.strict = true: {words}" in one_error(bot.ends(78).said)
    else:
        assert words in bot.ends(0).said and bot.report["host"]["awake"] is False
        assert any(line.startswith(words) for line in bot.report["host"]["refused"])


@pytest.mark.parametrize("how", ["--realtime", "chrt"])
def test_only_the_hot_thread_has_real_time(bots: Callable[..., Bot], how: str) -> None:
    if not grants_realtime():  # then the test above is what this host can show
        assert not ROOT or "no real time" in bots(*SHORT, "--realtime").ends(0).said
        return
    chosen = {"before": ["chrt", "--fifo", "1"]} if how == "chrt" else {}
    bot = bots("--cpu", CORE, *(["--realtime"] if how == "--realtime" else []), **chosen).trading()
    engine = bot.engine()
    assert host.policy(engine) == "fifo" and os.sched_getparam(engine).sched_priority == 1
    for one in [*threads(engine), *threads(bot.pid)]:
        assert one == engine or host.policy(one) == "other"
    given = status(bot)["host"]
    # it rests, so that it keeps what it has
    assert (given["policy"], given["idle"]) == ("fifo", "rest")
    assert status(bot)["remarks"] == [line for line in status(bot)["remarks"] if "real" not in line]
    bot.stop()
    assert bot.report["host"]["policy"] == "fifo" and host.LOST not in bot.report["host"]["refused"]


def test_a_hot_thread_that_never_rests_loses_real_time_and_trades_on(
    bots: Callable[..., Bot],
) -> None:
    """As fast as possible it has no rest: without the guard its core would be gone for all others."""
    if not grants_realtime():
        assert not ROOT or "no real time" in bots(*SHORT, "--realtime").ends(0).said
        return
    bot = bots("--realtime", "--speed", "max", "--duration", "10000h").trading()
    wait_for(lambda: host.LOST in status(bot)["remarks"])
    assert host.policy(bot.engine()) == "other"
    assert status(bot)["host"]["policy"] == "other" and status(bot)["level"] == "RUN"
    fills = bot.page()["fills"]
    wait_for(lambda: bot.page()["fills"] > fills)
    bot.stop()
    assert bot.report["host"]["policy"] == "other"
    assert bot.report["host"]["refused"].count(host.LOST) == 1
    assert [line["message"] for line in bot.log if line["event"] == "host"].count(host.LOST) == 1


def test_memory_that_was_not_granted_is_not_claimed(bots: Callable[..., Bot]) -> None:
    bot = bots(*SHORT, before=limited(memlock=0)).ends(0)
    assert bot.report["host"]["locked_bytes"] == 0
    assert ", 0.0 MB locked, " in bot.said
    assert "memory is not locked: RLIMIT_MEMLOCK is 0 bytes" in bot.said


def test_memory_is_locked_where_the_host_allows_it(bots: Callable[..., Bot]) -> None:
    bot = bots("--speed", "max", "--duration", "10000h", BOG_JOURNAL__ROTATE_MB="1").trading()
    wait_for(lambda: len(runs(bot.folder)) > 3)
    given = status(bot)
    if given["host"]["locked_bytes"]:
        # the segment, too, that the journal's thread mapped long after the start
        assert given["host"]["locked_bytes"] > 2**20
        flags = mappings(bot.engine(), f"{bot.shm}/bog-journal-")
        assert flags and all("lo" in each for each in flags)
    else:
        assert any("memory is not locked" in line for line in given["remarks"])
    bot.stop()


def test_a_hot_thread_whose_memory_is_locked_waits_for_no_page(bots: Callable[..., Bot]) -> None:
    with tempfile.TemporaryDirectory(prefix="bog-host-", dir="/dev/shm") as memory:
        bot = bots("--duration", "3s", "--feed-dir", memory).ends(0)
        given = bot.report["host"]
        assert given["page_faults"] == 0 or not given["locked_bytes"]


def test_status_says_what_the_hot_thread_has_now(bots: Callable[..., Bot], tmp_path: Path) -> None:
    """What an administrator changes under a running bot is in the next answer."""
    bot = bots().trading()
    assert status(bot)["host"]["cpus"] == CORES
    os.sched_setaffinity(bot.engine(), {CORE})
    assert status(bot)["host"]["cpus"] == [CORE]
    told = subprocess.run(
        [sys.executable, "-m", "bog.cli.ctl", "--journal", bot.folder, "status"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"\nhost        cpu {CORE}, policy other, " in told
    bot.stop()
