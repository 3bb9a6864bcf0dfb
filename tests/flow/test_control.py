"""bog-ctl and the control socket of a running bot: who may ask, what is done, what is answered."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bog import control
from bog._core.stats import StatsPage
from bog._core.types import Asked, Halt, Level, Limit
from bog.control import MAGIC, REQUEST, VERSION, Client, Command, Desk, Server
from bog.errors import BogError, ConfigError
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

Done = subprocess.CompletedProcess[str]


def ctl(bot: Bot, *words: object) -> Done:
    """Run bog-ctl beside a bot, as an operator would."""
    return subprocess.run(
        [sys.executable, "-m", "bog.cli.ctl", "--journal", str(bot.folder), *map(str, words)],
        cwd=bot.where, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip


def told(bot: Bot, *words: object) -> str:
    """Return what bog-ctl says; it must succeed."""
    done = ctl(bot, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_day_by_control_socket(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    status = json.loads(told(bot, "status", "--json"))
    assert status["market"] == 1 and status["symbol"] == "BTC" and status["pid"] == bot.pid
    assert status["level"] == status["level_asked"] == "RUN" and status["state"] == "TRADING"
    assert status["halt"] == "" and status["halt_id"] == 0 and not status["feed_stale"]
    assert status["journal"] == str(next(bot.folder.glob("*.journal")))
    assert float(status["bid"]) < float(status["ask"])
    table = told(bot, "--market", 1, "status")
    for word in ("level       RUN; no halt", "position", "pnl", "quote buy", "feed        fresh"):
        assert word in table
    assert told(bot, "pause").startswith("market 1: PAUSED")
    wait_for(lambda: not bot.page()["orders"])
    assert json.loads(told(bot, "status", "--json"))["orders"] == []
    assert told(bot, "resume").startswith("market 1: RUN")
    wait_for(lambda: bot.page()["orders"])
    assert "DRAIN" in told(bot, "drain")
    bot.ends()
    assert is_drained(bot.folder)
    taken = of_kind(records(bot.folder), K.J_LEVEL)["state"].tolist()
    assert taken == [Level.LEVEL_PAUSED, Level.LEVEL_RUN, Level.LEVEL_DRAIN]
    lines = [line for line in bot.log if line["event"] == "control"]
    assert [line["command"] for line in lines] == ["PAUSE", "RESUME", "DRAIN"]
    assert all(line["uid"] == os.geteuid() and line["pid"] > 0 for line in lines)
    assert sorted(path.name for path in (bot.folder / "control").iterdir()) == []
    # without a bot every command says so
    assert "no bot runs on the journal" in one_error(ctl(bot, "status").stderr)


def test_a_drain_is_not_resumed(bots: Callable[..., Bot]) -> None:
    # orders that take 20 s to be proven dead keep the drain open
    bot = bots(BOG_VENUE__NET_LATENCY_MS="1000").trading()
    told(bot, "drain")
    wait_for(lambda: bot.page()["level"] == Level.LEVEL_DRAIN)
    refused = ctl(bot, "resume")
    assert refused.returncode == 1 and "it drains already" in one_error(refused.stderr)
    bot.ends()


def halted(bots: Callable[..., Bot]) -> tuple[Bot, int]:
    """Return a bot that runs under the halt of an emergency stop, and the halt's number."""
    bot = bots().trading()
    told(bot, "kill")
    bot.ends()
    (halt,) = of_kind(records(bot.folder), K.J_HALT)
    assert int(halt["reason"]) == Halt.HALT_KILLED
    return bots().ready(), int(halt["id"])


def test_kill_is_latched_until_reset_breaker_names_its_halt(bots: Callable[..., Bot]) -> None:
    bot, number = halted(bots)
    status = json.loads(told(bot, "status", "--json"))
    assert status["halt"] == "KILLED" and status["halt_id"] == number
    assert status["refused"] and status["orders"] == []
    wrong = ctl(bot, "reset-breaker", "--id", number + 1)
    assert wrong.returncode == 1
    assert f"no halt {number + 1} stands: halt {number}, KILLED, does" in one_error(wrong.stderr)
    assert ctl(bot, "reset-breaker").returncode == 2
    assert told(bot, "reset-breaker", "--id", number) == f"market 1: halt {number} cleared\n"
    bot.trading()
    again = ctl(bot, "reset-breaker", "--id", number)
    assert again.returncode == 1 and "no halt stands" in one_error(again.stderr)
    bot.stop()
    rows = records(bot.folder)
    assert of_kind(rows, K.J_CLEAR_HALT)["id"].tolist() == [number]
    assert of_kind(rows, K.J_PLACE)["seq"].min() > of_kind(rows, K.J_CLEAR_HALT)["seq"][0]


def test_fault_76_a_file_named_kill_kills(bots: Callable[..., Bot]) -> None:
    bot = bots().trading()
    (bot.folder / "control" / "kill").touch()
    bot.ends()
    assert of_kind(records(bot.folder), K.J_HALT)["reason"].tolist() == [Halt.HALT_KILLED]
    assert list((bot.folder / "control").iterdir()) == []
    (line,) = [line for line in bot.log if line["event"] == "control"]
    assert line["command"] == "KILL" and line["uid"] == os.geteuid()


def test_fault_67_a_live_socket_is_never_taken_and_a_dead_one_is_replaced(
    bots: Callable[..., Bot],
) -> None:
    bot = bots().trading()
    second = bots()
    second.process.wait(PATIENCE_S)
    assert second.process.returncode == 78
    assert f"is in use by process {bot.pid}" in one_error(second.err.read_text())
    told(bot, "status")  # the first one's socket still answers
    engine = bot.engine()
    bot.process.kill()
    bot.process.wait()
    assert (bot.folder / "control" / "m1.sock").is_socket()  # a dead bot leaves its file
    wait_for(lambda: not Path(f"/proc/{engine}").exists())
    third = bots().trading()
    told(third, "status")
    third.stop()


def test_the_folder_and_the_socket_are_private(bots: Callable[..., Bot]) -> None:
    bot = bots().ready()
    folder = bot.folder / "control"
    assert folder.stat().st_mode & 0o7777 == 0o700
    assert (folder / "m1.sock").stat().st_mode & 0o7777 == 0o600
    bot.stop()
    folder.chmod(0o755)
    wide = bots()
    wide.process.wait(PATIENCE_S)
    assert wide.process.returncode == 78
    assert "mode 0755: want ours" in one_error(wide.err.read_text())


def test_something_else_under_the_name_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "journal" / "control"
    folder.mkdir(mode=0o700, parents=True)
    (folder.parent).chmod(0o700)
    (folder / "m1.sock").write_text("mine")
    with pytest.raises(ConfigError, match=r"m1\.sock is no socket"):
        Server(str(folder.parent), [1])
    assert (folder / "m1.sock").read_text() == "mine"
    (folder / "m1.sock").unlink()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be made"):
        Server(str(folder.parent), [1])


# the server in this process: hostile clients


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Server, StatsPage, str]]:
    """Return a server that answers for market 1, the page it acts on, and its journal."""
    journal = str(tmp_path / "journal")
    page = StatsPage.create(str(tmp_path / "page"), 1)
    with Server(journal, [1]) as server:
        status = {"halt": "", "halt_id": 0, "flattening": False}
        limits = {"max_position": {"value": "0.1", "steps": 10}}
        server.serve({1: Desk(page, lambda: status | {"level": page.level, "limits": limits})})
        yield server, page, journal


def connected(journal: str) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    found.settimeout(10)
    here = os.getcwd()
    os.chdir(control.folder_of(journal))  # a socket's path is at most 107 bytes
    try:
        found.connect("m1.sock")
    finally:
        os.chdir(here)
    return found


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (b"k", "a request has 24 bytes"),
        (bytes(23), "a request has 24 bytes"),
        (bytes(25), "a request has 24 bytes"),
        (bytes(4096), "a request has 24 bytes"),
        (bytes(24), "begins with bogc"),
        (REQUEST.pack(MAGIC, VERSION + 1, Command.KILL, 1, 0, 0), "version 1"),
        (REQUEST.pack(MAGIC, VERSION, 0, 1, 0, 0), "command 0 does not exist"),
        (REQUEST.pack(MAGIC, VERSION, 10, 1, 0, 0), "command 10 does not exist"),
        (REQUEST.pack(MAGIC, VERSION, Command.KILL, 2, 0, 0), "market 2 is not traded here"),
        (REQUEST.pack(MAGIC, VERSION, Command.RESET_BREAKER, 1, 0, 1), "no halt stands"),
        (REQUEST.pack(MAGIC, VERSION, Command.SET_LIMIT, 1, 0, 1), "limit 0 does not exist"),
        (REQUEST.pack(MAGIC, VERSION, Command.SET_LIMIT, 1, 11, 1), "limit 11 does not exist"),
        (REQUEST.pack(MAGIC, VERSION, Command.SET_LIMIT, 1, 1, 0), "max_position is 0.1 now"),
        (REQUEST.pack(MAGIC, VERSION, Command.SET_LIMIT, 1, 1, 10), "want a tighter one"),
        (REQUEST.pack(MAGIC, VERSION, Command.SET_LIMIT, 1, 1, 2**64 - 1), "want a tighter one"),
    ],
)
def test_a_bad_request_is_refused_and_changes_nothing(
    desk: tuple[Server, StatsPage, str], packet: bytes, why: str
) -> None:
    _, page, journal = desk
    with connected(journal) as client:
        client.send(packet)
        answer = json.loads(client.recv(65536))
    assert answer["ok"] is False and why in answer["message"]
    assert page.level == Level.LEVEL_RUN
    assert page.ask(Asked.ASKED_HOLD)  # nothing waits for the engine


def test_a_second_request_waits_for_the_first_but_the_level_does_not(
    desk: tuple[Server, StatsPage, str],
) -> None:
    _, page, journal = desk
    client = Client(journal)
    client.ask(1, Command.SET_LIMIT, 9, Limit.LIMIT_MAX_POSITION)  # no engine takes it
    for command in (Command.FLATTEN, Command.CANCEL_ALL):
        with pytest.raises(BogError, match="another request is under way"):
            client.ask(1, command)
        assert page.level == (Level.LEVEL_PAUSED if command == Command.CANCEL_ALL else 0)
    assert page.withdraw(Asked.ASKED_LIMIT) and not page.withdraw(Asked.ASKED_LIMIT)
    client.ask(1, Command.FLATTEN)
    client.ask(1, Command.RESUME)  # before the engine saw it: nothing of it is left
    assert page.level == Level.LEVEL_RUN and not page.withdraw(Asked.ASKED_FLATTEN)
    client.ask(1, Command.DRAIN)
    with pytest.raises(BogError, match="nothing is quoted any more"):
        client.ask(1, Command.FLATTEN)
    client.close()


def test_idle_clients_keep_nobody_from_the_kill(desk: tuple[Server, StatsPage, str]) -> None:
    _, page, journal = desk
    idle = [connected(journal) for _ in range(200) if time.sleep(0.001) is None]
    began = time.monotonic()
    Client(journal).ask(1, Command.KILL)
    assert time.monotonic() - began < 10
    assert page.level == Level.LEVEL_KILLED
    # who says nothing is hung up on
    wait_for(lambda: idle[-1].recv(1) == b"")
    for one in idle:
        one.close()


def test_levels_only_rise_but_for_a_pause(desk: tuple[Server, StatsPage, str]) -> None:
    _, page, journal = desk
    client = Client(journal)
    levels = []
    for command in (Command.PAUSE, Command.RESUME, Command.RESUME, Command.PAUSE, Command.DRAIN,
                    Command.PAUSE, Command.KILL, Command.DRAIN):  # fmt: skip
        client.ask(1, command)
        levels.append(page.level)
    assert levels == [1, 0, 0, 1, 2, 2, 3, 3]
    with pytest.raises(BogError, match="drains already"):
        client.ask(1, Command.RESUME)
    assert page.level == Level.LEVEL_KILLED
    client.close()


def test_another_user_is_refused(desk: tuple[Server, StatsPage, str], tmp_path: Path) -> None:
    server, page, journal = desk
    kill = REQUEST.pack(MAGIC, VERSION, Command.KILL, 1, 0, 0)
    server.allowed = {os.geteuid() + 12345}  # whoever we are, we are not on the list now
    with connected(journal) as client:
        client.send(kill)
        answer = json.loads(client.recv(65536))
    assert not answer["ok"] and "may not command" in answer["message"]
    assert page.level == Level.LEVEL_RUN
    if os.geteuid() != 0:
        return  # nobody else to try as
    path = control.folder_of(journal) / "m1.sock"
    # the interpreter may be out of that user's reach: it changes user once it runs
    program = (
        "import os, socket\ns = socket.socket(1, 5)\nos.setgroups([])\nos.setgid(65534)\n"
        f"os.setuid(65534)\ns.connect({str(path)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert "PermissionError" in done.stderr
