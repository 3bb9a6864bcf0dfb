"""The telemetry bus seen from outside: what a message must be, and bog-tail as a process."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from bog.messages import MESSAGES, VERSION, Exact, Head, Time
from tests.rig.live import PATIENCE_S, environment

DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
WORDS = {int: "whole", str: "text", bool: "bool", Exact: "decimal", Time: "time", NoneType: "null"}


def fields_of(kind: type) -> dict[str, tuple[Any, bool]]:
    """Return the fields of a message's type: what each is, and whether it must be there."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        name: (get_args(hint)[0], False) if get_origin(hint) is NotRequired else (hint, True)
        for name, hint in hints.items()
    }


def is_valid(value: object, kind: Any) -> bool:
    """Return whether a value of JSON is of a message's type, no field more and none less."""
    if kind is Exact:
        return isinstance(value, str) and bool(DECIMAL.fullmatch(value))
    if kind is Time:
        return isinstance(value, str) and bool(TIME.fullmatch(value))
    if get_origin(kind) in (Union, UnionType):
        return any(is_valid(value, each) for each in get_args(kind))
    if get_origin(kind) is list:
        return isinstance(value, list) and all(is_valid(v, get_args(kind)[0]) for v in value)
    if is_typeddict(kind):
        return isinstance(value, dict) and not flaws(value, kind)
    return type(value) is kind  # neither True nor 1.0 is a whole number


def flaws(message: dict[str, Any], kind: type) -> list[str]:
    """Return what is wrong with a message."""
    fields = fields_of(kind)
    return [
        *(f"{name}: not in {kind.__name__}" for name in message if name not in fields),
        *(f"{name}: missing" for name, (_, must) in fields.items() if must and name not in message),
        *(
            f"{name}: {message[name]!r} is no {what}"
            for name, (what, _) in fields.items()
            if name in message and not is_valid(message[name], what)
        ),
    ]


def check(topic: str, message: dict[str, Any]) -> None:
    """AssertionError unless a message is one of its topic's."""
    prefix, market, name = topic.split(".")
    head = {key: message[key] for key in Head.__annotations__ if key in message}
    body = {key: value for key, value in message.items() if key not in head}
    assert not flaws(head, Head) and not flaws(body, MESSAGES[name]), (
        topic, flaws(head, Head), flaws(body, MESSAGES[name]), message,
    )  # fmt: skip
    assert (prefix, market) == ("bog", str(message["market"])) and message["v"] == VERSION


def words_of(kind: Any) -> str:
    """Return the name of a type in docs/formats.md."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(words_of, get_args(kind)))
    if get_origin(kind) is list:
        return f"list of ({described(get_args(kind)[0])})"
    return f"({described(kind)})" if is_typeddict(kind) else WORDS[kind]


def described(kind: type, without: tuple[str, ...] = ()) -> str:
    """Return the fields of a message as docs/formats.md writes them."""
    return ", ".join(
        f"`{name}` {words_of(what)}{'' if must else ' or missing'}"
        for name, (what, must) in fields_of(kind).items()
        if name not in without
    )


class Tail:
    """One bog-tail, its lines in `where`/NAME.out and .err."""

    def __init__(self, where: Path, name: str, *arguments: object) -> None:
        self.out, self.err = where / f"{name}.out", where / f"{name}.err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bog.cli.tail", *map(str, arguments)], cwd=where,
                env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip

    @property
    def heard(self) -> list[dict[str, Any]]:
        """What --json printed so far, whole lines."""
        whole = self.out.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["topic"] == topic]

    @property
    def said(self) -> str:
        return self.err.read_text()

    def ends(self, code: int) -> "Tail":
        ended = self.process.wait(PATIENCE_S)
        assert ended == code, f"exit code {ended}: {self.said}"
        return self

    def stop(self) -> "Tail":
        self.process.send_signal(signal.SIGINT)
        return self.ends(0)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
