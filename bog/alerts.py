"""The end of Alertmanager on this host: a line an alert in a file, and the operator's webhook.

`python -m bog.alerts` listens on a loopback port. What is posted to /file is written to
monitoring.alert_file, what is posted to /webhook goes on to monitoring.alert_webhook_url, so that the
address, which is a secret, stands in the bot's configuration alone. A delivery that fails is answered
502, and Alertmanager tries again. Trading needs none of it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from bog import errors
from bog.errors import ConfigError
from bog.post import Refused, post

PORT = 9096  # as monitoring/alertmanager.yml has it
BODY_BYTES = 1 << 20
CLIENT_SEC = 10.0


def lines_of(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is written of each alert of a notification; ValueError when it is none."""
    alerts = said.get("alerts") if isinstance(said, dict) else None
    if not isinstance(alerts, list) or not all(isinstance(alert, dict) for alert in alerts):
        raise ValueError("want a notification of Alertmanager")
    found = []
    for alert in alerts:
        labels, notes = dict(alert.get("labels", {})), dict(alert.get("annotations", {}))
        found.append(
            {
                "status": alert.get("status", ""),
                "alert": labels.pop("alertname", ""),
                "severity": labels.pop("severity", ""),
                **labels,
                "summary": notes.get("summary", ""),
                "runbook": notes.get("runbook_url", ""),
                "since": alert.get("startsAt", ""),
            }
        )
    return found


def stamp_of(unix_sec: float) -> str:
    """Return a time as the lines have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix_sec))


def write(path: str, said: dict[str, Any]) -> None:
    """Append a line of JSON for each alert of a notification."""
    now = {"time": stamp_of(time.time()), "source": "alertmanager"}
    append(path, [now | line for line in lines_of(said)])


def append(path: str, lines: list[dict[str, Any]]) -> None:
    """Append lines of JSON, as one write: bog-live and Alertmanager's end may both be at it."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    # opened anew each time: whoever turns it over needs to tell nobody
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def forward(url: str, said: dict[str, Any]) -> None:
    """Post a notification, with its summaries as `text`, which is what a chat shows."""
    words = [
        f"{line['status']} {line['severity']} {line['alert']}: {line['summary']}"
        for line in lines_of(said)
    ]
    post(url, said | {"text": "\n".join(words)})


class Handler(BaseHTTPRequestHandler):
    """One delivery of Alertmanager."""

    server: Server
    timeout = CLIENT_SEC

    def do_POST(self) -> None:
        """Write or forward it; say why not."""
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > BODY_BYTES:
            return self._answer(413, f"want a Content-Length of at most {BODY_BYTES} bytes")
        body = self.rfile.read(int(size))
        try:
            said = json.loads(body)
            if self.path == "/file":
                write(self.server.file, said)
            elif self.path == "/webhook":
                if self.server.webhook:
                    forward(self.server.webhook, said)
            else:
                return self._answer(404, "want /file or /webhook")
        except ValueError as error:
            return self._answer(400, str(error))
        except Refused as error:  # the address, a secret, is in no message
            return self._answer(502, f"the webhook: {error}")
        except OSError as error:
            return self._answer(502, f"{self.path[1:]}: {error.strerror or type(error).__name__}")
        return self._answer(200, "")

    def _answer(self, status: int, why: str) -> None:
        if why:
            print(f"bog.alerts: {why}", file=sys.stderr, flush=True)
        self.send_response(status)
        self.send_header("Content-Length", str(len(why)))
        self.end_headers()
        self.wfile.write(why.encode("latin-1", "replace"))

    def log_message(self, *_: Any) -> None:
        """Say nothing of what went well."""


class Server(ThreadingHTTPServer):
    """The port. `file` and `webhook` are where things go."""

    daemon_threads = True

    def __init__(self, port: int, file: str, webhook: str) -> None:
        self.file, self.webhook = file, webhook
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            raise ConfigError(f"--port {port}: {error.strerror}") from None


@click.command("bog.alerts")
@click.option("--config", metavar="FILE", help="Where [monitoring] is read, as in bog-live.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    show_default=True,
    help="Where to listen.",
)
def command(config: str | None, port: int) -> None:
    """Write what Alertmanager says to monitoring.alert_file, and post it to the webhook."""
    from bog.config import load

    own = load(config).monitoring
    with Server(port, own.alert_file, own.alert_webhook_url.get_secret_value()) as server:
        webhook = "and the webhook" if server.webhook else "there is no webhook"
        print(f"bog.alerts: port {port}, {own.alert_file}; {webhook}", file=sys.stderr, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    errors.run(command)
