"""bog-tail: print what a running bot says on its telemetry bus."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bog import control, credentials, errors
from bog.errors import BogError, UsageError, one_line

if TYPE_CHECKING:
    import zmq

EPILOG = """\b
Examples:
  bog-tail                                  all that the bots of var/journal say
  bog-tail --market 1 --topic fill,state
  bog-tail --topic fill --json | jq -r '[.time,.side,.price,.size]|@tsv'
  bog-tail --new-key var/secrets/listener   a key of its own for a listener over TCP
  bog-tail --endpoint tcp://10.0.0.2:9101 --key var/secrets/listener --server-key KEY

What was missed is said on stderr. A bot that ends is waited for. Exit codes: 0 Ctrl-C or --count
reached, 1 no bus, 2 usage, 78 configuration.
"""
FIRST_SEC = 10.0  # without a word: there is no bus
SILENT_SEC = 5.0  # a bus says its state each second
POLL_MS = 200
HEAD = ("v", "seq", "start", "time", "market")
EVENT = ("record", "event_time", "severity", "message")


class Ear:
    """Who listens: to `endpoints`, for the wanted markets and names; all of them when empty."""

    def __init__(self, endpoints: list[str], markets: set[int], names: set[str]) -> None:
        import zmq

        self.endpoints, self.markets, self.names = endpoints, markets, names
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.subscriber: zmq.Socket[bytes] = self.context.socket(zmq.SUB)
        self.subscriber.linger = 0
        self.last: dict[str, tuple[int, int]] = {}  # by topic: start and number

    def unlock(self, secret: str, server: str) -> None:
        """Prove our key to a server that proves its own."""
        import zmq

        self.subscriber.ipv6 = True
        self.subscriber.curve_secretkey = secret.encode()
        self.subscriber.curve_publickey = zmq.curve_public(secret.encode())
        self.subscriber.curve_serverkey = server.encode()

    def messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each wanted message with its topic; say on stderr what was missed."""
        import zmq

        from bog.messages import PREFIX

        # a state a second shows that somebody speaks, wanted or not
        names = {*self.names, "state"} if self.names else {""}
        for market in self.markets:
            for name in names:
                self.subscriber.subscribe(f"{PREFIX}.{market}.{name}")
        if not self.markets:
            self.subscriber.subscribe(f"{PREFIX}.")
        for endpoint in self.endpoints:
            self.subscriber.connect(endpoint)
        heard_sec = time.monotonic()
        silent = False
        while True:
            if not self.subscriber.poll(POLL_MS, zmq.POLLIN):
                quiet = time.monotonic() - heard_sec
                if not self.last and quiet > FIRST_SEC:
                    raise BogError(
                        f"nothing is said on {', '.join(self.endpoints)} for {FIRST_SEC:.0f} s:"
                        " no bot is there, or it does not know our key"
                    )
                if quiet > SILENT_SEC and self.last and not silent:
                    silent = True
                    _remark("nothing is said any more: waiting for the bot")
                continue
            frames = self.subscriber.recv_multipart()
            heard_sec, silent = time.monotonic(), False
            topic, message = frames[0].decode(), json.loads(frames[1])
            if not self._wants(topic):
                self.last.setdefault(topic, (0, 0))
                continue
            self._count(topic, message["start"], message["seq"])
            yield topic, message

    def _wants(self, topic: str) -> bool:
        _, market, name = topic.split(".")
        return (not self.markets or int(market) in self.markets) and (
            not self.names or name in self.names
        )

    def _count(self, topic: str, start: int, seq: int) -> None:
        before, last = self.last.get(topic, (start, seq - 1))
        # a bot that was started again counts from 1
        missed = seq - 1 - (last if before == start else 0)
        if missed > 0:
            _remark(f"missed {missed} of {topic}")
        self.last[topic] = start, seq

    def close(self) -> None:
        self.subscriber.close()
        self.context.term()


def _remark(text: str) -> None:
    click.echo(f"bog-tail: {text}", err=True)


def line(topic: str, message: dict[str, Any]) -> str:
    """Return a message for people: time, topic, what it says, then its fields."""
    skipped = (*HEAD, *EVENT) if "record" in message else HEAD
    words = [message["message"]] if "record" in message else []
    words += [f"{name}={_value(value)}" for name, value in message.items() if name not in skipped]
    return one_line(f"{message['time'][11:23]} {topic:<16} {' '.join(words)}").rstrip()


def _value(value: Any) -> str:
    if isinstance(value, dict):  # one side of the quotes
        return value["why_not"] or f"{value['size']}@{value['price']}"
    if isinstance(value, list):
        return ",".join(f"{o['side']}:{o['size']}@{o['price']}:{o['state']}" for o in value) or "-"
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None or value == "" else str(value)


def endpoints_of(journal: str) -> list[str]:
    """Return the buses of the bots on a journal that live; raise BogError when there is none."""
    folder = control.Client(journal).folder  # open until the end
    found = []
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - of the folder that was checked
        if fnmatch(name, "bus-m*.sock"):
            # through the open folder, so that the path may be of any length
            place = f"/proc/self/fd/{folder}/{name}"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(place) == 0:
                    found.append(f"ipc://{place}")
    if not found:
        raise BogError(f"no bot with a bus runs on the journal in {journal}")
    return found


def new_key(file: str) -> str:
    """Write a new secret key into a new private file; return its public key."""
    import zmq

    public, secret = zmq.curve_keypair()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BogError(f"--new-key {file}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as out:
        out.write(secret + b"\n")
    return public.decode()


@click.command("bog-tail", epilog=EPILOG)
@click.option("--market", "markets", multiple=True, type=click.IntRange(0, 999_999), metavar="ID",
              help="Only this market; may be repeated.")  # fmt: skip
@click.option("--topic", "topics", metavar="NAMES",
              help="Only these, such as fill,state (docs/formats.md has all).")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each, with its topic.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N messages.")
@click.option("--endpoint", metavar="URL", help="ipc://PATH, or tcp://ADDRESS:PORT with keys.")
@click.option("--key", metavar="FILE", help="Our secret key, for TCP.")
@click.option("--server-key", metavar="KEY", help="The bus's public key, for TCP.")
@click.option("--new-key", "new_key_file", metavar="FILE",
              help="Write a secret key there, 0600; print its public key; end.")  # fmt: skip
@click.option("--journal", metavar="DIR", help="The bot's journal directory, as bog-live has it.")
@click.option("--config", metavar="FILE", help="Where journal.directory is read, as in bog-live.")
def command(
    markets: tuple[int, ...], topics: str | None, count: int | None, endpoint: str | None,
    key: str | None, server_key: str | None, new_key_file: str | None, journal: str | None,
    config: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Print what a running bot says: book, quotes, orders, profit, state, and each record."""
    if new_key_file is not None:
        click.echo(new_key(new_key_file))
        return
    from bog.messages import MESSAGES

    names = set(filter(None, (topics or "").split(",")))
    if names - set(MESSAGES):
        raise UsageError(f"--topic {topics}: want some of {', '.join(MESSAGES)}")
    network = endpoint is not None and endpoint.startswith("tcp://")
    if endpoint is not None and not network and not endpoint.startswith("ipc://"):
        raise UsageError(f"--endpoint {endpoint}: want ipc://PATH or tcp://ADDRESS:PORT")
    if network != (key is not None) or network != (server_key is not None):
        raise UsageError("--endpoint tcp://, --key and --server-key go together")
    if server_key is not None and not credentials.CURVE_KEY.fullmatch(server_key):
        raise UsageError("--server-key: want a public key of 40 characters")
    secret = credentials.curve_key("--key", str(Path(key).absolute())) if key is not None else ""
    if endpoint is None and journal is None:
        # only now: reading the configuration takes longer than all the rest
        from bog.config import load

        journal = load(config).journal.directory
    ear = Ear([endpoint] if endpoint else endpoints_of(journal or ""), set(markets), names)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # not when it is ignored: nohup, &
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if server_key is not None:
            ear.unlock(secret, server_key)
        for number, (topic, message) in enumerate(ear.messages(), 1):
            whole = {"topic": topic, **message}
            click.echo(json.dumps(whole) if as_json else line(topic, message))
            if number == count:
                break
    except KeyboardInterrupt:
        pass  # that is how it ends
    except BrokenPipeError:  # so is this: who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        ear.close()


def main() -> None:
    errors.run(command)


if __name__ == "__main__":
    main()
