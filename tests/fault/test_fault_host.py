"""Rows 60 to 69 and 76: a host that lies about time, stops, starves, refuses, or is full."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bog._core.stats import StatsPage
from bog._core.types import Level
from bog.control import Client, Command, Desk, Server, folder_of
from tests.rig.fault import Repeats
from tests.rig.live import (
    PATIENCE_S,
    Bot,
    K,
    environment,
    is_drained,
    of_kind,
    one_error,
    records,
    wait_for,
)
from tests.rig.shim import Shim

Bots = Callable[..., Bot]
Feeds = Callable[..., "subprocess.Popen[str]"]
Place = Callable[[], Path]
USR2 = signal.SIGUSR2
AT_ONCE = {
    "BOG_VENUE__NET_LATENCY_MS": "0",
    "BOG_VENUE__RESPONSE_LATENCY_MS": "0",
    "BOG_EXECUTION__TIER": "premium_500k",
    "BOG_STRATEGY__SIMPLE_SPREAD__MIN_INTERVAL_MS": "0",
    # the built-in market's clock lags by as long as its feed took to start on a busy host
    "BOG_BREAKER__MAX_FEED_DELAY_MS": "10000",
}
HOUR_NS = 3_600_000_000_000


def moves_on(bot: Bot) -> None:
    """Return when the engine has turned and shown it."""
    turns = bot.page()["turns"]
    wait_for(lambda: bot.page()["turns"] > turns)


def toggled(bot: Bot) -> None:
    """Pause and resume: the shell hears, the engine obeys, the venue cancels, quotes come back."""
    for level in (Level.LEVEL_PAUSED, Level.LEVEL_RUN):
        bot.signal(USR2)
        wait_for(lambda level=level: bot.page()["level"] == level)


def test_fault_60_steps_of_the_wall_clock_change_no_decision(
    repeats: Repeats, bots: Bots, feeds: Feeds, place: Place, shim: Shim
) -> None:
    tape = ("--duration", "20s", "--speed", "max", "--seed", "7")
    reference = records(bots(place(), *tape).ends().folder).tobytes()
    where, frozen = place(), 0
    feeds(where)
    # steps of a second do not reach it, nor does a feed that has to wait for its processor
    patient = {"BOG_RISK__STALE_AFTER_MS": "60000"}
    bot = bots(where, "--feed", "huginn", **AT_ONCE, **patient, **shim.environ).trading()
    replays = 0
    for number, rng in repeats(60):
        now = time.time_ns()
        kind = rng.choice(["second", "hour", "1970", "leap", "frozen", "slew", "day"])
        frozen += kind == "frozen"
        shim.clear()
        if kind == "frozen":
            shim.set(freeze_ns=now)
        elif kind == "slew":
            for step in range(10):
                shim.set(step_ns=step * 500_000)
        else:
            steps = {"second": 10**9, "hour": HOUR_NS, "leap": 10**9, "day": 24 * HOUR_NS}
            step = -now if kind == "1970" else steps[kind] * rng.choice([-1, 1])
            shim.set(step_ns=step)
        moves_on(bot)
        if number % 10 == 0:
            # the same market once more while the clock is wrong, from start to end
            again = bots(place(), *tape, **shim.environ).ends()
            assert records(again.folder).tobytes() == reference, kind
            replays += 1
        page = bot.page()
        assert page["level"] == Level.LEVEL_RUN and page["halt"] == 0 and not page["stale"], kind
    shim.clear()
    bot.stop()
    rows = records(bot.folder)
    assert len(of_kind(rows, K.J_HALT, K.J_STALE, K.J_DAY)) <= 1  # one day begins at the start
    repeats.note(f"{frozen} times frozen; {replays} replays equal to the byte")


def test_fault_61_what_was_decided_before_a_pause_is_not_sent_after_it(
    repeats: Repeats, bots: Bots, feeds: Feeds, place: Place
) -> None:
    where = place()
    feeds(where)
    bot = bots(where, "--feed", "huginn", **AT_ONCE).trading()
    engine, pauses, slept = bot.engine(), [], 0.0
    for number, rng in repeats(61):
        # 10 ms to 3 s, but one of 500 lasts the whole minute
        pause = 60.0 if number % 500 == 17 else min(10 ** rng.uniform(-2, 0.5), 3.0)
        os.kill(engine, signal.SIGSTOP)
        begin = time.monotonic_ns()
        time.sleep(pause)
        end = time.monotonic_ns()
        os.kill(engine, signal.SIGCONT)
        pauses.append((begin, end))
        slept += pause
        wait_for(lambda: not bot.page()["stale"] and bot.page()["now_ns"] > pauses[-1][1])
        wait_for(lambda: bot.page()["orders"])
    bot.stop()
    sent = of_kind(records(bot.folder), K.J_PLACE, K.J_AMEND)["time_ns"]
    margin = 25_000_000  # a decision may be 20 ms old, and a stop takes the kernel a moment
    for begin, end in pauses:
        late = sent[(sent > begin + margin) & (sent < end - margin)]
        assert len(late) == 0, f"{len(late)} creates as of a pause of {(end - begin) / 1e6:.0f} ms"
    assert is_drained(bot.folder)
    longest = max(end - begin for begin, end in pauses) / 1e9
    repeats.note(f"{slept:.0f} s stopped, longest {longest:.0f} s")


def test_fault_62_a_starved_bot_is_slow_and_never_wrong(
    repeats: Repeats, bots: Bots, feeds: Feeds, place: Place
) -> None:
    where = place()
    feeds(where)
    bot = bots(where, "--feed", "huginn", **AT_ONCE).trading()
    big = where / "big"
    with big.open("wb") as file:
        file.truncate(64 << 20)
    for _, rng in repeats(62):
        load = [
            subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
            for _ in range(2 * (os.cpu_count() or 1))
        ]
        try:
            big.read_bytes()
            time.sleep(rng.uniform(0.05, 0.3))
            moves_on(bot)
        finally:
            for one in load:
                one.kill()
                one.wait()
    wait_for(lambda: not bot.page()["stale"] and bot.page()["orders"])
    page = bot.page()
    assert page["violations"] == 0 and page["halt"] == 0
    bot.stop()
    assert is_drained(bot.folder)
    stale = of_kind(records(bot.folder), K.J_STALE)
    repeats.note(f"{len(stale[stale['state'] > 0])} times stale, {page['turns']} turns")


def test_fault_63_memory_refused_ends_a_start_cleanly_and_a_running_engine_not_at_all(
    repeats: Repeats, bots: Bots, place: Place, shim: Shim
) -> None:
    where, ended = place(), Counter()  # type: ignore[var-annotated]
    for number, rng in repeats(63, full=1_000, sample=60):
        if number % 6 == 5:  # once it trades, its thread asks for none
            bot = bots(where, **AT_ONCE, **shim.environ).trading()
            shim.set(failed=0, alloc_at=1, alloc_ever=1, alloc_pid=bot.engine())
            for _ in range(3):
                toggled(bot)
                wait_for(lambda bot=bot: bot.page()["orders"])
            assert shim.get("failed") == 0
            shim.set(alloc_pid=0)
            bot.stop()
            continue
        shim.set(alloc_at=int(10 ** rng.uniform(1, 5)), alloc_ever=rng.randrange(2), alloc_pid=-1)
        bot = bots(where, "--duration", "1s", "--speed", "max", **shim.environ)
        code = bot.process.wait(PATIENCE_S)
        shim.set(alloc_pid=0)
        ended[code] += 1
        # a library that cannot go on without memory calls abort; nothing may run wild
        assert code in (0, 1, 2, 75, 78, 127, -signal.SIGABRT), bot.said
        wait_for(lambda bot=bot: not [p for p in Path("/proc").glob("[0-9]*/environ")
                                      if _mentions(p, str(bot.where / "shm"))], 40)  # fmt: skip
    bots(where, "--duration", "1s", "--speed", "max").ends()  # the account is whole
    repeats.note("starts ended with " + ", ".join(f"{c}: {n}" for c, n in sorted(ended.items())))


def _mentions(environ: Path, text: str) -> bool:
    """Return whether a process was started with `text` on its command line."""
    try:
        return text.encode() in environ.with_name("cmdline").read_bytes()
    except OSError:
        return False


def test_fault_64_without_descriptors_a_start_is_refused_and_a_stop_still_works(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    where, ended, halt = place(), Counter(), 0  # type: ignore[var-annotated]
    for number, _ in repeats(64):
        if number % 10 == 9:
            flags = ["--clear-halt", halt] if halt else []
            bot = bots(where, *flags, **AT_ONCE).trading()
            used = len(list(Path(f"/proc/{bot.pid}/fd").iterdir()))
            for pid in (bot.pid, bot.engine()):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, used))
            # whoever connects takes what is left, and is not answered
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                client.connect(f"/proc/{bot.pid}/cwd/journal/control/m1.sock")
                toggled(bot)
                (folder_of(bot.folder) / "kill").touch()
                bot.ends()
            assert is_drained(bot.folder)
            halt = int(of_kind(records(bot.folder), K.J_HALT)["id"][-1])
            continue
        few = 3 + number % 38  # a sweep
        bot = bots(where, "--duration", "1s", "--speed", "max",
                   before=["prlimit", f"--nofile={few}"])  # fmt: skip
        code = bot.process.wait(PATIENCE_S)
        ended[code] += 1
        assert code in (0, 1, 2, 78, 127), bot.said
        assert code or few > 8
    repeats.note("starts ended with " + ", ".join(f"{c}: {n}" for c, n in sorted(ended.items())))


def anonymous_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("RssAnon")))


def open_files(pid: int) -> int:
    """Return how many a process holds open, but for those of a moment: a journal that turns over."""
    seen = []
    for _ in range(20):
        seen.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        time.sleep(0.05)
    return min(seen)


def test_fault_65_memory_and_descriptors_stay_flat(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    bot = bots(place(), "--speed", "max", "--duration", "10000h", **AT_ONCE).trading(fills=20)
    pids = bot.pid, bot.engine()
    time.sleep(2)
    before = [anonymous_kib(pid) for pid in pids]
    files = [open_files(pid) for pid in pids]
    rows = bot.page()["rows"]
    for _ in repeats(65):
        time.sleep(0.2)
        now = [anonymous_kib(pid) for pid in pids]
        assert now[1] - before[1] <= 64, "the engine grows"
        assert now[0] - before[0] <= 4096, "the shell grows"
    grown = [anonymous_kib(pid) - kib for pid, kib in zip(pids, before, strict=True)]
    rows = bot.page()["rows"] - rows
    assert [open_files(pid) for pid in pids] == files
    bot.stop()
    repeats.note(f"engine {grown[0 + 1]:+d} KiB, shell {grown[0]:+d} KiB over {rows} rows")


def unprivileged(*words: str) -> list[str]:
    """Return the words that take root's privileges away; none when we have none."""
    if os.geteuid() != 0:
        return list(words)
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *words]


def test_fault_66_what_the_host_refuses_is_said_or_refused(
    repeats: Repeats, bots: Bots, place: Place, shim: Shim
) -> None:
    where = place()
    core = str(min(os.sched_getaffinity(0)))
    for number, _ in repeats(66):
        strict, pin = number % 2, number // 2 % 2
        if pin:
            shim.set(refuse_pin=1)
            how: dict[str, Any] = dict(shim.environ)
            flags = ["--cpu", core]
            words = f"--cpu {core}: Operation not permitted"
        else:
            shim.clear()
            how, flags = {"before": unprivileged("prlimit", "--memlock=0")}, []
            words = "memory is not locked: RLIMIT_MEMLOCK is 0 bytes"
        how["BOG_HOST__STRICT"] = "true" if strict else "false"
        bot = bots(where, "--duration", "1s", "--speed", "max", *flags, **how)
        if strict:
            bot.ends(78)
            assert words in one_error(bot.said)
        else:
            bot.ends(0)
            assert words in bot.said
            assert words in [line["message"] for line in bot.log if line["event"] == "host"][
                -1
            ] or (pin and "not pinned" in bot.said)


def test_fault_67_a_socket_in_use_is_never_taken_and_a_stale_one_is_replaced(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    where = place()
    bot = bots(where).trading()
    replaced = 0
    for number, _ in repeats(67):
        if number % 10 == 9:
            engine = bot.engine()
            bot.process.kill()
            bot.process.wait()
            assert (folder_of(bot.folder) / "m1.sock").is_socket()
            wait_for(lambda engine=engine: not Path(f"/proc/{engine}").exists())
            bot = bots(where).trading()
            replaced += 1
        second = subprocess.run(
            [sys.executable, "-m", "bog.cli.live", "--market", "1", "--journal", bot.folder,
             "--feed-dir", bot.shm],
            cwd=where, env=environment(), capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        assert second.returncode == 78
        assert f"is in use by process {bot.pid}" in one_error(second.stderr)
        client = Client(str(bot.folder))
        assert client.ask(1, Command.STATUS)["status"]["pid"] == bot.pid
        client.close()
    bot.stop()
    repeats.note(f"{replaced} stale sockets replaced")


def test_fault_68_a_missing_permission_is_one_line_and_starts_nothing(
    repeats: Repeats, bots: Bots, place: Place
) -> None:
    """Root without its privileges meets folders of another user; another user, closed ones."""
    for number, _ in repeats(68):
        where = place()
        name, key = [("journal", "journal"), ("shm", "feed.directory"), ("var", "monitoring.log_file"),
                     ("config.toml", "config.toml")][number % 4]  # fmt: skip
        closed = where / name
        if name == "config.toml":
            closed.write_text("")
        else:
            closed.mkdir()
        closed.chmod(0o700)
        os.chown(closed, 65534, 65534) if os.geteuid() == 0 else closed.chmod(0o000)
        config = ["--config", closed] if name == "config.toml" else []
        try:
            bot = bots(where, *config, before=unprivileged())
            code = bot.process.wait(PATIENCE_S)
        finally:
            os.chown(closed, os.geteuid(), -1) if os.geteuid() == 0 else closed.chmod(0o700)
        line = one_error(bot.said)
        assert code == 78 and key in line, (code, line)
        assert "ermission" in line or "must be ours" in line, line
        assert not list(where.glob("journal/*.journal")) and not list(bot.shm.iterdir())
        assert not list(where.glob("journal/control/*.sock"))


@pytest.mark.parametrize("reader", ["closed", "stuck", "full"])
def test_fault_69_nobody_reads_what_is_said_and_trading_goes_on(
    repeats: Repeats, place: Place, reader: str
) -> None:
    """Standard output and error closed or never read; a log on a disk of 64 KiB, full at once."""
    where = place()
    (where / "shm").mkdir(mode=0o700)
    log = where / "log"
    log.mkdir()
    mounted = reader == "full" and os.geteuid() == 0
    if mounted:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", log], check=True)
    get, put = os.pipe()
    if reader == "stuck":  # nothing more fits
        os.set_blocking(put, False)
        while True:
            try:
                os.write(put, bytes(4096))
            except BlockingIOError:
                break
        os.set_blocking(put, True)
    if reader == "closed":
        os.close(get)
    # without a mount a limit on the size of files stands for the disk; the journal is far below it
    before = [] if reader != "full" or mounted else ["prlimit", f"--fsize={64 << 10}"]
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "bog.cli.live", "--market", "1", "--journal",
         where / "journal", "--feed-dir", where / "shm"],
        cwd=where, stdout=put, stderr=put,
        env=environment(BOG_MONITORING__LOG_FILE=str(log / "bog.log"),
                        BOG_MONITORING__LOG_LEVEL="debug", **AT_ONCE),
    )  # fmt: skip
    os.close(put)
    try:
        page = StatsPage.open(str(wait_for(lambda: list((where / "shm").glob("bog_m*")))[0]))
        wait_for(lambda: page.snapshot()["orders"])
        if reader == "full":
            filler = os.open(log / "bog.log", os.O_WRONLY | os.O_APPEND)
            with contextlib.suppress(OSError):  # the log's own lines may have done it already
                while mounted:
                    os.write(filler, b"{}\n" * 100)
            os.close(filler)
        for number, _ in repeats(69):
            process.send_signal(USR2)
            want = Level.LEVEL_RUN if number % 2 else Level.LEVEL_PAUSED
            wait_for(lambda want=want: page.snapshot()["level"] == want)
        if want == Level.LEVEL_PAUSED:
            process.send_signal(USR2)
        client = Client(str(where / "journal"))
        if reader != "full" or mounted:
            wait_for(lambda: client.ask(1, Command.STATUS)["status"]["remarks"])
        remarks = client.ask(1, Command.STATUS)["status"]["remarks"]
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if reader != "closed":
            os.close(get)
        if mounted:
            subprocess.run(["umount", "-l", log], check=True)
    assert is_drained(where / "journal")
    wanted = "log records were dropped" if reader == "full" else "lines were not taken"
    assert wanted in " ".join(remarks)
    repeats.note(f"{reader}: {'; '.join(remarks)}")


def test_fault_76_kill_comes_by_socket_and_by_file_and_by_no_network(
    repeats: Repeats, bots: Bots, place: Place, tmp_path: Path
) -> None:
    bot = bots(place()).trading()
    sockets = {os.readlink(fd) for pid in (bot.pid, bot.engine())
               for fd in Path(f"/proc/{pid}/fd").iterdir()}  # fmt: skip
    for table in ("tcp", "tcp6", "udp", "udp6", "raw"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            assert f"socket:[{line.split()[9]}]" not in sockets
    bot.stop()
    for number, rng in repeats(76):
        page = StatsPage.create(str(tmp_path / f"page{number}"), 1)
        journal = str(tmp_path / "journal")
        with Server(journal, [1]) as server:
            server.serve({1: Desk(page, lambda: {"halt": "", "halt_id": 0})})
            if rng.random() < 0.5:
                (folder_of(journal) / "kill").touch()
            else:
                client = Client(journal)
                client.ask(1, Command.KILL)
                client.close()
            wait_for(lambda page=page: page.level == Level.LEVEL_KILLED)
        assert list(folder_of(journal).iterdir()) == []
