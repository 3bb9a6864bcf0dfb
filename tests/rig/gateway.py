"""A gateway as it really runs, between an exchange process and a link whose engine is the test."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from bog._core.link import GatewayState, Link, LinkReport
from bog._core.signer import Signer
from bog._core.types import CommandKind, ReportKind, Side, Tif
from bog.build import build_id, digest_of

ACCOUNT, CHAIN, M = 1000, 300, 1_000_001
READY_S = 60.0
NS = 1_000_000_000


class Lines:
    """The JSON lines that a child prints, as they come."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.child, self.lines = child, []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        with self.child.stdout as lines:
            for line in lines:
                self.lines.append(json.loads(line))

    def wait(self, what: Any, within_s: float = READY_S) -> dict[str, Any]:
        """Return the first line for which `what` is true, seen already or not."""
        until, at = time.monotonic() + within_s, 0
        while time.monotonic() < until:
            while at < len(self.lines):
                if what(self.lines[at]):
                    return self.lines[at]
                at += 1
            if self.child.poll() is not None and at == len(self.lines):
                break
            time.sleep(0.01)
        raise AssertionError(f"not within {within_s} s: {self.lines[-8:]}, {self.child.poll()}")


class Exchange:
    """A bog-exchange process and its control socket."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.control = folder / "control.sock"
        self.child = subprocess.Popen(
            [
                sys.executable, "-m", "bog.cli.exchange", "--port", "0", "--flow", "none",
                "--tier-latency", "0", "--account", str(ACCOUNT), "--account", "1001",
                "--keys", str(folder / "keys"), "--control", str(self.control), *options,
            ],
            stdout=subprocess.PIPE, text=True, cwd=folder,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )  # fmt: skip
        assert select.select([self.child.stdout], [], [], READY_S)[0], "the exchange is silent"
        self.hello = json.loads(self.child.stdout.readline())

    def ask(self, **asked: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(READY_S)
            sock.connect(str(self.control))
            sock.sendall(json.dumps(asked).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                answer += sock.recv(1 << 20)
        said = json.loads(answer)
        assert said["ok"], said
        return said

    def god(self, account: int = ACCOUNT) -> dict[str, Any]:
        """Return what is true of an account."""
        return self.ask(do="god", account=account)["accounts"][str(account)]

    def key(self, index: int, account: int = ACCOUNT) -> Path:
        """Return the file of a private key."""
        return self.folder / "keys" / f"{account}-{index}.key"

    def close(self) -> None:
        self.child.terminate()
        self.child.wait(20)
        self.child.stdout.close()


class Rig:
    """A gateway on an exchange; the test pushes commands and takes reports, as the engine would."""

    def __init__(self, folder: Path, exchange: Exchange, shm: Path, **spec: Any) -> None:
        self.exchange, self.folder = exchange, folder
        self.path = shm / f"bog_x{M}.{os.getpid()}"
        self.link = Link.create(str(self.path), M, chain=CHAIN, account=ACCOUNT)
        self.reports: list[LinkReport] = []
        self.id = 0
        self.beating = True
        self.heart = threading.Thread(target=self._beat, daemon=True)
        self.heart.start()
        self.spec = {
            "url": exchange.hello["ws"], "rest": exchange.hello["url"], "chain": CHAIN,
            "account": ACCOUNT, "trade": {"index": 4, "path": str(exchange.key(4))},
            "guard": {"index": 5, "path": str(exchange.key(5))},
            "markets": [{
                "market": 1, "link": str(self.path), "price_decimals": 1, "size_decimals": 5,
                "max_order": 10**6, "min_px": 1, "max_px": 2**31, "position": 0, "trade": 0,
                "funded": 1,
                "first": 0, "orders": [],
            }],
            "daily_notional": 2**60, "sends_per_min": 4000,
            "reads_per_min": 24_000, "shared_bucket": False, "quota": -1, "quota_reserve": 0,
            "post_only": True, "age_ms": 1000, "expired_ms": 15_000, "skew_ms": 2000, "silent_ms": 5000,
            "switch_ms": 360_000, "signed": str(folder / "m1000001-r1.signed"),
            "dry_run": False, "compare_only": False, "nap_us": 100, "parent": os.getpid(),
            "takes_over": False, "build": digest_of(build_id()), **spec,
        }  # fmt: skip
        self.start()

    def _beat(self) -> None:
        while True:
            if self.beating:
                self.link.engine_beat_ns = time.monotonic_ns()
            time.sleep(0.02)

    def start(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "bog.lighter.gateway"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, process_group=0, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self.child.stdin.write(json.dumps(self.spec))
        self.child.stdin.close()
        self.lines = Lines(self.child)

    def up(self) -> "Rig":
        """Wait until orders may go."""
        self.lines.wait(lambda line: line["event"] in ("ready", "error"))
        self.until(lambda: self.link.gateway_state == GatewayState.GATEWAY_UP)
        self.link.engine_pid = os.getpid()
        return self

    def until(self, what: Any, within_s: float = READY_S) -> None:
        until = time.monotonic() + within_s
        while not what():
            assert self.child.poll() is None, self.lines.lines[-5:]
            assert time.monotonic() < until, (self.lines.lines[-8:], self.reports[-5:])
            self.reports += self.link.reports()
            time.sleep(0.005)

    def place(self, px: int, qty: int = 100, side: int = Side.BID) -> int:
        self.id += 1
        assert self.link.push_command(
            CommandKind.CMD_PLACE, self.id, side=side, px=px, qty=qty, tif=Tif.TIF_POST_ONLY,
            tick_ns=time.monotonic_ns(),
        )  # fmt: skip
        return self.id

    def amend(self, id: int, px: int, qty: int, side: int = Side.BID) -> None:
        assert self.link.push_command(
            CommandKind.CMD_AMEND, id, side=side, px=px, qty=qty, tif=Tif.TIF_POST_ONLY,
            tick_ns=time.monotonic_ns(),
        )  # fmt: skip

    def cancel(self, id: int) -> None:
        assert self.link.push_command(CommandKind.CMD_CANCEL, id, tick_ns=time.monotonic_ns())

    def told(self, id: int) -> list[str]:
        """Return the kinds of the reports about an order, in their order."""
        self.reports += self.link.reports()
        return [ReportKind(r.kind).name[4:] for r in self.reports if r.order_id == id]

    def wait(self, id: int, kind: str, within_s: float = READY_S) -> LinkReport:
        """Return the first report of a kind about an order."""
        self.until(lambda: kind in self.told(id), within_s)
        return next(
            r for r in self.reports if r.order_id == id and ReportKind(r.kind).name[4:] == kind
        )

    def close(self) -> int:
        self.child.terminate()
        code = self.child.wait(20)
        self.lines.thread.join(5)
        self.beating = False
        self.path.unlink(missing_ok=True)
        return code


class Taker:
    """Another account that takes what rests, over HTTP."""

    def __init__(self, exchange: Exchange, account: int = 1001) -> None:
        self.exchange, self.nonce, self.client = exchange, 0, 0
        self.signer = Signer.from_file(
            exchange.key(4, account), chain_id=CHAIN, account_index=account, key_index=4,
            markets={1: (2**48 - 1, 1, 2**32 - 1)}, daily_notional=2**62,
        )  # fmt: skip

    def take(self, px: int, qty: int, side: int, *, force: int = 0) -> None:
        """Send an order of `qty` lots at `px`: `force` 0 takes now or dies, 2 rests."""
        now_ms = time.time_ns() // 1_000_000
        self.client += 1
        signed = self.signer.create_order(
            self.nonce, now_ms + 60_000, 1, self.client, qty, px, side,
            now_ms + 600_000 if force else 0, 0, force, form=True,
        )  # fmt: skip
        request = urllib.request.Request(
            self.exchange.hello["url"] + "/api/v1/sendTx", data=signed.text,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=READY_S) as answer:
            assert json.loads(answer.read())["code"] == 200
        self.nonce += 1
