"""A bog-exchange process on loopback: where it is, its control socket, and a client that says little."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

from bog._core.signer import Signer

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
ANSWER_S = 30.0


class Exchange:
    """One process, its files below `place`. Options are those of the command line."""

    def __init__(self, place: Path, *options: str) -> None:
        self.place = place
        program = "from bog.cli.exchange import main; main()"
        # a socket's path has at most 107 bytes, and a test's directory may be long
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "--port", "0", "--keys", "keys", "--control", "control",
             *options],
            cwd=place, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.says = json.loads(self.process.stdout.readline() or "{}")
        if not self.says:
            raise RuntimeError(f"bog-exchange ended with {self.process.wait(10)}")
        self.url: str = self.says["url"]
        self.ws_url: str = self.says["ws"]
        self.offset_s = 0.0  # of the venue's clock against the host's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(60)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Ask the control socket; AssertionError when it says no."""
        answer = self.ask_raw(json.dumps(request))
        assert answer["ok"], answer
        if request["do" if "do" in request else "at"] == "clock":
            self.offset_s += request["seconds"]
        return answer

    def ask_raw(self, line: str) -> dict[str, Any]:
        """Return what the control socket answers to a line."""
        before = Path.cwd()
        os.chdir(self.place)
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(ANSWER_S)
                control.connect("control")
                control.sendall(line.encode() + b"\n")
                answer: dict[str, Any] = json.loads(control.makefile().readline())
                return answer
        finally:
            os.chdir(before)

    def now_ms(self) -> int:
        """Return the venue's time."""
        return int((time.time() + self.offset_s) * 1000)

    def account(self, index: int = 1000) -> dict[str, Any]:
        """Return an account as the god view has it."""
        found: dict[str, Any] = self.ask(do="god", account=index)["accounts"][str(index)]
        return found

    def get(self, path: str, token: str = "", **query: object) -> Any:
        """Return the JSON of a GET below /api/v1."""
        return self.fetch(f"/api/v1/{path}?{urlencode(query)}", token)[1]

    def fetch(
        self, path: str, token: str = "", form: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Return status and JSON of any request; a body that is no JSON comes as bytes."""
        data = urlencode(form).encode() if form is not None else None
        request = Request(self.url + path, data, {"Authorization": token} if token else {})
        try:
            with urlopen(request, timeout=ANSWER_S) as response:
                status, body = response.status, response.read()
        except HTTPError as error:
            with error:
                status, body = error.code, error.read()
        try:
            return status, json.loads(body)
        except ValueError:
            return status, body

    def socket(self, *channels: str, token: str = "") -> Socket:
        """Return a connection that has its snapshots."""
        return Socket(self, channels, token)

    def trader(self, index: int = 1000, key: int = 4) -> Trader:
        """Return someone who signs for an account."""
        return Trader(self, index, key)


class Socket:
    """A WebSocket of the exchange."""

    def __init__(self, exchange: Exchange, channels: tuple[str, ...] = (), token: str = "") -> None:
        self.seen: list[dict[str, Any]] = []
        self.ws: ClientConnection = connect(exchange.ws_url, max_size=1 << 26)
        assert self.next()["type"] == "connected"
        for channel in channels:
            self.subscribe(channel, token)
            self.until(type=re.compile(f"subscribed/{channel.split('/')[0]}$"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ws.close()

    def subscribe(self, channel: str, token: str = "") -> None:
        """Ask for a channel."""
        self.say(type="subscribe", channel=channel, **({"auth": token} if token else {}))

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.ws.send(json.dumps(message))

    def text(self, seconds: float = ANSWER_S) -> str:
        """Return the next frame as text."""
        found = self.ws.recv(timeout=seconds)
        assert isinstance(found, str)
        return found

    def next(self, seconds: float = ANSWER_S) -> dict[str, Any]:
        """Return the next frame."""
        found: dict[str, Any] = json.loads(self.text(seconds))
        self.seen.append(found)
        return found

    def until(self, **want: Any) -> dict[str, Any]:
        """Return the next frame with these values; a pattern is searched."""
        while True:
            frame = self.next()
            if all(
                value.search(str(frame.get(name))) if isinstance(value, re.Pattern)
                else frame.get(name) == value
                for name, value in want.items()
            ):  # fmt: skip
                return frame

    def quiet(self, seconds: float = 0.5) -> list[dict[str, Any]]:
        """Return every frame until nothing comes for so long."""
        found = []
        while True:
            try:
                found.append(self.next(seconds))
            except TimeoutError:
                return found


class Trader:
    """Signs transactions of one key and sends them by REST or on a socket."""

    def __init__(self, exchange: Exchange, index: int, key: int) -> None:
        self.exchange = exchange
        self.index, self.key = index, key
        self.signer = Signer(
            path=exchange.place / "keys" / f"{index}-{key}.key", chain_id=300, account_index=index,
            key_index=key, markets=dict.fromkeys((0, 1, 2), (2 ** 47, 1, 2 ** 32 - 1)),
            daily_notional=2**62, pairs=8, min_margin_fraction=100,
        )  # fmt: skip

    @property
    def token(self) -> str:
        """A token for the private channels, good for ten minutes."""
        return self.signer.auth_token(self.exchange.now_ms() // 1000 + 600)

    def next_nonce(self) -> int:
        """Return what `nextNonce` says."""
        found: int = self.exchange.get(
            "nextNonce", account_index=self.index, api_key_index=self.key
        )["nonce"]
        return found

    def sign(self, verb: str, *args: Any, nonce: int | None = None, **more: Any) -> Any:
        """Return a signed transaction with the venue's next nonce, unless one is given."""
        nonce = self.next_nonce() if nonce is None else nonce
        expired = self.exchange.now_ms() + 599_000
        return getattr(self.signer, verb)(nonce, expired, *args, **more)

    def order(
        self, side: str, px: int, lots: int, client: int = 0, tif: int = 2, **more: Any
    ) -> Any:
        """Return a signed create."""
        expiry = 0 if tif == 0 else self.exchange.now_ms() + 3_600_000
        return self.sign("create_order", more.pop("market", 1), client, lots, px, side == "ask",
                         more.pop("expiry_ms", expiry), time_in_force=tif, **more)  # fmt: skip

    def post(self, signed: Any) -> tuple[int, Any]:
        """Send by REST; return status and answer."""
        body = {"tx_type": signed.type, "tx_info": signed.text.decode()}
        return self.exchange.fetch("/api/v1/sendTx", form=body)

    def send(self, ws: Socket, signed: Any, name: str = "1") -> None:
        """Send on a socket."""
        ws.say(type="jsonapi/sendtx",
               data={"id": name, "tx_type": signed.type, "tx_info": json.loads(signed.text)})  # fmt: skip
