"""The control socket: the god view, the script of faults, and what a rehearsal does to the venue.

A unix socket, 0600. A line of JSON asks, a line answers: `{"ok": true, ...}`, or `{"ok": false,
"error": "what is wrong"}`. Nothing of it can be reached over the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bog.errors import BogError, UsageError
from bog.exchange import acts, faults, ledger

if TYPE_CHECKING:
    from bog.exchange.server import Server

Json = dict[str, Any]
LINE_MAX = 1 << 20


class Control:
    """Answers on one unix socket for one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.listener: asyncio.Server | None = None
        self.path = Path()
        self.verbs: dict[str, Callable[[Json], Json]] = {
            "god": self.god,
            "fault": self.fault,
            "faults": self.faults,
            "clear": self.clear,
            **acts.verbs(server),
        }

    async def start(self, path: Path) -> None:
        """Listen; the socket is ours alone from its first moment."""
        self.path = path
        if path.is_socket():
            path.unlink()
        elif path.exists():
            raise UsageError(f"--control {path} exists and is no socket")
        before = os.umask(0o177)
        try:
            self.listener = await asyncio.start_unix_server(self.serve, path, limit=LINE_MAX)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Close and remove the socket."""
        if self.listener is not None:
            self.listener.close()
            self.path.unlink(missing_ok=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the lines of one client."""
        with contextlib.suppress(ConnectionError, ValueError):
            while line := await reader.readline():
                writer.write(json.dumps(self.answer(line), separators=(",", ":")).encode() + b"\n")
                await writer.drain()
        writer.close()

    def answer(self, line: bytes) -> Json:
        """Return the answer to one line."""
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict):
                raise UsageError("a request is a JSON object")
            verb = self.verbs.get(str(asked.get("do"))) if "at" not in asked else self.fault
            if verb is None:
                raise UsageError(
                    f"do {asked.get('do')!r}: want one of {', '.join(sorted(self.verbs))}"
                )
            self.server.venue.set_clock(self.server.now_ns())
            found = verb(asked)
            self.server.venue.commit()
            return {"ok": True, **found}
        except (BogError, ValueError, TypeError, KeyError, LookupError) as error:
            return {"ok": False, "error": str(error) or repr(error)}

    def god(self, asked: Json) -> Json:
        """What is true: all accounts, or one; fills above an id."""
        state, account = self.server.venue.state, asked.get("account")
        return ledger.god(state, account, int(asked.get("after", 0))) | ledger.creates(
            state, account
        )

    def fault(self, asked: Json) -> Json:
        """Add an entry to the script."""
        self.server.faults.script.append(faults.read(asked))
        return {"faults": len(self.server.faults.script)}

    def faults(self, _: Json) -> Json:
        """What is in the script, and how often it happened; what is refused, and how often it was."""
        return {
            "script": [
                {**fault.what, "left": fault.left, "happened": fault.happened, "hit": fault.hit}
                for fault in self.server.faults.script
            ],
            "refuse": self.server.venue.rules.refuse,
        }

    def clear(self, _: Json) -> Json:
        """Forget the script; the network is whole again."""
        script = self.server.faults
        happened = sum(fault.happened for fault in script.script)
        script.script.clear()
        script.mute_pong = False
        script.delay_s = script.jitter_s = 0.0
        script.open.set()
        self.server.venue.rules.refuse.clear()
        return {"happened": happened}
