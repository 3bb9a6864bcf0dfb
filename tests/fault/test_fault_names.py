"""FAULT-25 and 26: a venue whose name is not known, or who cannot prove to be the venue.

The impostor takes what comes after the handshake, and what comes without one: nothing may.
"""

import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rig.fault import Repeats
from tests.rig.gateway import Exchange
from tests.rig.live import one_error, wait_for
from tests.rig.rehearsal import arm, configuration, live
from tests.rig.spoiled import CALM_S, Stage, pause_s

SANS = {
    "expired": "IP:127.0.0.1", "of another host": "DNS:elsewhere.test", "self-signed": "IP:127.0.0.1",
    "right": "IP:127.0.0.1",
}  # fmt: skip
WRONG = ("expired", "of another host", "self-signed")
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
    """A server on loopback that writes down what it is told, with a certificate or with none."""

    def __init__(self, answer: bytes = b"", certificate: Path | None = None) -> None:
        self.answer, self.context = answer, None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, certificate.with_suffix(".key"))
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
