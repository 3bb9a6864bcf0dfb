"""FAULT-25 and 26: a venue whose name is not known, or who cannot prove to be the venue.

The impostor takes what comes after the handshake, and what comes without one: nothing may. That a
refusal means something, the same authority, certificate and name show in front of the true venue.
"""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bog._core.link import Link
from bog._core.types import JournalKind as K
from tests.rig.canary import Canary
from tests.rig.fault import Repeats
from tests.rig.gateway import Exchange
from tests.rig.live import of_kind, one_error, records, wait_for
from tests.rig.rehearsal import arm, configuration, live
from tests.rig.resolver import NAME, NXDOMAIN, SERVFAIL, Resolver
from tests.rig.spoiled import CALM_S, Stage, pause_s

SANS = {
    "expired": "IP:127.0.0.1", "of another host": "DNS:elsewhere.test", "self-signed": "IP:127.0.0.1",
    "right": f"IP:127.0.0.1,DNS:{NAME}",
}  # fmt: skip
WRONG = ("expired", "of another host", "self-signed")
# what a server would speak at most, and its ciphers: all are refused by who asks for no less than
# TLS 1.2 with a key that is not kept and an authenticated cipher
WEAK: dict[str, tuple[ssl.TLSVersion, str]] = {
    "TLS 1.0": (ssl.TLSVersion.TLSv1, "ALL"),
    "TLS 1.1": (ssl.TLSVersion.TLSv1_1, "ALL"),
    "SHA-1": (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
    "no authentication": (ssl.TLSVersion.TLSv1_2, "AECDH-AES128-SHA"),
}
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")


def openssl(where: Path, *words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], cwd=where, check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Return a folder with an authority, ca.pem, and a certificate of it for each kind of venue."""
    if not shutil.which("openssl"):
        message = "openssl is not installed (tools/packages.sh)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    folder = tmp_path / "certificates"
    folder.mkdir()
    new = (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=venue",
    )
    openssl(folder, "req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", 2)
    for kind, san in SANS.items():
        (folder / "ext").write_text(f"subjectAltName={san}\n")
        signer = ("-signkey", f"{kind}.key") if kind == "self-signed" else (
            "-CA", "ca.pem", "-CAkey", "ca.key")  # fmt: skip
        openssl(folder, "req", *new, "-keyout", f"{kind}.key", "-out", "csr")
        openssl(folder, "x509", "-req", "-in", "csr", *signer, "-extfile", "ext", "-out",
                f"{kind}.pem", "-days", -1 if kind == "expired" else 2)  # fmt: skip
    return folder


class Impostor:
    """A server on loopback that writes down what it is told, with a certificate or with none.

    `weak` names what of WEAK it speaks, and nothing better.
    """

    def __init__(
        self, answer: bytes = b"", certificate: Path | None = None, weak: str = ""
    ) -> None:
        self.answer, self.context = answer, None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        if self.context is not None and weak:
            weaken(self.context, *WEAK[weak])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.calls, self.heard = 0, b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.calls += 1
            try:
                client.settimeout(5)
                if self.context is not None:
                    client = self.context.wrap_socket(client, server_side=True)
                self.heard += client.recv(65536)
                if self.answer:
                    client.sendall(self.answer)
            except OSError:
                pass
            finally:
                client.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def weaken(context: ssl.SSLContext, version: ssl.TLSVersion, ciphers: str) -> None:
    """Let a side of TLS speak this version and these ciphers only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what the test is about
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")


def speaks(port: int, weak: str) -> bool:
    """Whether a client that is as weak, and trusts anybody, is served."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    weaken(context, *WEAK[weak])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as wire,
    ):
        wire.sendall(b"hello")
        return wire.version() is not None


@pytest.fixture
def impostors() -> Iterator[Callable[..., Impostor]]:
    made: list[Impostor] = []

    def new(*arguments: object) -> Impostor:
        made.append(Impostor(*arguments))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for one in made:
        one.close()


def room(where: Path) -> Path:
    (where / "shm").mkdir(mode=0o700)
    return where


def test_fault_26_a_venue_without_a_right_certificate_is_told_nothing(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path], certificates: Path,
    impostors: Callable[..., Impostor],
) -> None:  # fmt: skip
    for n, _ in repeats(26, sample=3):
        kind = WRONG[n % 3]
        false = impostors(b"", certificates / f"{kind}.pem")
        where = room(place())
        keys = configuration(where, exchange, live__rest_url=f"https://127.0.0.1:{false.port}")
        done = arm(where, keys | {"SSL_CERT_FILE": str(certificates / "ca.pem")})
        assert done.returncode != 0 and "ertificate" in one_error(done.stderr), done.stderr
        assert false.calls and false.heard == b""


def test_fault_26_a_stream_without_a_right_certificate_is_told_nothing(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path], certificates: Path,
    impostors: Callable[..., Impostor],
) -> None:  # fmt: skip
    for n, _ in repeats(26, sample=3):
        kind = WRONG[n % 3]
        false = impostors(b"", certificates / f"{kind}.pem")
        where = room(place())
        keys = configuration(where, exchange, live__ws_url=f"wss://127.0.0.1:{false.port}/stream")
        bot = live(where, keys | {"SSL_CERT_FILE": str(certificates / "ca.pem")})
        try:
            wait_for(lambda bot=bot: "CERTIFICATE_VERIFY_FAILED" in str(bot.ready().log), CALM_S)
            assert not bot.page()["orders"] and not exchange.god()["orders"]
            bot.stop()
        finally:
            bot.kill()
        assert false.calls and false.heard == b""


def test_fault_26_a_venue_that_speaks_only_what_is_broken_is_told_nothing(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path], certificates: Path,
    impostors: Callable[..., Impostor],
) -> None:  # fmt: skip
    right, trust = certificates / "right.pem", {"SSL_CERT_FILE": str(certificates / "ca.pem")}
    for n, _ in repeats(26, sample=1, full=10 * len(WEAK)):
        weak = list(WEAK)[n % len(WEAK)]
        false = impostors(b"", right, weak)
        assert speaks(false.port, weak)
        wait_for(lambda false=false: false.heard == b"hello", 10)
        where = room(place())
        keys = configuration(where, exchange, live__rest_url=f"https://127.0.0.1:{false.port}")
        done = arm(where, keys | trust)
        assert done.returncode != 0 and "SSL" in one_error(done.stderr), done.stderr
        assert false.calls > 1 and false.heard == b"hello"


def test_fault_26_a_stream_that_speaks_only_what_is_broken_is_told_nothing(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path], certificates: Path,
    impostors: Callable[..., Impostor],
) -> None:  # fmt: skip
    right, trust = certificates / "right.pem", {"SSL_CERT_FILE": str(certificates / "ca.pem")}
    for n, _ in repeats(26, sample=1, full=10 * len(WEAK)):
        false = impostors(b"", right, list(WEAK)[n % len(WEAK)])
        where = room(place())
        keys = configuration(where, exchange, live__ws_url=f"wss://127.0.0.1:{false.port}/stream")
        bot = live(where, keys | trust)
        try:
            bot.ready()
            wait_for(lambda false=false: false.calls >= 2, CALM_S)
            assert not bot.page()["orders"] and not exchange.god()["orders"]
            bot.stop()
        finally:
            bot.kill()
        assert false.heard == b""


def by_name(where: Path, certificates: Path, names: Resolver) -> Stage:
    """Return a stage whose venue has a name and a certificate of it, which the bot trusts."""
    pem = certificates / "right.pem"
    on = Stage(where, ["--certificate", pem, "--certificate-key", pem.with_suffix(".key")])
    port = urlsplit(on.exchange.hello["url"]).port
    rest, stream = f"https://{NAME}:{port}", f"wss://{NAME}:{port}/stream"
    on.keys |= {
        "live__rest_url": rest, "live__ws_url": stream, "feed__lighter__rest_url": rest,
        "feed__lighter__url": stream,
    }  # fmt: skip
    on.environ = {"SSL_CERT_FILE": str(certificates / "ca.pem")}
    on.before = names.before
    return on


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Resolver]:
    """Return a name server, of bots that are started with its words in front."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a process another /etc/resolv.conf")
    made = Resolver(tmp_path / "names")
    yield made
    made.close()


def test_fault_26_a_venue_with_a_right_name_and_certificate_is_traded_on(
    repeats: Repeats, place: Callable[[], Path], certificates: Path, names: Resolver
) -> None:
    """What is refused above is refused for its one fault: all else is the same here."""
    for _ in repeats(26, sample=1, full=10):
        on = by_name(place(), certificates, names)
        try:
            on.begin().busy(3)
            on.bounded()
            on.settled()
        finally:
            on.close()
    assert names.asked


def test_fault_26_no_redirect_is_followed_and_no_proxy_is_asked(
    repeats: Repeats, place: Callable[[], Path], certificates: Path,
    impostors: Callable[..., Impostor],
) -> None:  # fmt: skip
    elsewhere = impostors()
    to = f"http://127.0.0.1:{elsewhere.port}/api/v1/account"
    paths = ("account", "accountActiveOrders", "trades", "nextNonce")
    on = Stage(place())
    names = (*PROXIES, *(name.upper() for name in PROXIES))
    on.environ = dict.fromkeys(names, f"http://127.0.0.1:{elsewhere.port}")
    try:
        on.begin()
        for n, rng in repeats(26, sample=4):
            on.spoil("http", "redirect", path=paths[n % 4], account=None, count=2, to=to,
                     status=rng.choice((301, 302, 303, 307, 308)))  # fmt: skip
            # the next nonce is asked for after a refusal, or when the socket took an answer along
            on.ask(do="refuse", code=21104, where="api", type="modify", count=1)
            on.ask(do="shutdown", close_in_ms=0)
            wait_for(lambda: on.ask(do="faults")["script"][0]["happened"], CALM_S)
            pause_s(0.5)
            on.ask(do="clear")
            on.quoting()
            on.busy(1)
        on.settled()
    finally:
        on.close()
    assert elsewhere.calls == 0


def test_fault_26_a_stream_that_leads_elsewhere_is_not_followed(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path],
    impostors: Callable[..., Impostor],
) -> None:  # fmt: skip
    for _, rng in repeats(26, sample=1):
        elsewhere = impostors()
        head = f"HTTP/1.1 {rng.choice((301, 302, 307))} Elsewhere\r\nContent-Length: 0\r\n"
        guide = impostors(
            f"{head}Location: ws://127.0.0.1:{elsewhere.port}/stream\r\n\r\n".encode()
        )
        where = room(place())
        bot = live(where, configuration(
            where, exchange, live__ws_url=f"ws://127.0.0.1:{guide.port}/stream"
        ))  # fmt: skip
        try:
            bot.ready()
            wait_for(lambda guide=guide: guide.calls >= 2, CALM_S)
            assert not bot.page()["orders"] and not exchange.god()["orders"]
            bot.stop()
        finally:
            bot.kill()
        assert elsewhere.calls == 0


def test_fault_25_a_name_that_nobody_knows_is_said_in_one_line(
    repeats: Repeats, exchange: Exchange, place: Callable[[], Path]
) -> None:
    for n, _ in repeats(25, sample=1):
        where = room(place())
        name = f"venue-{n}.invalid"  # RFC 6761: no name server knows it
        keys = configuration(where, exchange, live__rest_url=f"https://{name}",
                             live__ws_url=f"wss://{name}/stream")  # fmt: skip
        done = arm(where, keys)
        assert done.returncode != 0
        assert "ame" in one_error(done.stderr) and "known" in done.stderr, done.stderr
        assert not exchange.god()["orders"]


class Beats:
    """The longest that the gateway's loop was away from its links, while this is open.

    The loop writes its beat each 10 ms; what the machine withheld meanwhile is left out.
    """

    def __init__(self, on: Stage, canary: Canary) -> None:
        self.link = Link.open(str(on.bot.shm / f"bog_x{on.bot.raw}.{on.bot.pid}"))
        self.canary, self.open, self.worst_ns = canary, True, 0
        self.gaps: list[tuple[int, int]] = []
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        last = self.link.gateway_beat_ns
        while self.open:
            beat = self.link.gateway_beat_ns
            if beat - last > 50_000_000:
                self.gaps.append((last, beat))
            last = beat
            time.sleep(0.002)

    def __enter__(self) -> "Beats":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False
        self.thread.join()
        now, last = time.monotonic_ns(), self.link.gateway_beat_ns
        for begin, end in [*self.gaps, (last, now)]:
            away = end - begin - self.canary.stalled_ns(begin, end)
            self.worst_ns = max(self.worst_ns, away)


def remembered(on: Stage, seconds: float) -> None:
    """See for so long that the bot counts what rests at the venue as alive."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rest = {order["client"] for order in on.god()["orders"]}
        assert rest <= {order["id"] for order in on.bot.page()["orders"]}, "forgotten"
        pause_s(0.2)


LOOP_NS = 500_000_000  # most that the loop may be away; a look-up that blocked it takes seconds


def test_fault_25_a_name_server_that_is_late_or_wrong_blocks_nothing_and_proves_nothing(
    repeats: Repeats, place: Callable[[], Path], certificates: Path, names: Resolver, canary: Canary
) -> None:
    on, worst, slowest = by_name(place(), certificates, names), 0, 0.0
    try:
        on.begin()
        for n, rng in repeats(25, sample=1, full=40):
            on.busy(2)
            wait_for(lambda: on.god()["orders"])
            # a late answer comes after everybody's patience: 10 s for a question and a connection
            late, begun = (30.0 if n else 12.0), on.bot.page()["journal_seq"]
            with Beats(on, canary) as beats:
                names.late_s, asked = late, names.asked
                on.spoil("http", "close", account=None, count=-1)  # a question opens a new one
                on.ask(do="disconnect", how="reset")
                wait_for(lambda asked=asked: names.asked >= asked + 2, CALM_S)
                remembered(on, late + 2)
                names.says = rng.choice((NXDOMAIN, SERVFAIL, -1))
                remembered(on, 3)
                rows = records(on.bot.folder)
                ended = of_kind(rows[rows["seq"] > begun], K.J_REJECT, K.J_EXPIRED)
                assert not len(ended), "an error of a question is no answer"
                names.late_s, names.says = 0.0, 0
                on.ask(do="clear")
                healed = time.monotonic()
                on.quoting()
                slowest = max(slowest, time.monotonic() - healed)
            worst = max(worst, beats.worst_ns)
            on.bounded()
            assert on.halted() == "", on.halted()
        on.settled()
    finally:
        on.close()
    assert worst < LOOP_NS, f"the gateway's loop was away for {worst / 1e6:.0f} ms"
    repeats.note(
        f"loop away for {worst / 1e6:.0f} ms at most; quoting {slowest:.1f} s after the name server"
        f" was well; {names.asked} names asked; {canary.total()}"
    )
