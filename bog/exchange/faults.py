"""What goes wrong on the wire, by script: which request, message or frame, and how.

A fault is a JSON object `{"at": POINT, "do": KIND, ...}`, where POINT is `http` (a REST request), `ws`
(a transaction on a socket) or `frame` (anything sent to a client). It applies to what matches all of

    path       http: the last part of the path, as sendTx
    type       http and ws: create, cancel, cancel-all, modify, leverage
    channel    frame: the family, as account_all_orders; also connected, pong, answer, error
    account    any: the account it is about

after it let `skip` (0) go by, `count` (1; -1 without end) times, each with probability `odds` (1).
docs/exchange.md lists the kinds and what each takes.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from dataclasses import dataclass, field
from typing import Any

from bog.errors import UsageError
from bog.exchange.codec import NAMES

Json = dict[str, Any]
KINDS = {
    "http": {"status", "html", "empty", "hang", "reset", "close", "delay", "slow", "huge", "bomb",
             "deep", "utf8", "number", "twice", "types", "redirect", "half", "swap", "set"},
    "ws": {"error", "anonymous", "silent", "reset", "close", "delay", "swap"},
    "frame": {"drop", "repeat", "delay", "hold", "set", "cut", "inject"},
}  # fmt: skip


@dataclass
class Fault:
    """One entry of the script, and how often it has yet to happen."""

    at: str
    do: str
    what: Json
    left: int = 1
    skip: int = 0
    happened: int = 0
    hit: int = 0  # transactions in the messages that it happened to
    after: bool = False  # http, ws: the venue takes the transaction first
    held: list[tuple[Any, Json]] = field(default_factory=list)


def read(entry: Json) -> Fault:
    """Return a fault of the script, or say what is wrong with it."""
    at, do = entry.get("at"), entry.get("do")
    if at not in KINDS:
        raise UsageError(f"fault at {at!r}: want one of {', '.join(KINDS)}")
    if do not in KINDS[at]:
        raise UsageError(f"fault {do!r} at {at}: want one of {', '.join(sorted(KINDS[at]))}")
    if entry.get("type") is not None and entry["type"] not in NAMES:
        raise UsageError(f"fault type {entry['type']!r}: want one of {', '.join(NAMES)}")
    if entry.get("when", "before") not in ("before", "after"):
        raise UsageError(f"fault when {entry['when']!r}: want before or after")
    # an answer is changed once there is one
    after = entry.get("when") == "after" or (at, do) == ("http", "set")
    return Fault(at, do, entry, int(entry.get("count", 1)), int(entry.get("skip", 0)), after=after)


class Faults:
    """The script in force. Everything is off until someone says otherwise."""

    def __init__(self, seed: int) -> None:
        self.script: list[Fault] = []
        self.random = random.Random(seed)
        self.mute_pong = False
        self.open = asyncio.Event()  # cleared: nothing passes in or out
        self.open.set()
        self.delay_s = 0.0  # of everything that passes, each way
        self.jitter_s = 0.0

    async def passage(self) -> None:
        """Wait as long as the network takes: for ever during a partition."""
        await self.open.wait()
        if self.delay_s or self.jitter_s:
            await asyncio.sleep(self.delay_s + self.jitter_s * self.random.random())
            await self.open.wait()

    def find(self, at: str, **about: Any) -> Fault | None:
        """Return the first fault that happens now to something, None when nothing does."""
        for fault in self.script:
            if fault.at != at or fault.left == 0:
                continue
            if any(name in fault.what and fault.what[name] != value
                   for name, value in about.items()):  # fmt: skip
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if self.random.random() >= float(fault.what.get("odds", 1)):
                continue
            fault.left -= fault.left > 0
            fault.happened += 1
            return fault
        return None

    def sent(self, at: str, path: str, kinds: list[int], infos: list[Any]) -> Fault | None:
        """Return the fault that befalls transactions, by the first of them."""
        if not self.script:
            return None
        names = {number: name for name, number in NAMES.items()}
        kind = names.get(kinds[0]) if kinds else None
        fault = self.find(at, path=path, type=kind, account=owner_of(infos[0] if infos else None))
        if fault is not None:
            fault.hit += len(kinds)
        return fault

    def frames(self, reader: Any, frame: Json) -> list[Json | str]:
        """Return what really goes to a client in place of a frame."""
        if not self.script:
            return [frame]
        family = family_of(frame)
        account = frame.get("account") or account_of(frame)
        fault = self.find("frame", channel=family, account=account)
        out: list[Json | str] = [frame]
        if fault is not None:
            out = self.bend(fault, reader, frame)
        for holder in self.script:
            if holder is not fault and holder.held:
                ready = [held for who, held in holder.held if who is reader]
                holder.held = [pair for pair in holder.held if pair[0] is not reader]
                out += ready
        return out

    def bend(self, fault: Fault, reader: Any, frame: Json) -> list[Json | str]:
        """Return what a fault makes of a frame."""
        what = fault.what
        if fault.do == "drop":
            return []
        if fault.do == "repeat":
            return [frame] * (1 + int(what.get("times", 1)))
        if fault.do == "delay":
            text = json.dumps(frame, separators=(",", ":"))
            asyncio.get_running_loop().call_later(float(what.get("seconds", 1)), reader.write, text)
            return []
        if fault.do == "hold":  # until another frame goes to the same client
            fault.held.append((reader, copy.deepcopy(frame)))
            return []
        if fault.do == "set":
            return [changed(frame, what.get("values", {}))]
        if fault.do == "cut":
            text = json.dumps(frame, separators=(",", ":"))
            return [text[: len(text) // 2]]
        return [frame, what.get("frame", {})]  # inject


def changed(body: Json, values: Json) -> Json:
    """Return a copy of a frame or an answer in which other values stand, each by its path."""
    other = copy.deepcopy(body)
    for path, value in values.items():
        put(other, path.split("."), value)
    return other


def put(tree: Any, path: list[str], value: Any) -> None:
    """Set a value below a tree; `*` stands for every key or element, null deletes."""
    name = path[0]
    if isinstance(tree, dict):
        keys: list[Any] = list(tree) if name == "*" else [name]
    elif isinstance(tree, list):
        keys = list(range(len(tree))) if name == "*" else [int(name)]
    else:
        return
    for key in keys:
        if len(path) > 1:
            if isinstance(tree, list) or key in tree:
                put(tree[key], path[1:], value)
        elif value is None and isinstance(tree, dict):
            tree.pop(key, None)
        else:
            tree[key] = value


def family_of(frame: Json) -> str:
    """Return what a frame is called in a script."""
    if "error" in frame:
        return "error"
    kind = str(frame.get("type", ""))
    if kind.startswith("jsonapi/"):
        return "answer"
    return kind.rpartition("/")[2]


def account_of(frame: Json) -> int | None:
    """Return the account that a private frame is about."""
    parts = str(frame.get("channel", "")).split(":")
    if parts[0].startswith(("account", "user", "notification")) and parts[-1].isdigit():
        return int(parts[-1])
    return None


def owner_of(info: Any) -> int | None:
    """Return the account of a transaction that is not decoded yet."""
    try:
        given = json.loads(info) if isinstance(info, str) else info
    except (ValueError, RecursionError):
        return None
    found = given.get("AccountIndex") if isinstance(given, dict) else None
    return found if type(found) is int else None
