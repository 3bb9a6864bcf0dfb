"""The recipes of the operations guide, run with the real grep and jq on a log that bog wrote."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bog import facts, log
from bog._core.types import (
    ConnectionState,
    FillReason,
    Halt,
    JournalKind,
    Level,
    Reject,
    Side,
    StateWord,
    Verdict,
    Violation,
)
from bog.errors import ConfigError
from bog.recovery import NAMES
from bog.speaker import JournalSpeaker

T0 = 1_763_834_400_000_000_000


def record(kind: int, **fields: int) -> dict[str, int]:
    empty = dict.fromkeys(NAMES, 0)
    return empty | {"kind": kind, "time_ns": T0, "market": 1_000_001} | fields


DAY = [
    record(JournalKind.J_RUN, id=3),
    record(JournalKind.J_STATE, reason=StateWord.W_POS, val=-250),
    record(JournalKind.J_STATE, reason=StateWord.W_COST, val=7),
    record(JournalKind.J_READY),
    record(JournalKind.J_PLACE, id=7, side=Side.BID, px=1_210_436, qty=1000),
    record(JournalKind.J_ACK, id=7, val=99),
    record(JournalKind.J_DENIED, side=Side.ASK, px=1_210_450, qty=1000,
           reason=Verdict.DENY_POSITION),
    record(JournalKind.J_DENIED, side=Side.ASK, reason=Verdict.ALLOW),
    record(JournalKind.J_REJECT, id=8, side=Side.ASK, reason=Reject.REJ_POST_ONLY),
    record(JournalKind.J_FILL, id=7, side=Side.BID, px=1_210_436, qty=300, val=-17,
           reason=FillReason.FILL_QUEUE),
    record(JournalKind.J_AMEND, id=7, side=Side.BID, px=1_210_437, qty=1000),
    record(JournalKind.J_AMENDED, id=7, side=Side.BID, px=1_210_437, qty=1000),
    record(JournalKind.J_AMEND_REJECT, id=7, side=Side.BID, reason=Reject.REJ_RATE),
    record(JournalKind.J_FILL, id=9, side=Side.ASK, px=1_210_451, qty=100, val=48418,
           reason=FillReason.FILL_THROUGH),
    record(JournalKind.J_CANCEL, id=7), record(JournalKind.J_CANCEL_REJECT, id=7, reason=9),
    record(JournalKind.J_CANCELED, id=7), record(JournalKind.J_EXPIRED, id=10),
    record(JournalKind.J_CANCEL_ALL), record(JournalKind.J_UNKNOWN, id=11),
    record(JournalKind.J_FUNDING, val=-726264, px=1_210_440, qty=-50),
    record(JournalKind.J_PEAK, val=3), record(JournalKind.J_DAY, val=-3),
    record(JournalKind.J_LEVEL, state=Level.LEVEL_PAUSED, reason=Level.LEVEL_RUN),
    record(JournalKind.J_LEVEL, state=Level.LEVEL_RUN, reason=Level.LEVEL_PAUSED),
    record(JournalKind.J_LEVEL, state=Level.LEVEL_DRAIN), record(JournalKind.J_LEVEL, state=9),
    record(JournalKind.J_GAP, val=4), record(JournalKind.J_EPOCH, id=2),
    record(JournalKind.J_STALE, state=1, val=612_000_000), record(JournalKind.J_STALE, state=0),
    record(JournalKind.J_HALT, id=5, reason=Halt.HALT_MARKET, val=120),
    record(JournalKind.J_CLEAR_HALT, id=5), record(JournalKind.J_END, val=0), record(200),
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A log at debug level that holds DAY and one panic."""
    path = tmp_path / "log" / "bog.log"
    log.setup(str(path), level="debug")
    speaker = JournalSpeaker(1, 5)
    for one in DAY:
        speaker.say(one)
    try:
        raise RuntimeError("boom\n\u202eover")
    except RuntimeError as error:
        log.panic(error)
    yield path
    log.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(x, parse_float=Decimal) for x in path.read_text().splitlines()]


def shell(recipe: str, path: Path) -> str:
    """Return what a recipe prints; the guide's path of the log is replaced by ours."""
    if "jq" in recipe and shutil.which("jq") is None:
        if os.environ.get("CI"):
            pytest.fail("jq is not installed")
        pytest.skip("jq is not installed: apt-get install jq")
    script = recipe.replace("/var/log/bog/bog.log", str(path))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_track_fills_with_jq(file: Path) -> None:
    recipe = (
        'grep "fill" /var/log/bog/bog.log | '
        "jq '{time: .timestamp, side: .side, price: .price, size: .size}'"
    )
    printed = shell(recipe.replace("jq '", "jq -c '"), file).splitlines()
    fills = [json.loads(x, parse_float=Decimal) for x in printed]
    expected = [
        ("buy", Decimal("121043.6"), Decimal("0.00300")),
        ("sell", Decimal("121045.1"), Decimal("0.00100")),
    ]
    assert [(f["side"], f["price"], f["size"]) for f in fills] == expected
    assert all(datetime.fromisoformat(f["time"]) for f in fills)
    assert shell(recipe, file).count('"side"') == 2


def test_filter_for_errors_with_jq(file: Path) -> None:
    shown = shell('grep "ERROR" /var/log/bog/bog.log | jq .', file)
    assert shown.count('"level": "ERROR"') == 5
    assert "\n" not in json.loads(shell('grep "PANIC" /var/log/bog/bog.log', file))["traceback"]


def test_rejections_with_jq(file: Path) -> None:
    shown = shell('grep "rejected" /var/log/bog/bog.log | jq -c .reason', file).split()
    names = ["DENY_POSITION", "REJ_POST_ONLY", "REJ_RATE", "REJ_NOT_FOUND"]
    assert shown == [f'"{name}"' for name in names]
    assert shell('grep "rejected" /var/log/bog/bog.log | jq .', file).count("{") == 4


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        ('grep "Placing order" /var/log/bog/bog.log', 1),
        ('grep "CIRCUIT BREAKER" /var/log/bog/bog.log', 2),
        ('tail -100 /var/log/bog/bog.log | grep "Paused"', 1),
        ('tail -100 /var/log/bog/bog.log | grep "PANIC"', 1),
        ('grep "Sequence gap" /var/log/bog/bog.log', 1),
        ("tail -n 50 /var/log/bog/bog.log | jq -c .", 34),
    ],
)
def test_the_other_recipes_find_their_lines(file: Path, recipe: str, count: int) -> None:
    assert len(shell(recipe, file).splitlines()) == count


def test_the_last_line_about_the_position_is_what_is_held(file: Path) -> None:
    shown = json.loads(
        shell('grep "position" /var/log/bog/bog.log | tail -1', file), parse_float=Decimal
    )
    assert shown["event"] == "funding"
    fills = [x for x in lines(file) if x["event"] == "fill"]
    assert [f["position"] for f in fills] == [Decimal("0.00050"), Decimal("-0.00050")]
    ready = next(x for x in lines(file) if x["event"] == "ready")
    assert ready["position"] == Decimal("-0.00250")


def test_a_fill_says_fee_reason_order_and_event_time(file: Path) -> None:
    fill = next(x for x in lines(file) if x["event"] == "fill")
    assert list(fill)[:4] == ["timestamp", "level", "event", "message"]
    assert fill["message"] == "fill: bought 0.00300 at 121043.6"
    assert (fill["fee"], fill["reason"], fill["order"]) == (Decimal("-0.000017"), "queue", 7)
    assert fill["event_time"] == "2025-11-22T18:00:00.000000Z"
    assert fill["market"] == 1


def test_every_kind_of_record_is_said_or_is_for_machines_only() -> None:
    said: list[str] = []
    speaker = JournalSpeaker(1, 5, write=lambda _level, event, *_, **__: said.append(event))
    silent = []
    for kind in JournalKind:
        before = len(said)
        speaker.say(record(kind))
        if len(said) == before:
            silent.append(kind)
    assert silent == [JournalKind.J_STATE, JournalKind.J_ORDER]
    assert "unknown_record" not in said
    speaker.say(record(99))
    assert said[-1] == "unknown_record"


def test_what_the_protections_do_is_said_with_its_reason() -> None:
    said: list[tuple[str, str, dict[str, Any]]] = []
    speaker = JournalSpeaker(
        1, 5, write=lambda level, _event, message, **fields: said.append((level, message, fields))
    )
    for one in (
        record(JournalKind.J_BREAKER, reason=Violation.VIOLATION_MOVE, val=1, px=2_420_873,
               qty=2_161_494),
        record(JournalKind.J_BREAKER, val=0, px=2_161_494, qty=2_161_494),
        record(JournalKind.J_CONNECTION, state=ConnectionState.CONNECTION_OPEN),
        record(JournalKind.J_CONNECTION, state=ConnectionState.CONNECTION_CLOSED, reason=2),
        record(JournalKind.J_DENIED, side=Side.ASK, reason=Verdict.DENY_WARMING),
        record(JournalKind.J_DENIED, side=Side.BID, reason=Verdict.DENY_DELAYED),
    ):  # fmt: skip
        speaker.say(one)
    assert [line[:2] for line in said] == [
        ("WARNING", "Market breaker: violation"), ("INFO", "Market breaker: a good book"),
        ("ERROR", "Connection breaker is open"), ("INFO", "Connection breaker is closed"),
        ("INFO", "Not quoting"), ("WARNING", "Not quoting"),
    ]  # fmt: skip
    violation = said[0][2]
    assert (violation["reason"], violation["violations"]) == ("move", 1)
    assert (violation["mid"], violation["reference"]) == (Decimal("121043.65"), Decimal("108074.7"))
    assert said[3][2]["before"] == "half_open"
    assert [line[2]["reason"] for line in said[4:]] == ["DENY_WARMING", "DENY_DELAYED"]


def test_the_clock_of_the_run_becomes_unix_time() -> None:
    said: list[str | None] = []
    speaker = JournalSpeaker(1, 5, write=lambda *_, event_time, **__: said.append(event_time))
    speaker.say(record(JournalKind.J_RUN, val=T0, time_ns=1_500_000_000))
    speaker.say(record(JournalKind.J_READY, time_ns=2_500_000_000))
    speaker.say(record(JournalKind.J_READY, time_ns=0))
    assert said == ["2025-11-22T18:00:01.500000Z", "2025-11-22T18:00:02.500000Z", None]


def test_control_and_bidi_characters_are_escaped(file: Path) -> None:
    log.emit("INFO", "note", "a\x1b[2J\n\u202e{b}", path="c\x00\u2066", reason="é")
    text = file.read_text().splitlines()[-1]
    assert text.isascii()
    assert text.isprintable()
    line = json.loads(text)
    assert line["message"] == "a\\x1b[2J\\n\\u202e{b}"
    assert line["path"] == "c\\x00\\u2066"
    assert line["reason"] == "é"


class Canary(str):
    """Text that is no str by type, as a secret type would be."""


def test_only_fields_of_the_table_and_of_their_type_are_written(file: Path) -> None:
    log.emit("INFO", "note", "x", api_key="CANARY", seed="CANARY", path=Canary("CANARY"), price=1.5)  # type: ignore[arg-type]
    log.emit("INFO", "note", "y", order=True, run=None, size=Decimal("NaN"), price=Decimal("1E+2"))
    assert "CANARY" not in file.read_text()
    first, second = lines(file)[-2:]
    assert first["withheld"] == "api_key seed path price"
    assert second["withheld"] == "order"
    assert (second["size"], second["price"]) == ("not a number", 100)
    assert "run" not in second


def test_a_panic_shows_no_values_of_variables(tmp_path: Path) -> None:
    path = tmp_path / "bog.log"
    log.setup(str(path))

    def fail(secret: str) -> None:
        raise ValueError(len(secret))

    try:
        fail("CAN" + "ARY")
    except ValueError as error:
        log.panic(error)
    log.close()
    assert "PANIC: ValueError: 6" in path.read_text()
    assert "CANARY" not in path.read_text()


def test_the_level_is_a_floor(tmp_path: Path) -> None:
    path = tmp_path / "bog.log"
    log.setup(str(path), level="warning")
    for level in log.LEVELS:
        log.emit(level, "note", "x")
    log.close()
    assert [x["level"] for x in lines(path)] == ["WARNING", "ERROR"]


def test_files_are_private_turned_over_and_dropped(tmp_path: Path) -> None:
    path = tmp_path / "bog.log"
    path.touch(mode=0o644)
    path.chmod(0o644)
    log.setup(str(path), rotation_mb=1, retention_files=2)
    for _ in range(45):
        log.emit("INFO", "note", "x" * 100_000)
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)
    assert all(f.stat().st_size <= 1_000_000 for f in files)


def test_a_log_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in ("file/bog.log", "link"):
        with pytest.raises(ConfigError, match="cannot be written"):
            log.setup(str(tmp_path / path))
    log.close()
    assert not (tmp_path / "elsewhere").exists()


def test_a_person_gets_short_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("", console=True)
    log.emit("INFO", "place", "Placing order", order=7, side="buy", price=Decimal("1.5"))
    log.close()
    text = capsys.readouterr().err
    assert text.endswith(" INFO Placing order order=7 side=buy price=1.5\n")


def test_names_of_quiet_reasons_are_those_of_the_strategy() -> None:
    header = (Path(log.__file__).parent / "_core" / "strategy.h").read_text()
    body = header.split("enum bog_quiet {")[1].split("}")[0]
    names = [line.split("=")[0].strip() for line in body.splitlines() if "=" in line]
    wanted = ["NONE", *(name.upper() for name in facts.QUIET[1:]), None]
    assert names == [f"BOG_QUIET_{name}" for name in wanted[:-1]] + ["BOG_QUIETS"]
    assert facts.why_name(facts.WHY_VERDICTS + Verdict.DENY_STALE) == "DENY_STALE"
    assert facts.why_name(3) == "crossed"
    assert facts.why_name(31) == "quiet 31"
    show = (Path(log.__file__).parent / "_core" / "show.pxd").read_text()
    assert f"else {facts.WAITING}" in show
    assert facts.why_name(facts.WAITING) == "waiting"
    assert facts.verdict_name(77) == "Verdict 77"
