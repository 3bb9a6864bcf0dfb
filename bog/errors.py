"""What can go wrong, as one tree, and the one place where a command turns it into an exit code.

    BogError            1   unexpected: a bug, or an operating system that said no
    +-- UsageError      2   the command line makes no sense
    +-- OrdersOpenError 3   stopped, and orders may still stand at the venue
    +-- DataError       1   a recording, tape or feed that cannot be understood
    |   +-- FeedError   1   the shared-memory feed is absent, foreign or of another layout
    +-- JournalDamaged 75   the journal is damaged: nothing trades before someone has looked
    +-- ConfigError    78   a key, a file or a variable of the configuration

Success is 0. An error that is expected to happen is one of these and is printed as one line; only
an error that is not shows its traceback.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable
from typing import ClassVar, Self

import click


class BogError(Exception):
    """Base of the tree; `exit_code` is what the process returns when nobody handles it."""

    exit_code: ClassVar[int] = 1


class UsageError(BogError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = 2


class OrdersOpenError(BogError):
    """The bot stopped without proof that its orders are gone."""

    exit_code = 3


class DataError(BogError):
    """A file or a feed says something that cannot be understood."""


class FeedError(DataError):
    """The shared-memory feed cannot be attached to."""


class JournalDamaged(BogError):
    """The journal is damaged somewhere other than at its torn end."""

    exit_code = 75


class ConfigError(BogError):
    """The configuration is refused; the message names key, value, range and origin."""

    exit_code = 78
    each: tuple[str, ...] = ()  # every problem, where more than one was found at once

    def with_each(self, problems: list[str]) -> Self:
        self.each = tuple(problems)
        return self


def one_line(text: str) -> str:
    """Return `text` as one printable line: line ends, control and bidi characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads: the exit code still says it
        print(line, file=sys.stderr)


def run(command: click.Command, unexpected: Callable[[BaseException], None] | None = None) -> None:
    """Run a click command and leave the process with the exit code of the tree above.

    An expected error is one line on stderr, `name: error: what is wrong`. An unexpected one keeps
    its traceback, after `unexpected` was told (the log's panic line).
    """
    name = command.name or "bog"
    code = 0
    try:
        # click returns the code of ctx.exit() or --help, else what the command returned
        result = command.main(standalone_mode=False, prog_name=name)
        code = result if isinstance(result, int) else 0
    except BogError as error:
        _say(f"{name}: error: {one_line(str(error))}")
        code = error.exit_code
    except click.ClickException as error:
        _say(f"{name}: error: {one_line(error.format_message())}")
        code = UsageError.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say(f"{name}: error: interrupted")
        code = BogError.exit_code
    except Exception as error:
        if unexpected is not None:
            unexpected(error)
        with contextlib.suppress(OSError):
            traceback.print_exc()
        code = BogError.exit_code
    sys.exit(code)
