"""A real Prometheus and Alertmanager on loopback, and receivers shaped like Slack's and PagerDuty's.

They run the project's own files of monitoring/: only ports, addresses of the receivers, places of secrets
and waiting times are replaced, each of them found before it is.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.rig.live import PATIENCE_S, ROOT, environment, wait_for
from tests.rig.metrics import free_port

MONITORING = ROOT / "monitoring"
PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
SLACK, KEY = "/services/T000/B000/made-up", "made-up-routing-key"


def program(name: str) -> str:
    """Return the path of a Debian program; skips when it is not installed, never in CI."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed: apt-get install prometheus prometheus-alertmanager"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def slack_fault(path: str, said: Any) -> str:
    """Return what Slack would refuse of a message, "" when it would be shown."""
    if path != SLACK:
        return f"no_service {path}"
    if not isinstance(said, dict):
        return "invalid_payload"
    attachments = said.get("attachments", [])
    texts = [a.get("text") or a.get("fallback") for a in attachments]
    if not said.get("text") and not (attachments and all(texts)):
        return "no_text"
    if len(attachments) > 100 or any(not isinstance(text, str) for text in texts):
        return "invalid_attachments"
    return ""


def pagerduty_fault(path: str, said: Any) -> str:
    """Return what the Events API, version 2, would refuse, "" when it would be processed."""
    if path != "/v2/enqueue" or not isinstance(said, dict):
        return f"not found {path}"
    if said.get("routing_key") != KEY:
        return "invalid routing key"
    if said.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        return "invalid event action"
    if not said.get("dedup_key") or len(said["dedup_key"]) > 255:
        return "dedup_key"
    if said["event_action"] == "trigger":
        payload = said.get("payload", {})
        if not payload.get("summary") or len(payload["summary"]) > 1024:
            return "payload.summary"
        if not payload.get("source"):
            return "payload.source"
        if payload.get("severity") not in ("critical", "error", "warning", "info"):
            return "payload.severity"
    return ""


class Receivers:
    """One server that is Slack, PagerDuty and an operator's webhook, and refuses as they do."""

    def __init__(self) -> None:
        self.slack: list[Any] = []
        self.pagerduty: list[Any] = []
        self.webhook: list[Any] = []
        self.refused: list[str] = []
        self.came_ns: list[int] = []  # of what was taken, CLOCK_MONOTONIC
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = json.loads(body)
                if self.path.startswith("/services/"):
                    fault, kept = slack_fault(self.path, said), outer.slack
                    status, answer = 200, "ok"
                elif self.path == "/hook":
                    fault, kept = "" if said["text"] else "no text", outer.webhook
                    status, answer = 200, ""
                else:
                    fault, kept = pagerduty_fault(self.path, said), outer.pagerduty
                    status, answer = 202, '{"status":"success","message":"Event processed"}'
                if fault:
                    outer.refused.append(fault)
                    status, answer = 400, fault
                else:
                    outer.came_ns.append(time.monotonic_ns())
                    kept.append(said)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, f"nothing to replace: {old}"
        text = text.replace(old, new)
    return text


class Stack:
    """Prometheus, Alertmanager, `bog.alerts` and the receivers, each with a port of its own."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.receivers = Receivers()
        self.port, alertmanager, relay = free_port(), free_port(), free_port()
        self.targets: list[int] = []
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        secrets = where / "var" / "secrets"
        secrets.mkdir(parents=True)
        (secrets / "slack_url").write_text(self.receivers.url + SLACK)
        (secrets / "pagerduty_key").write_text(KEY)
        shutil.copy(MONITORING / "rules.yml", where)
        alerts = (MONITORING / "alerts.yml").read_text()
        (where / "alerts.yml").write_text(re.sub(r"for: \d+m", "for: 1s", alerts))
        (where / "prometheus.yml").write_text(
            replaced(
                (MONITORING / "prometheus.yml").read_text(),
                ("_interval: 2s", "_interval: 500ms"), ("_timeout: 2s", "_timeout: 500ms"),
                ('    static_configs:\n      - targets: ["127.0.0.1:9090"]',
                 "    file_sd_configs:\n      - files: [targets.json]"),
                ("127.0.0.1:9093", f"127.0.0.1:{alertmanager}"),
            )
        )  # fmt: skip
        (where / "alertmanager.yml").write_text(
            replaced(
                (MONITORING / "alertmanager.yml").read_text(),
                ("route:\n", f"global:\n  pagerduty_url: {self.receivers.url}/v2/enqueue\nroute:\n"),
                ("group_wait: 10s", "group_wait: 100ms"), ("group_wait: 1s", "group_wait: 100ms"),
                ("group_interval: 1m", "group_interval: 1s"),
                ("127.0.0.1:9096", f"127.0.0.1:{relay}"),
            )
        )  # fmt: skip
        self.scrape()
        try:
            self._start(
                "relay", sys.executable, "-m", "bog.alerts", "--port", relay,
                BOG_MONITORING__ALERT_FILE="var/alerts.log",
                BOG_MONITORING__ALERT_WEBHOOK_URL=self.receivers.url + "/hook",
            )  # fmt: skip
            self._start(
                "alertmanager", program("prometheus-alertmanager"), "--config.file=alertmanager.yml",
                f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=",
                "--storage.path=am-data",
            )  # fmt: skip
            self._start(
                "prometheus", program("prometheus"), "--config.file=prometheus.yml",
                f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.path=data",
            )  # fmt: skip
            wait_for(lambda: self.answers("/-/ready", self.port))
            wait_for(lambda: self.answers("/-/ready", alertmanager))
            wait_for(lambda: "port" in (where / "relay.log").read_text())
        except BaseException:
            self.close()
            raise

    def _start(self, name: str, *line: object, **environ: str) -> None:
        with (self.where / f"{name}.log").open("wb") as out:
            self.children[name] = subprocess.Popen(
                [*map(str, line)], cwd=self.where, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=environment(**environ),
            )  # fmt: skip

    def answers(self, path: str, port: int) -> bool:
        for name, child in self.children.items():
            assert child.poll() is None, (self.where / f"{name}.log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20):
                return True
        except (urllib.error.HTTPError, OSError):
            return False

    def scrape(self, *ports: int) -> None:
        """Scrape the bots on these ports from now on."""
        new = self.where / "targets.new"
        new.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}" for port in ports]}]))
        new.replace(self.where / "targets.json")

    def api(self, path: str, **asked: str) -> Any:
        """Return the data of an answer of Prometheus."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression, as of now."""
        found: list[dict[str, Any]] = self.api("query", query=expression)["result"]
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Return what stands in the file of alerts."""
        file = self.where / "var" / "alerts.log"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def arrived(self, name: str, port: int, severity: str) -> None:
        """Wait until an alert of a bot has reached everybody whom it must reach."""
        bot = f"127.0.0.1:{port}"
        receivers = self.receivers

        def slack() -> bool:
            return any(
                a["title"] == f"FIRING {severity} {name}" and bot in a["text"]
                and f"monitoring/runbook.md#{name.lower()}" in a["text"]
                and a["color"] == ("danger" if severity == "critical" else "warning")
                for said in receivers.slack for a in said["attachments"]
            )  # fmt: skip

        def paged() -> bool:
            return any(
                said["event_action"] == "trigger" and said["payload"]["severity"] == severity
                and said["payload"]["summary"].startswith(f"{name}: {bot}")
                and said["payload"]["custom_details"]["runbook"].endswith(f"#{name.lower()}")
                for said in receivers.pagerduty
            )  # fmt: skip

        def written() -> bool:
            return any(
                (line["status"], line["alert"], line["severity"], line["instance"])
                == ("firing", name, severity, bot) and line["summary"] and line["runbook"]
                for line in self.lines()
            )  # fmt: skip

        def posted() -> bool:
            return any(
                f"firing {severity} {name}: {bot}" in said["text"] and said["version"] == "4"
                for said in receivers.webhook
            )

        wanted = {"slack": slack, "file": written, "webhook": posted}
        if severity == "critical":
            wanted["pagerduty"] = paged
        missing: list[str] = []

        def all_there() -> bool:
            missing[:] = [where for where, there in wanted.items() if not there()]
            return not missing

        try:
            wait_for(all_there)
        except AssertionError:
            firing = [a["labels"] for a in self.api("alerts")["alerts"]]
            raise AssertionError(f"{name} of {bot} is not with {missing}: {firing}") from None
        assert severity == "critical" or not paged(), "a warning wakes nobody up"

    def resolved(self, name: str, port: int) -> None:
        """Wait until it was said that a critical alert is over: in the file, and to who was woken."""
        bot = f"127.0.0.1:{port}"

        def said() -> bool:
            pages = [
                page for page in self.receivers.pagerduty
                if page["payload"]["summary"].startswith(f"{name}: {bot}")
            ]  # fmt: skip
            over = {page["dedup_key"] for page in pages if page["event_action"] == "resolve"}
            return over & {p["dedup_key"] for p in pages if p["event_action"] == "trigger"} and any(
                (line["status"], line["alert"], line["instance"]) == ("resolved", name, bot)
                for line in self.lines()
            )

        wait_for(said)

    def close(self) -> None:
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        until = time.monotonic() + 20
        for child in self.children.values():
            try:
                child.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self.receivers.close()
