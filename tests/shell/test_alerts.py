"""bog.alerts: what it writes, what it forwards, and what it refuses."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bog import alerts
from bog.errors import ConfigError

SAID = {
    "version": "4", "status": "firing",
    "alerts": [
        {"status": "firing", "startsAt": "2026-01-01T00:00:00Z",
         "labels": {"alertname": "SpreadWide", "severity": "warning", "market": "1"},
         "annotations": {"summary": "wide\nand more", "runbook_url": "monitoring/runbook.md#spreadwide"}},
        {"status": "resolved", "labels": {"alertname": "GuardianLost"}, "annotations": {}},
    ],
}  # fmt: skip


class Hook(ThreadingHTTPServer):
    """Somebody's webhook, which answers `status`."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{outer.server_port}/other")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def serve() -> Iterator[Callable[[ThreadingHTTPServer], str]]:
    """Serve until the test ends; return the address."""
    running: list[ThreadingHTTPServer] = []

    def go(server: ThreadingHTTPServer) -> str:
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield go
    for server in running:
        server.shutdown()
        server.server_close()


def post(url: str, body: bytes) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_each_alert_is_a_line_also_after_the_file_was_turned_over(
    serve: Callable[[ThreadingHTTPServer], str], tmp_path: Path
) -> None:
    file = tmp_path / "var" / "alerts.log"
    url = serve(alerts.Server(0, str(file), ""))
    body = json.dumps(SAID).encode()
    assert post(url + "/file", body) == (200, "")
    first, second = map(json.loads, file.read_text().splitlines())
    assert first == {
        "time": first["time"], "source": "alertmanager", "status": "firing", "alert": "SpreadWide",
        "severity": "warning",
        "market": "1", "summary": "wide\nand more", "runbook": "monitoring/runbook.md#spreadwide",
        "since": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert (second["status"], second["alert"]) == ("resolved", "GuardianLost")
    file.rename(file.with_suffix(".1"))
    assert post(url + "/file", body)[0] == 200 and len(file.read_text().splitlines()) == 2
    # no webhook is wanted: nothing to do is done
    assert post(url + "/webhook", body) == (200, "")


def test_the_webhook_gets_all_of_it_and_words_for_a_chat(
    serve: Callable[[ThreadingHTTPServer], str], tmp_path: Path
) -> None:
    hook = Hook()
    secret = serve(hook) + "/secret-path"
    url = serve(alerts.Server(0, str(tmp_path / "a"), secret)) + "/webhook"
    assert post(url, json.dumps(SAID).encode()) == (200, "")
    assert hook.got[0]["alerts"] == SAID["alerts"]
    assert hook.got[0]["text"].startswith("firing warning SpreadWide: wide")
    # what fails is Alertmanager's to try again, and the address is in no answer
    for status in (302, 500):
        hook.status = status
        answer = post(url, json.dumps(SAID).encode())
        assert answer == (502, f"the webhook: answered {status}")
    assert len(hook.got) == 3, "a redirection is not followed"
    gone = serve(alerts.Server(0, str(tmp_path / "a"), "http://127.0.0.1:1/secret-path"))
    status, why = post(gone + "/webhook", json.dumps(SAID).encode())
    assert status == 502 and "refused" in why and "secret" not in why


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"alerts": 1}', b'{"alerts": [1]}', b"\xff\xfe"]
)
def test_what_is_no_notification_is_refused(
    serve: Callable[[ThreadingHTTPServer], str], tmp_path: Path, body: bytes
) -> None:
    url = serve(alerts.Server(0, str(tmp_path / "a"), ""))
    assert post(url + "/file", body)[0] == 400
    assert not (tmp_path / "a").exists()


def test_a_file_that_cannot_be_written_is_tried_again(
    serve: Callable[[ThreadingHTTPServer], str], tmp_path: Path
) -> None:
    url = serve(alerts.Server(0, str(tmp_path), ""))  # a folder
    assert post(url + "/file", json.dumps(SAID).encode()) == (502, "file: Is a directory")
    assert post(url + "/other", json.dumps(SAID).encode())[0] == 404
    big = urllib.request.Request(url + "/file", data=b"x", headers={"Content-Length": str(2**30)})
    with pytest.raises(urllib.error.HTTPError, match="413") as refused:
        urllib.request.urlopen(big, timeout=20)
    refused.value.close()


def test_a_port_in_use_is_said(serve: Callable[[ThreadingHTTPServer], str], tmp_path: Path) -> None:
    first = alerts.Server(0, str(tmp_path / "a"), "")
    serve(first)
    with pytest.raises(ConfigError, match=f"--port {first.server_port}: Address already in use"):
        alerts.Server(first.server_port, str(tmp_path / "a"), "")
