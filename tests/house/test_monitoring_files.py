"""The files of monitoring/: one table of metrics, rules that are tested, a dashboard that Grafana reads."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bog import keys
from bog.alarm import ENGINE_DIED
from bog.metrics import METRICS
from tests.rig.monitoring import MONITORING, program
from tools import dashboard

ROOT = MONITORING.parent
ALERTS = {
    "critical": {
        "CircuitBreakerTripped", "DailyLossExceeded", "PositionLimitExceeded", "HuginnDisconnected",
        "TickToTradeSlow", "ReconciliationDifference", "GuardianLost",
    },
    "warning": {"FillRateLow", "RateLimiterRejections", "SpreadWide", "SequenceGaps"},
}  # fmt: skip
# the guide's eleven panels, and the kind of each
GUIDE = {
    "Spread": "timeseries", "Position and PnL": "timeseries", "Order status": "piechart",
    "Tick-to-trade": "timeseries", "Fills and rejections": "gauge", "Imbalance": "timeseries",
    "Active orders": "table", "Recent fills": "table", "Circuit breaker": "stat",
    "Rate limiter": "timeseries", "Huginn": "stat",
}  # fmt: skip
NAMES = {metric.name for metric in METRICS}
SERIES = NAMES | {
    f"{metric.name}_{part}"
    for metric in METRICS
    if metric.kind == "histogram"
    for part in ("bucket", "sum", "count")
}
WRITTEN = re.compile(r"\bbog_(?:trading|performance|risk|orderbook|system)_\w+")
SCHEMA, TYPESCRIPT = "@grafana/schema@13.2.3", "typescript@7.0.2"


def run(*line: object, cwd: Path = ROOT) -> str:
    """Return what a program says; AssertionError unless it says yes."""
    done = subprocess.run(
        [*map(str, line)], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> dict[str, dict[str, str]]:
    """Return the alerts by name: expression, severity, summary, runbook."""
    found = {}
    for block in (MONITORING / "alerts.yml").read_text().split("- alert: ")[1:]:
        name = block.split("\n", 1)[0]
        found[name] = {
            "severity": re.findall(r"severity: (\w+)", block)[0],
            "summary": re.findall(r"summary: (\S.*)", block)[0],
            "runbook": re.findall(r'runbook_url: "(.*)"', block)[0],
        }
    return found


def test_the_alerts_are_exactly_those_that_were_asked_for() -> None:
    found = alerts()
    for severity, names in ALERTS.items():
        assert {name for name, said in found.items() if said["severity"] == severity} == names
    runbook = (MONITORING / "runbook.md").read_text()
    assert set(re.findall(r"^## (\w+)$", runbook, flags=re.M)) == {*found, ENGINE_DIED}
    for name, said in found.items():
        assert said["summary"] and said["runbook"] == f"monitoring/runbook.md#{name.lower()}"
        part = runbook.split(f"## {name}\n")[1].split("\n## ")[0]
        assert f"**{said['severity'].capitalize()}" in part, name
        assert "**First look.**" in part and "**Action.**" in part, name


def test_promtool_and_amtool_accept_the_files() -> None:
    promtool, amtool = program("promtool"), program("amtool")
    assert "SUCCESS: 2 rule files found" in run(
        promtool, "check", "config", MONITORING / "prometheus.yml"
    )
    for name in ("rules.yml", "alerts.yml"):
        assert "SUCCESS" in run(promtool, "check", "rules", MONITORING / name)
    assert "SUCCESS" in run(amtool, "check-config", MONITORING / "alertmanager.yml")
    for severity in ALERTS:
        line = ["config", "routes", "test", f"--config.file={MONITORING / 'alertmanager.yml'}"]
        assert run(amtool, *line, f"severity={severity}").strip() == severity


def test_promtool_tests_each_rule_at_its_boundary() -> None:
    assert "SUCCESS" in run(program("promtool"), "test", "rules", MONITORING / "rules_test.yml")
    text = (MONITORING / "rules_test.yml").read_text()
    cases = re.findall(r"alertname: (\w+)\n(        exp_alerts:)?", text)
    for names in ALERTS.values():
        for name in names:
            assert (name, "") in cases and (name, "        exp_alerts:") in cases, name


def test_a_rule_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    for name in ("rules.yml", "alerts.yml", "rules_test.yml"):
        shutil.copy(MONITORING / name, tmp_path)
    text = (tmp_path / "alerts.yml").read_text()
    assert "bog_risk_position_utilization > 1" in text
    (tmp_path / "alerts.yml").write_text(text.replace("utilization > 1", "utilization >= 1"))
    with pytest.raises(AssertionError, match="PositionLimitExceeded"):
        run(program("promtool"), "test", "rules", tmp_path / "rules_test.yml")


def test_every_metric_that_is_named_anywhere_is_in_the_table() -> None:
    """Rules, their tests, panels, documents and code: one table."""
    places = [
        *MONITORING.rglob("*.yml"), *MONITORING.rglob("*.json"), *MONITORING.rglob("*.md"),
        *(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md",
        *(path for path in (ROOT / "bog").rglob("*.py")), *(ROOT / "tools").glob("*.py"),
        *(ROOT / "benchmarks").glob("*.py"), ROOT / "configs" / "default.toml",
    ]  # fmt: skip
    named = 0
    for path in places:
        for name in WRITTEN.findall(path.read_text()):
            # the guide's families, and names that a line of a document cuts short
            assert name in SERIES or name.endswith("_"), f"{path.relative_to(ROOT)}: {name}"
            named += 1
    assert named > 2 * len(NAMES)


def test_every_rule_that_is_used_is_recorded_and_the_other_way_round() -> None:
    recorded = set(re.findall(r"record: (\S+)", (MONITORING / "rules.yml").read_text()))
    texts = [(MONITORING / "alerts.yml").read_text(), dashboard.FILE.read_text()]
    used = {name for text in texts for name in re.findall(r"\bbog:[\w:]+", text)}
    assert used == recorded


def test_every_threshold_of_the_configuration_is_compared_or_shown() -> None:
    shown = [
        metric.name for metric in METRICS if re.search("_threshold|_warning|_expected", metric.name)
    ]
    assert len(shown) == len(keys.Alerts.model_fields)
    text = "".join((MONITORING / name).read_text() for name in ("alerts.yml", "rules.yml"))
    for name in shown:
        # 100 bps is the guide's line in a panel, and no alert
        where = dashboard.FILE.read_text() if name.endswith("spread_threshold_bps") else text
        assert name in where, name
    # and no number of theirs stands in a rule: only states, and limits that are whole
    numbers = re.findall(r"(?:[<>]=?|==) ([\d.]+)", text)
    assert set(numbers) <= {"0", "1"}, numbers


def test_the_dashboard_is_that_of_its_table() -> None:
    assert dashboard.FILE.read_text() == dashboard.text(), "run: python tools/dashboard.py"
    shown = json.loads(dashboard.FILE.read_text())
    kinds = {panel["title"]: panel["type"] for panel in shown["panels"]}
    assert len(kinds) == len(shown["panels"]) and GUIDE.items() <= kinds.items()
    assert len({panel["id"] for panel in shown["panels"]}) == len(kinds)
    taken: set[tuple[int, int]] = set()
    for panel in shown["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def types_of(shown: dict[str, Any]) -> str:
    """Return TypeScript that compiles when Grafana's own types allow the dashboard."""
    path = "./node_modules/@grafana/schema/dist/types/raw/composable"
    lines = ['import type { Dashboard } from "@grafana/schema";']
    for kind in sorted({panel["type"] for panel in shown["panels"]}):
        lines.append(
            f'import type {{ Options as {kind} }} from "{path}/{kind}/panelcfg/x/types.gen";'
        )
    # an enum of strings takes no literal: its values do
    lines.append("type Literal<T> = T extends string ? `${T}`"
                 " : T extends object ? { [K in keyof T]: Literal<T[K]> } : T;")  # fmt: skip
    lines.append(f"export const all: Literal<Dashboard> = {json.dumps(shown)};")
    for panel in shown["panels"]:
        options = json.dumps(panel["options"])
        lines.append(f"export const p{panel['id']}: Literal<Partial<{panel['type']}>> = {options};")
    return "\n".join(lines)


def test_grafanas_own_types_allow_the_dashboard(tmp_path: Path) -> None:
    def absent(why: str) -> None:
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)

    npm = shutil.which("npm")
    if npm is None:
        absent("npm is not installed: apt-get install npm")
    line = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", SCHEMA, TYPESCRIPT]
    done = subprocess.run(
        line, cwd=tmp_path, capture_output=True, text=True, timeout=500, check=False
    )
    if done.returncode:
        absent(f"{SCHEMA} cannot be had: {done.stderr[-300:]}")
    compiler = [
        tmp_path / "node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module",
        "esnext", "--moduleResolution", "bundler", "--target", "es2022", "dashboard.ts",
    ]  # fmt: skip
    shown = dashboard.dashboard()
    (tmp_path / "dashboard.ts").write_text(types_of(shown))
    run(*compiler, cwd=tmp_path)
    # what is wrong is noticed: of the dashboard, and of one panel's options
    for spoiled, said in ((shown | {"schemaVersion": "39"}, "number"), (shown, "donut")):
        if said == "donut":
            shown["panels"][2]["options"]["pieType"] = "ring"
        (tmp_path / "dashboard.ts").write_text(types_of(spoiled))
        with pytest.raises(AssertionError, match=said):
            run(*compiler, cwd=tmp_path)
