"""bog-ctl: ask or tell a running bot, over its control socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import click

from bog import errors
from bog._core.types import Level
from bog.control import Client, Command
from bog.errors import BogError, UsageError
from bog.facts import level_name
from bog.limits import NAMES, limit_steps
from bog.status import table

EPILOG = """\b
Examples:
  bog-ctl status                     the bot of this directory's var/journal
  bog-ctl --market 1 status --json
  bog-ctl kill                       pull the quotes, end the run, stay halted
  bog-ctl reset-breaker --id 3       trade again after halt 3 was understood
  bog-ctl cancel-all                 pull every order, prove it, and stay paused
  bog-ctl --market 1 set-limit max_position 0.02
  bog-ctl --market 1 flatten         bring the position to zero, and stay paused

A command is done when the engine has taken it. Exit codes: 0 done, 1 refused or no bot, 2 usage,
78 configuration. `touch var/journal/control/kill` kills, too, and needs no program of ours.
"""
TAKEN_SEC = 2.0
EMPTY_SEC = 15.0  # for proof that every order is gone


class Place:
    """Which markets are meant: --market, or all that bots of this account trade."""

    def __init__(self, journal: str | None, market: int | None, config: str | None) -> None:
        if journal is None:
            # only now: reading the configuration takes longer than all the rest
            from bog.config import load

            journal = load(config).journal.directory
        self.client = Client(journal)
        self.markets = self.client.markets() if market is None else [market]
        if not self.markets:
            raise BogError(f"no bot runs on the journal in {journal}")

    def status(self, market: int) -> dict[str, Any]:
        status: dict[str, Any] = self.client.ask(market, Command.STATUS)["status"]
        return status

    def one(self, whose: str) -> int:
        """Return the market that is meant, of a command for one at a time."""
        if len(self.markets) != 1:
            known = ", ".join(map(str, self.markets))
            raise UsageError(f"markets {known} are traded: say by --market whose {whose} is meant")
        return self.markets[0]

    def taken(self, market: int, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """Return the status in which `what` holds, None when the bot ended meanwhile."""
        until = time.monotonic() + TAKEN_SEC
        while True:
            try:
                status = self.status(market)
            except BogError:
                return None
            if what(status):
                return status
            if time.monotonic() > until:
                raise BogError(
                    f"market {market}: asked for, and not taken by the engine within"
                    f" {TAKEN_SEC:.0f} s: it may still be starting, see bog-ctl status"
                )
            time.sleep(0.005)


@click.group("bog-ctl", epilog=EPILOG)
@click.option(
    "--market",
    type=click.IntRange(0, 999_999),
    metavar="ID",
    help="The market that is meant; all of the account's bots without it.",
)
@click.option("--journal", metavar="DIR", help="The bot's journal directory, as bog-live has it.")
@click.option("--config", metavar="FILE", help="Where journal.directory is read, as in bog-live.")
@click.pass_context
def cli(
    context: click.Context, market: int | None, journal: str | None, config: str | None
) -> None:
    """Ask or tell a running bot."""
    context.obj = lambda: Place(journal, market, config)  # not for --help


Make = Callable[[], Place]


@cli.command("status")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.pass_obj
def status_command(place: Make, as_json: bool) -> None:
    """Show state, level, halt, position, profit, quotes, orders, feed, refusals."""
    here = place()
    for market in here.markets:
        status = here.status(market)
        click.echo(json.dumps(status) if as_json else table(status))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.pass_obj
def reconcile(place: Make, as_json: bool) -> None:
    """Show the bot's position and orders beside the venue's, as the gateway compared them last."""
    here = place()
    for market in here.markets:
        gateway = here.status(market)["gateway"]
        if gateway is None:
            raise BogError(f"market {market} is traded on paper: there is no venue to compare with")
        if not gateway["compared"]:
            raise BogError(
                f"market {market}: nothing was compared yet: the gateway is {gateway['state']}"
            )
        click.echo(json.dumps(gateway["compared"]) if as_json else gateway["table"])
        if not as_json:
            click.echo(f"compared {gateway['compared_age_sec']} s ago")


def set_level(place: Place, command: Command, level: int) -> None:
    """Send a command to each market, then wait until its engine has taken it."""
    for market in place.markets:
        place.client.ask(market, command)
    names = [level_name(each) for each in Level]
    for market in place.markets:

        def reached(status: dict[str, Any]) -> bool:
            at = names.index(status["level"])
            return at == level or (level != Level.LEVEL_RUN and at > level)

        status = place.taken(market, reached)
        if status is None:
            click.echo(f"market {market}: {names[level]}; the bot has ended")
        else:
            click.echo(f"market {market}: {status['level']}; orders alive {len(status['orders'])}")


@cli.command()
@click.pass_obj
def pause(place: Make) -> None:
    """Pull the quotes and keep the position, until resume."""
    set_level(place(), Command.PAUSE, Level.LEVEL_PAUSED)


@cli.command()
@click.pass_obj
def resume(place: Make) -> None:
    """Quote again after pause. A bot that drains or was killed does not come back this way."""
    set_level(place(), Command.RESUME, Level.LEVEL_RUN)


@cli.command()
@click.pass_obj
def drain(place: Make) -> None:
    """Cancel what rests, wait for proof, report and end, as Ctrl-C does."""
    set_level(place(), Command.DRAIN, Level.LEVEL_DRAIN)


@cli.command()
@click.pass_obj
def kill(place: Make) -> None:
    """Emergency stop: cancel what rests, end, and stay halted across restarts. Asks nothing."""
    set_level(place(), Command.KILL, Level.LEVEL_KILLED)


@cli.command("reset-breaker")
@click.option(
    "--id",
    "halt_id",
    type=click.IntRange(1),
    required=True,
    metavar="N",
    help="The halt's number, as status and the log name it.",
)
@click.pass_obj
def reset_breaker(place: Make, halt_id: int) -> None:
    """Trade again after a halt was understood."""
    here = place()
    market = here.one("halt")
    here.client.ask(market, Command.RESET_BREAKER, halt_id)
    status = here.taken(market, lambda s: s["halt_id"] != halt_id)
    if status is None:
        raise BogError(f"market {market}: the bot ended before it was seen to clear the halt")
    again = f"; halted again by {status['halt']}, id {status['halt_id']}" if status["halt"] else ""
    click.echo(f"market {market}: halt {halt_id} cleared{again}")


@cli.command("cancel-all")
@click.pass_obj
def cancel_all(place: Make) -> None:
    """Pull every order by itself, wait for proof that none is left, and stay paused until resume."""
    here = place()
    before = {market: here.status(market) for market in here.markets}
    began = time.monotonic()
    for market in here.markets:
        here.client.ask(market, Command.CANCEL_ALL)
    for market in here.markets:
        status = empty(here, market, before[market]["requests_taken"], began + EMPTY_SEC)
        ms = round((time.monotonic() - began) * 1000)
        count = status["canceled"] - before[market]["canceled"]
        click.echo(
            f"market {market}: {count} orders canceled, none is left, after {ms} ms;"
            f" {status['level']}: resume quotes again"
        )


def empty(here: Place, market: int, taken: int, until: float) -> dict[str, Any]:
    """Return the status once no order is alive, more than `taken` requests after the start and paused.

    BogError when that takes until after `until`.
    """
    while True:
        status = here.status(market)
        obeyed = status["requests_taken"] > taken and status["level"] != "RUN"
        if obeyed and not status["orders"]:
            return status
        if time.monotonic() > until:
            left = ", ".join(str(order["id"]) for order in status["orders"]) or "none"
            raise BogError(
                f"market {market}: not every order is proven gone within {EMPTY_SEC:.0f} s, left:"
                f" {left}; level {status['level']}, it goes on trying: see bog-ctl status"
            )
        time.sleep(0.005)


@cli.command()
@click.pass_obj
def flatten(place: Make) -> None:
    """Bring the position to zero by quotes, then stay paused. Returns at once: status says what is left.

    The quotes are post-only and reduce-only, at the touch: this version has no key that takes, so that
    how long it takes is up to the market. pause, resume, drain and kill end it.
    """
    here = place()
    before = {market: here.status(market)["requests_taken"] for market in here.markets}
    for market in here.markets:
        here.client.ask(market, Command.FLATTEN)
    for market in here.markets:

        def obeyed(status: dict[str, Any], taken: int = before[market]) -> bool:
            return bool(status["requests_taken"] > taken and status["level"] != "RUN")

        status = here.taken(market, obeyed)
        if status is None:
            raise BogError(f"market {market}: the bot ended before it was seen to flatten")
        left = f"{status['position']} {status['symbol']}"
        if status["flattening"]:
            click.echo(
                f"market {market}: flattening {left} with post-only reduce-only quotes at the touch:"
                " no key that takes is configured; then paused, see bog-ctl status"
            )
        else:
            click.echo(f"market {market}: {status['level']}, position {left}")


@cli.command("set-limit", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("value")
@click.pass_obj
def set_limit(place: Make, name: str, value: str) -> None:
    """Tighten a limit of [risk] by its name there, in its unit. Nothing loosens one but the configuration.

    max_position, max_short, max_order_size (base); max_notional, max_exposure_quote, max_daily_loss
    (quote); max_drawdown, collar (fraction); max_open_orders; rate_limit_orders_per_sec. It holds at
    once and across restarts, until that key is given another value in the configuration.
    """
    here = place()
    market = here.one("limit")
    before = here.status(market)
    steps = limit_steps(name, value, before["price_decimals"], before["size_decimals"])
    here.client.ask(market, Command.SET_LIMIT, steps, NAMES[name])
    status = here.taken(market, lambda s: s["limits"][name]["steps"] <= steps)
    if status is None:
        raise BogError(f"market {market}: the bot ended before it was seen to take the limit")
    now, was = (s["limits"][name]["value"] for s in (status, before))
    click.echo(
        f"market {market}: {name} {now}, was {was}; kept until risk.{name} is configured anew"
    )


def main() -> None:
    errors.run(cli)


if __name__ == "__main__":
    main()
