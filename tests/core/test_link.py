"""The link between engine and gateway: its layout, what is refused, what goes in comes out."""

import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bog._core.link import (
    COMMANDS,
    ORDER_IDS,
    REPORTS,
    SIZE,
    GatewayState,
    Link,
    LinkBudget,
    LinkKey,
    layout,
)  # fmt: skip
from bog._core.stats import RunState
from bog._core.types import CommandKind, Reject, ReportKind, Side, Tif

ROOT = Path(__file__).resolve().parents[2]
MARKET = 1000001
WHERE = layout()
TOP = 2**64 - 1
NEVER = 2**63 - 1


@pytest.fixture
def path(shm: Path) -> str:
    return str(shm / "bog_x1000001.7")


@pytest.fixture
def link(path: str) -> Link:
    return Link.create(path, MARKET, chain=304, account=17)


def poke(path: str, name: str, data: bytes) -> None:
    with Path(path).open("r+b") as file:
        file.seek(WHERE[name][0])
        file.write(data)


# the layout


def test_document_and_compiler_agree_on_every_offset() -> None:
    section = (ROOT / "docs/formats.md").read_text().split("## Link between engine and gateway")[1]
    section = section.split("\n## ")[0]
    found = re.findall(r"^\| (\d+) \| (\d+) \| `([\w.]+)` \|", section, re.M)
    assert {name: (int(at), int(size)) for at, size, name in found} == WHERE


def test_no_line_of_the_header_page_has_two_writers() -> None:
    maker = {at // 64 for name, (at, _) in WHERE.items() if at < 64}
    engine = {at // 64 for name, (at, _) in WHERE.items() if name.startswith("engine.")}
    gateway = {at // 64 for name, (at, _) in WHERE.items() if name.startswith("gateway.")}
    engine.add(WHERE["report_tail"][0] // 64)
    gateway |= {
        at // 64
        for name, (at, _) in WHERE.items()
        if name.startswith(("trade.", "guard.", "budget."))
    }
    gateway |= {WHERE["report_head"][0] // 64, WHERE["command_tail"][0] // 64}
    assert not (maker & engine or maker & gateway or engine & gateway)
    assert WHERE["command"][0] % 4096 == WHERE["report"][0] % 64 == SIZE % 4096 == 0
    assert WHERE["command"] == (4096, COMMANDS * 64)
    assert WHERE["report"] == (4096 + COMMANDS * 64, REPORTS * 64)


# who may open what


def test_a_new_link_is_private_and_says_whose_it_is(link: Link, path: str) -> None:
    found = os.stat(path)
    assert (found.st_mode & 0o7777, found.st_size, found.st_nlink) == (0o600, SIZE, 1)
    other = Link.open(path, MARKET)
    assert (other.market, other.chain, other.account, other.owner) == (MARKET, 304, 17, os.getpid())
    assert (other.engine_pid, other.gateway_pid, other.engine_beat_ns, other.gateway_beat_ns) == (
        0, 0, 0, 0,
    )  # fmt: skip
    assert other.gateway_state == GatewayState.GATEWAY_STARTING
    assert other.engine_state == RunState.RUN_STARTING
    assert (other.quota, other.differences, other.failed, other.done) == (-1, 0, 0, 0)
    assert other.key("trade") == other.key("guard") == (-1, 0, 0, 0, 0, 0)
    assert other.budget == (0, 0, 0, 0)
    assert os.listdir(Path(path).parent) == [Path(path).name]


@given(st.lists(st.integers(0, 2**63 - 1), min_size=16, max_size=16))
def test_law_the_numbers_of_keys_and_budget_come_out_as_they_went_in(found: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        link = Link.create(str(Path(folder) / "x"), MARKET)
        trade, guard, budget = (
            LinkKey(-1, *found[1:6]),
            LinkKey(*found[6:12]),
            LinkBudget(*found[12:]),
        )
        link.show_key("trade", trade)
        link.show_key("guard", guard)
        link.budget = budget
        other = Link.open(str(Path(folder) / "x"))
        assert (other.key("trade"), other.key("guard"), other.budget) == (trade, guard, budget)
        assert (other.quota, other.commands_waiting, other.reports_waiting) == (-1, 0, 0)
        with pytest.raises(ValueError, match=r"^key 'taker': want trade or guard$"):
            other.key("taker")


def test_a_link_is_never_made_over_something_that_is_there(link: Link, path: str) -> None:
    link.report(ReportKind.REP_ACK, 1)
    with pytest.raises(FileExistsError):
        Link.create(path, MARKET)
    assert Link.open(path).reports_waiting == 1
    assert os.listdir(Path(path).parent) == [Path(path).name]


def test_a_link_is_not_made_without_its_names() -> None:
    with pytest.raises(TypeError, match=r"Link\.create or Link\.open"):
        Link()


FOREIGN = {
    "magic": ("magic", b"BOG LINX", "has magic 0x584e494c20474f42, expected 0x4b4e494c20474f42"),
    "version": ("version", struct.pack("<I", 1), "has version 1, expected 2"),
    "size": ("size", struct.pack("<Q", 64), f"says it has 64 bytes, expected {SIZE}"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_header_is_refused_in_one_line(link: Link, path: str, what: str) -> None:
    name, data, line = FOREIGN[what]
    poke(path, name, data)
    with pytest.raises(ValueError) as refused:
        Link.open(path)
    assert str(refused.value) == f"link {path} {line}"


def test_another_market_a_mode_a_length_a_second_name_and_a_folder_are_refused(
    link: Link, path: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"is of market 1000001, expected 1000002$"):
        Link.open(path, 1000002)
    os.chmod(path, 0o640)
    with pytest.raises(ValueError, match=r"has mode 640, expected 600$"):
        Link.open(path)
    os.chmod(path, 0o600)
    os.link(path, tmp_path / "second")
    with pytest.raises(ValueError, match=r"has 2 names, expected 1$"):
        Link.open(path)
    os.unlink(tmp_path / "second")
    short = tmp_path / "short"
    short.write_bytes(bytes(64))
    short.chmod(0o600)
    with pytest.raises(ValueError, match=rf"has 64 bytes, expected {SIZE}$"):
        Link.open(str(short))
    (tmp_path / "way").symlink_to(path)
    with pytest.raises(OSError, match="symbolic links"):
        Link.open(str(tmp_path / "way"))
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="is not a regular file"):
        Link.open(str(tmp_path / "pipe"))
    with pytest.raises(FileNotFoundError):
        Link.open(str(tmp_path / "nothing"))


def test_a_link_of_another_user_is_refused(link: Link, path: str) -> None:
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
        with pytest.raises(ValueError, match=r"belongs to uid 65534, expected 0$"):
            Link.open(path)
    else:  # only root may give a file away: then the system refuses first
        with pytest.raises(PermissionError):
            Link.open("/etc/passwd")


def test_a_link_cut_short_under_us_reads_as_zeros_and_does_not_kill(link: Link, path: str) -> None:
    link.report(ReportKind.REP_ACK, 1)
    os.truncate(path, 0)
    assert link.reports() == []
    assert link.commands() == []
    assert link.truncated
    assert link.market == 0


# the lines


def test_each_end_sees_the_other_ends_line(link: Link, path: str) -> None:
    gateway = Link.open(path)
    link.engine_pid, link.engine_beat_ns, link.engine_state = 11, 12, int(RunState.RUN_TRADING)
    assert (gateway.engine_pid, gateway.engine_beat_ns, gateway.engine_state) == (
        11, 12, RunState.RUN_TRADING,
    )  # fmt: skip
    gateway.gateway_pid, gateway.gateway_beat_ns = 21, 22
    gateway.gateway_state = int(GatewayState.GATEWAY_UP)
    gateway.failed, gateway.done, gateway.quota = 3, 4, 0
    gateway.differences, gateway.gateway_build = 5, TOP
    assert (link.gateway_pid, link.gateway_beat_ns, link.gateway_state) == (
        21, 22, GatewayState.GATEWAY_UP,
    )  # fmt: skip
    assert (link.failed, link.done, link.quota) == (3, 4, 0)
    assert (link.differences, link.gateway_build) == (5, TOP)


# the rings


def test_a_command_comes_out_as_it_went_in(link: Link, path: str) -> None:
    gateway = Link.open(path)
    assert gateway.commands() == []
    place, cancel = CommandKind.CMD_PLACE, CommandKind.CMD_CANCEL
    assert link.push_command(
        place, ORDER_IDS - 1, side=Side.ASK, px=1210436, qty=500, tif=Tif.TIF_POST_ONLY,
        reduce_only=True, tick_ns=77, expiry_ns=88,
    )  # fmt: skip
    assert link.push_command(cancel, 5)
    assert gateway.commands_waiting == 2
    assert gateway.commands() == [
        (1, place, ORDER_IDS - 1, Side.ASK, 1210436, 500, Tif.TIF_POST_ONLY, 1, 77, 88, MARKET),
        (2, cancel, 5, 0, 0, 0, 0, 0, 0, NEVER, MARKET),
    ]
    assert gateway.commands() == []


def test_a_report_comes_out_as_it_went_in(link: Link, path: str) -> None:
    gateway = Link.open(path)
    fill, refused = ReportKind.REP_FILL, ReportKind.REP_REJECT
    assert gateway.report(
        fill, 9, side=Side.ASK, px=5, qty=6, fee=-7, venue_id=TOP, reason=5, time_ns=8, venue_ns=9,
        flags=1,
    )  # fmt: skip
    assert gateway.report(refused, 10, reason=Reject.REJ_RATE)
    assert link.reports_waiting == 2
    assert link.reports() == [
        (fill, 9, Side.ASK, 5, 6, -7, TOP, 5, 8, 9, 1, MARKET),
        (refused, 10, 0, 0, 0, 0, 0, Reject.REJ_RATE, 0, 0, 0, MARKET),
    ]
    assert link.reports() == []


def test_a_full_ring_refuses_and_loses_nothing(link: Link, path: str) -> None:
    gateway = Link.open(path)
    for n in range(COMMANDS):
        assert link.push_command(CommandKind.CMD_PLACE, n)
    assert not link.push_command(CommandKind.CMD_PLACE, COMMANDS)
    assert [command.order_id for command in gateway.commands(1)] == [0]
    assert link.push_command(CommandKind.CMD_PLACE, COMMANDS)
    assert not link.push_command(CommandKind.CMD_PLACE, COMMANDS + 1)
    assert [command.order_id for command in gateway.commands(1000)] == list(range(1, COMMANDS + 1))

    for n in range(REPORTS):
        assert gateway.report(ReportKind.REP_ACK, n)
    assert not gateway.report(ReportKind.REP_ACK, REPORTS)
    assert [report.order_id for report in link.reports(1)] == [0]
    assert gateway.report(ReportKind.REP_ACK, REPORTS)
    assert [report.order_id for report in link.reports()] == list(range(1, REPORTS + 1))


def test_a_gateway_that_starts_anew_goes_on_where_the_last_one_stopped(
    link: Link, path: str
) -> None:
    for n in range(10):
        link.push_command(CommandKind.CMD_PLACE, n)
    first = Link.open(path)
    assert [command.order_id for command in first.commands(4)] == [0, 1, 2, 3]
    first.report(ReportKind.REP_ACK, 0)
    del first
    second = Link.open(path)
    assert [command.order_id for command in second.commands()] == [4, 5, 6, 7, 8, 9]
    second.report(ReportKind.REP_ACK, 4)
    assert [report.order_id for report in link.reports()] == [0, 4]


@pytest.mark.parametrize(
    ("name", "value"),
    [("command_tail", 1), ("command_tail", 7), ("report_head", REPORTS + 1), ("report_tail", 1)],
)  # fmt: skip
def test_counts_that_cannot_be_are_noticed(link: Link, path: str, name: str, value: int) -> None:
    poke(path, name, struct.pack("<Q", value))
    with pytest.raises(ValueError, match=r"is broken: \d+ commands of 256 and \d+ reports of 4096"):
        if name == "command_tail":
            link.push_command(CommandKind.CMD_PLACE, 1)
        else:
            link.reports()
            link.report(ReportKind.REP_ACK, 1)


def test_a_slot_from_the_future_is_noticed(link: Link, path: str) -> None:
    poke(path, "command", struct.pack("<Q", 2))
    with pytest.raises(ValueError, match="is broken"):
        link.commands()


# laws


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=30))
def test_law_both_rings_are_queues_of_their_size(steps: list[tuple[bool, int]]) -> None:
    name = f"/dev/shm/bog_x_law.{os.getpid()}"  # unlinked as soon as both ends have it
    link = Link.create(name, MARKET)
    try:
        other = Link.open(name)
    finally:
        os.unlink(name)
    sent = taken = told = heard = 0
    for push, count in steps:
        if push:
            for _ in range(count):
                stored = link.push_command(CommandKind.CMD_PLACE, sent, px=sent * 3)
                assert stored == (sent - taken < COMMANDS)
                sent += stored
            for _ in range(count * 20):
                stored = other.report(ReportKind.REP_ACK, told, venue_id=told * 3)
                assert stored == (told - heard < REPORTS)
                told += stored
        else:
            for command in other.commands(count):
                assert (command.seq, command.order_id, command.px) == (taken + 1, taken, taken * 3)
                taken += 1
            for report in link.reports(count * 20):
                assert (report.order_id, report.venue_id) == (heard, heard * 3)
                heard += 1
        assert (other.commands_waiting, link.reports_waiting) == (sent - taken, told - heard)


GATEWAY = """
import sys
from bog._core.link import Link
link, count = Link.open(sys.argv[1]), int(sys.argv[2])
taken = 0
while taken < count:
    for command in link.commands():
        if command.px != command.order_id * 3 or command.qty != command.order_id * 5:
            sys.exit(f"torn: {command}")
        while not link.report(4, command.order_id, px=command.px, qty=command.qty,
                              venue_id=command.seq):
            pass
        taken += 1
"""


def reports_of(link: Link, count: int) -> Iterator[tuple[int, int, int, int]]:
    sent = heard = 0
    while heard < count:
        while sent < count and link.push_command(
            CommandKind.CMD_PLACE, sent, px=sent * 3, qty=sent * 5
        ):
            sent += 1
        for report in link.reports():
            yield report.order_id, report.px, report.qty, report.venue_id
            heard += 1


def test_law_across_two_processes_each_command_comes_back_once_and_in_order(
    link: Link, path: str
) -> None:
    count = 50_000  # 195 times round the commands, 12 times round the reports
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY, path, str(count)], cwd=ROOT)
    try:
        for n, report in enumerate(reports_of(link, count)):
            assert report == (n, n * 3, n * 5, n + 1)
            if gateway.poll() not in (None, 0):
                pytest.fail("the gateway saw a torn command")
        assert gateway.wait(30) == 0
    finally:
        gateway.kill()
        gateway.wait()
    assert (link.commands_waiting, link.reports_waiting) == (0, 0)
