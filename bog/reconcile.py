"""`bog-live --reconcile-only`: what the journals say beside what the venue says, and nothing sent."""

from __future__ import annotations

from typing import Any

import click

from bog import config, gateway
from bog.build import build_id
from bog.errors import UsageError


def show(values: dict[str, Any], flags: config.Tree) -> int:
    """Print the comparison; return 0 when positions are equal and no fill is missing, else 1."""
    settings = config.load(values["config"], flags)
    if settings.execution.mode != "live":
        raise UsageError("--reconcile-only compares with the venue: want --mode live")
    gateway.refuse_missing(settings)
    for market in values["market"]:
        settings.market(market)
    compared = gateway.compare(settings, list(values["market"]), build_id())
    click.echo(gateway.table(compared, settings))
    equal = all(ours == theirs for ours, theirs in compared["positions"].values())
    return 0 if equal and not compared["fills"] else 1
