"""The telemetry bus of real bots: what is said, who may hear it, and what a sleeper costs."""

import contextlib
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zmq

from bog.messages import STATES
from bog.units import to_lots, to_quanta, to_ticks
from tests.rig.bus import Tail, check
from tests.rig.live import (
    PATIENCE_S,
    Bot,
    K,
    command,
    environment,
    of_kind,
    one_error,
    position,
    records,
    runs,
    wait_for,
)
from tests.rig.metrics import free_port

ENDPOINT = "BOG_MONITORING__BUS__ENDPOINT"
NOBODY = 65534


class Place:
    """Bots and listeners of one test, in one folder; none outlives it."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.started: list[Bot | Tail] = []
        self.others: list[subprocess.Popen[bytes]] = []

    def bot(self, *arguments: object, **more: object) -> Bot:
        started = Bot(self.where, *arguments, **more)  # type: ignore[arg-type]
        self.started.append(started)
        return started

    def other_market(self) -> "subprocess.Popen[bytes]":
        """Start a bot on market 0 alone, on the journal of the others."""
        words = (
            "--market", 0, "--feed-dir", self.where / "shm", "--journal", self.where / "journal",
            "--speed", 5,
        )  # fmt: skip
        with (self.where / "other.txt").open("w") as out:
            self.others.append(subprocess.Popen(
                command(*words), cwd=self.where, env=environment(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            ))  # fmt: skip
        return self.others[-1]

    def close(self) -> None:
        for each in reversed(self.started):
            each.kill()
        for other in self.others:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(other.pid, signal.SIGKILL)
            other.wait()

    def tail(self, name: str, *arguments: object) -> Tail:
        started = Tail(self.where, name, "--journal", self.where / "journal", *arguments)
        self.started.append(started)
        return started

    def key(self, name: str) -> str:
        """Make a key in a file of that name; return the public one."""
        made = self.tail(f"key-{name}", "--new-key", self.where / name).ends(0)
        return made.out.read_text().strip()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def has_bus(bot: Bot, market: int = 1) -> Path:
    """Return the socket of a bot's bus once somebody can connect."""
    path = bot.folder / "control" / f"bus-m{market}.sock"

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(path)) == 0

    wait_for(listens)
    return path


def gaps(heard: list[dict[str, Any]]) -> int:
    """Return how many messages are missing between the first and the last of each topic."""
    numbers: dict[str, list[int]] = {}
    for message in heard:
        numbers.setdefault(message["topic"], []).append(message["seq"])
    for of_topic in numbers.values():
        assert of_topic == sorted(set(of_topic))
    return sum(n[-1] - n[0] + 1 - len(n) for n in numbers.values())


def told_missed(tail: Tail) -> int:
    lines = [line for line in tail.said.splitlines() if "missed" in line]
    return sum(int(line.split()[2]) for line in lines)


def test_every_message_of_a_run_is_valid_and_its_fills_are_the_journals(place: Place) -> None:
    bot = place.bot("--market", 0, "--speed", 20).ready()
    has_bus(bot)
    tail = place.tail("all", "--json")
    wait_for(lambda: len(tail.of("bog.1.fill")) >= 5 and tail.of("bog.0.book"))
    bot.stop()
    wait_for(lambda: tail.of("bog.1.end") and tail.of("bog.0.end"))
    wait_for(lambda: any(m["state"] == "DONE" for m in tail.of("bog.1.state")))
    tail.stop()
    for message in tail.heard:
        check(message.pop("topic"), message)
    heard = tail.heard
    assert gaps(heard) == told_missed(tail)
    assert {m["start"] for m in heard} == {1}
    for name in STATES:
        assert tail.of(f"bog.1.{name}") and tail.of(f"bog.0.{name}")
    for at, path in enumerate(runs(bot.folder)):
        market = int(path.name[1:8]) % 10**6
        decimals = {1: (1, 5), 0: (2, 4)}[market]
        fills = of_kind(records(bot.folder, at), K.J_FILL)
        said = tail.of(f"bog.{market}.fill")
        numbers = [m["record"] for m in said]
        written = [
            (
                int(r["seq"]),
                int(r["id"]),
                int(r["side"]),
                int(r["px"]),
                int(r["qty"]),
                int(r["val"]),
            )
            for r in fills
            if numbers and r["seq"] >= numbers[0]
        ]
        assert written == [
            (
                m["record"], m["order"], int(m["side"] == "sell"), to_ticks(m["price"], decimals[0]),
                to_lots(m["size"], decimals[1]), to_quanta(m["fee"], *decimals),
            )
            for m in said
        ]  # fmt: skip
        held = to_lots(tail.of(f"bog.{market}.pnl")[-1]["position"], decimals[1])
        assert held == position(bot.folder, at)


def test_a_sleeping_listener_costs_the_bot_nothing_and_learns_what_it_missed(place: Place) -> None:
    bot = place.bot("--speed", 100).ready()
    has_bus(bot)
    awake, sleeper = place.tail("awake", "--json"), place.tail("sleeper", "--json")
    wait_for(lambda: len(awake.heard) > 50 and len(sleeper.heard) > 50)
    process = psutil.Process(bot.pid)
    memory = process.memory_info().rss
    sleeper.process.send_signal(signal.SIGSTOP)
    slept = len(awake.heard)
    turns, fills = bot.page()["turns"], bot.page()["fills"]
    # more than a queue and the kernel's buffers hold
    wait_for(lambda: len(awake.heard) - slept > 6000)
    assert process.memory_info().rss - memory < 16e6
    assert bot.page()["turns"] > turns and bot.page()["fills"] > fills
    sleeper.process.send_signal(signal.SIGCONT)
    wait_for(lambda: "missed" in sleeper.said)
    bot.stop()
    wait_for(lambda: awake.of("bog.1.end"))
    awake.stop()
    sleeper.stop()
    assert not told_missed(awake) and not gaps(awake.heard)
    assert told_missed(sleeper) == gaps(sleeper.heard) > 0
    assert "bog-tail: missed " in sleeper.said and " of bog.1.book\n" in sleeper.said


def test_a_bot_ends_although_a_listener_sleeps(place: Place) -> None:
    bot = place.bot("--speed", 100).ready()
    has_bus(bot)
    tail = place.tail("sleeper", "--json")
    wait_for(lambda: tail.heard)
    tail.process.send_signal(signal.SIGSTOP)
    bot.stop()
    assert not list((bot.folder / "control").iterdir())


def test_another_user_cannot_connect(place: Place) -> None:
    # a place that everybody may enter: what keeps them out is ours
    with tempfile.TemporaryDirectory() as name:
        place.where = Path(name)
        place.where.chmod(0o755)
        bot = place.bot("--speed", 5).ready()
        path = has_bus(bot)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        if os.geteuid() == 0:
            assert "PermissionError" in as_nobody(path)
            # and the socket's own mode does, were the folders open
            for folder in (path.parent, bot.folder):
                folder.chmod(0o755)
            assert "PermissionError" in as_nobody(path)
            with socket.socket(socket.AF_UNIX) as open_one:
                open_one.bind(str(place.where / "open.sock"))
                (place.where / "open.sock").chmod(0o777)
                open_one.listen()
                assert as_nobody(place.where / "open.sock") == ""
        bot.kill()


def as_nobody(path: Path) -> str:
    """Return what user nobody is told who connects to a socket; "" when that works."""
    program = (
        f"import os, socket; os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        f"socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    return done.stderr


def test_a_dead_bots_socket_is_replaced_and_two_bots_have_one_each(place: Place) -> None:
    first = place.bot("--speed", 5).ready()
    left = has_bus(first)
    first.kill()
    assert left.exists()
    place.tail("none", "--json").ends(1)
    again = place.bot("--speed", 5).ready()
    assert has_bus(again) == left
    # in the same journal, on the other market
    other = place.other_market()
    has_bus(again, 0)
    tail = place.tail("both", "--json", "--topic", "state,run")
    wait_for(lambda: tail.of("bog.1.state") and tail.of("bog.0.state"))
    assert {m["topic"].split(".")[2] for m in tail.heard} <= {"state", "run"}
    one = place.tail("one", "--json", "--market", 0, "--count", 20).ends(0)
    assert {m["market"] for m in one.heard} == {0} and len(one.heard) == 20
    other.send_signal(signal.SIGTERM)
    assert other.wait(PATIENCE_S) == 0
    again.stop()
    # another run is another count of messages
    assert again.pid != first.pid
    third = place.bot("--speed", 5).ready()
    start = 1 + max(m["start"] for m in tail.of("bog.1.state"))
    wait_for(lambda: any(m["start"] >= start for m in tail.of("bog.1.state")))
    third.stop()
    tail.stop()


def test_over_tcp_only_a_listed_key_hears_anything(place: Place) -> None:
    server, listener = place.key("server"), place.key("listener")
    place.key("stranger")
    for name in ("server", "listener"):
        assert stat.S_IMODE((place.where / name).stat().st_mode) == 0o600
    place.tail("again", "--new-key", place.where / "server").ends(1)  # nothing is overwritten
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    bot = place.bot(
        "--speed", 5,
        **{
            ENDPOINT: endpoint, "BOG_MONITORING__BUS__CLIENTS": listener,
            "BOG_MONITORING__BUS__SERVER_CREDENTIAL": str(place.where / "server"),
        },
    ).ready()  # fmt: skip

    def over_tcp(name: str, key: str, server_key: str = server) -> Tail:
        return place.tail(
            name, "--json", "--endpoint", endpoint, "--key", place.where / key, "--server-key",
            server_key,
        )  # fmt: skip

    good = over_tcp("good", "listener")
    wait_for(lambda: len(good.heard) > 20)
    stranger, deceived = over_tcp("bad", "stranger"), over_tcp("worse", "listener", listener)
    with zmq.Context() as context, context.socket(zmq.SUB) as bare:
        bare.linger = 0
        bare.subscribe(b"")
        bare.connect(endpoint)
        for refused in (stranger, deceived):
            refused.ends(1)
            assert not refused.heard and "nothing is said on tcp://" in one_error(refused.said)
        assert bare.poll(0) == 0
    heard = len(good.heard)
    wait_for(lambda: len(good.heard) > heard)
    assert not list((bot.folder / "control").glob("bus*"))
    secret = (place.where / "server").read_text().strip()
    bot.stop()
    wait_for(lambda: good.of("bog.1.end"))
    good.stop()
    for message in good.heard:
        check(message.pop("topic"), message)
    everything = [bot.said, bot.out.read_text(), (place.where / "var/bog.log").read_text()]
    assert not any(secret in text for text in everything)


def test_tcp_without_keys_and_loose_keys_are_refused(place: Place) -> None:
    tcp = {ENDPOINT: "tcp://127.0.0.1:9101"}
    bot = place.bot(**tcp).ends(78)
    assert "monitoring.bus.endpoint" in one_error(bot.said)
    listener = place.key("server")
    (place.where / "server").chmod(0o644)
    keys = {
        "BOG_MONITORING__BUS__CLIENTS": listener,
        "BOG_MONITORING__BUS__SERVER_CREDENTIAL": str(place.where / "server"),
    }
    bot = place.bot(**tcp, **keys).ends(78)
    assert "has mode 644" in one_error(bot.said)
    (place.where / "server").chmod(0o600)
    (place.where / "server").write_text("short\n")
    bot = place.bot(**tcp, **keys).ends(78)
    assert "holds no key" in one_error(bot.said) and "short" not in bot.said
    assert not list((place.where / "journal").glob("*.journal"))


def test_a_bus_that_cannot_be_had_costs_the_telemetry_alone(place: Place) -> None:
    listener = place.key("server")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        bot = place.bot(
            "--speed", 20,
            **{
                ENDPOINT: endpoint, "BOG_MONITORING__BUS__CLIENTS": listener,
                "BOG_MONITORING__BUS__SERVER_CREDENTIAL": str(place.where / "server"),
            },
        ).trading(fills=1)  # fmt: skip
        wait_for(lambda: f"no telemetry on {endpoint}" in bot.said)
        bot.stop()
    bot = place.bot("--speed", 20, **{ENDPOINT: ""}).trading(fills=1)
    assert not list((bot.folder / "control").glob("bus*"))
    bot.stop()


def test_without_descriptors_a_listener_does_not_end_the_bot(place: Place) -> None:
    """libzmq aborted the shell's process when one connected."""
    bot = place.bot("--speed", 20).trading(fills=1)
    has_bus(bot)
    listener = place.tail("some", "--json")
    wait_for(lambda: listener.heard)
    used = len(list(Path(f"/proc/{bot.pid}/fd").iterdir()))
    resource.prlimit(bot.pid, resource.RLIMIT_NOFILE, (used + 2, used + 2))
    wait_for(lambda: "no telemetry on " in bot.said)
    for number in range(3):
        place.tail(f"late{number}", "--json", "--count", 1).ends(1)
    fills = bot.page()["fills"]
    wait_for(lambda: bot.page()["fills"] > fills)
    bot.stop()
    few = place.bot("--speed", 20, before=["prlimit", "--nofile=100"]).trading(fills=1)
    wait_for(lambda: "no telemetry on " in few.said)
    few.stop()


def test_bog_tail_says_when_there_is_no_bus_and_what_it_does_not_understand(place: Place) -> None:
    assert "no bot runs on the journal" in one_error(place.tail("no", "--json").ends(1).said)
    for words, said in (
        (("--topic", "fil"), "want some of book"),
        (("--endpoint", "udp://x"), "want ipc://PATH"),
        (("--endpoint", "tcp://127.0.0.1:1"), "go together"),
        (("--server-key", "short"), "go together"),
    ):
        assert said in one_error(place.tail("wrong", *words).ends(2).said)


def test_bog_tail_prints_a_line_for_people_and_ends_with_its_reader(place: Place) -> None:
    bot = place.bot("--speed", 20).ready()
    has_bus(bot)
    tail = place.tail("people", "--topic", "fill,book,quotes,orders,pnl,state")
    wait_for(lambda: " bog.1.fill " in tail.out.read_text())
    tail.stop()
    (fill, *_) = [line for line in tail.out.read_text().splitlines() if " bog.1.fill " in line]
    assert "fill: " in fill and "price=" in fill and "position=" in fill
    read = subprocess.run(
        f"{sys.executable} -m bog.cli.tail --journal {bot.folder} | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", env=environment(), capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    line, code = read.stdout.splitlines()
    assert " bog." in line and code == "0" and read.stderr == ""
    bot.stop()
