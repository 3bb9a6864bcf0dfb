"""bog-doctor: is this host fit, and is there all that the configuration needs? Changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from bog import errors
from bog.cli.live import flags_of
from bog.errors import BogError, ConfigError, one_line

EPILOG = """\b
Examples:
  bog-doctor                                   this host, and the defaults
  bog-doctor --market 1 --cpu 1                and the core that bog-live --cpu 1 would get
  bog-doctor --market 1 --config live.toml --mode live --json

With --mode live more is a fail: no isolation, no locked memory, a clock that nobody corrects, a feed
that is not there. A line says ok, warn or fail, what was found, and behind the arrow what to do. Run it
as the user, and with the limits, that the bot will have. Exit codes: 0 no fail, 1 a fail, 2 usage,
78 the configuration is refused.
"""
COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("bog-doctor", epilog=EPILOG)
@click.option("--market", type=click.IntRange(0, 999_999), multiple=True, metavar="ID",
              help="Look for this market's feed and scale, too. Repeat it for several.")  # fmt: skip
@click.option("--config", metavar="FILE", help="As bog-live has it: a path, or a name that ships.")
@click.option(
    "--cpu", type=click.IntRange(0), metavar="N", help="The core that bog-live would pin."
)
@click.option("--mode", type=click.Choice(["paper", "live"]),
              help="What counts as a fail depends on it. Default: execution.mode.")  # fmt: skip
@click.option("--feed", metavar="SOURCE", help="As bog-live has it.")
@click.option("--journal", metavar="DIR", help="As bog-live has it.")
@click.option("--feed-dir", metavar="DIR", help="As bog-live has it.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def command(as_json: bool, **values: Any) -> None:
    """Look at this host and configuration: a line a check, with what to do about it."""
    from bog import doctor
    from bog.fitness import FAIL, OK, WARN

    checks = doctor.examine(
        Path("/"), values["cpu"], list(values["market"]), values["config"], flags_of(values)
    )
    refused = any(c.name == doctor.CONFIGURATION and c.state == FAIL for c in checks)
    found = Counter(check.state for check in checks)
    code = ConfigError.exit_code if refused else BogError.exit_code if found[FAIL] else 0
    counts = {state: found[state] for state in (OK, WARN, FAIL)}
    if as_json:
        said = {"exit_code": code, **counts, "checks": [check._asdict() for check in checks]}
        click.echo(json.dumps(said))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            state = click.style(f"{check.state:<4}", fg=COLORS[check.state])
            fix = f"  -> {check.fix}" if check.fix else ""
            click.echo(f"{state}  {check.name:<{width}}  {one_line(check.found + fix)}")
        click.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    click.get_current_context().exit(code)


def main() -> None:
    errors.run(command)


if __name__ == "__main__":
    main()
