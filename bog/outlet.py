"""Where the rows of a feed go: the shared-memory object of a market, a tape, a dump."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from bog._core.publisher import Publisher
from bog._core.recorder import CsvWriter, TapeWriter
from bog.errors import ConfigError, FeedError, UsageError
from bog.plan import Plan, file_of


def say(text: str) -> None:
    """Tell the person at the terminal one line."""
    print(f"bog-feed: {text}", file=sys.stderr, flush=True)


class Outlets:
    """What one feed process writes. `stack` closes it; `unwritten` then says what is incomplete."""

    def __init__(self, plan: Plan, stack: ExitStack) -> None:
        self.plan, self.stack = plan, stack
        self.unwritten: list[str] = []

    def files(
        self, market: int, price_decimals: int, size_decimals: int
    ) -> tuple[TapeWriter | None, CsvWriter | None]:
        """Open the files that were asked for; UsageError when one exists already."""
        tape = dump = None
        plan = self.plan
        try:
            if plan.record is not None:
                tape = TapeWriter(
                    file_of(plan.record, market), market, price_decimals, size_decimals,
                    created_by="bog-feed",
                )  # fmt: skip
                self.stack.callback(self._finish, tape)
            if plan.dump is not None:
                dump = CsvWriter(file_of(plan.dump, market))
                self.stack.callback(self._finish, dump)
        except FileExistsError as error:
            raise UsageError(f"{error.filename} exists already: choose another name") from None
        except OSError as error:
            raise ConfigError(f"{error.filename}: {error.strerror}") from None
        return tape, dump

    def _finish(self, file: TapeWriter | CsvWriter) -> None:
        """Close a file and note when its end cannot be written."""
        try:
            file.close()
        except OSError as error:
            self.unwritten.append(f"{file.path}: {error.strerror}")

    def publisher(self, market: int, price_decimals: int, size_decimals: int) -> Publisher:
        """Create the market's object; ConfigError when its name is taken."""
        plan = self.plan
        try:
            publisher = Publisher(
                market,
                directory=plan.directory,
                prefix=plan.prefix,
                price_decimals=price_decimals,
                size_decimals=size_decimals,
            )
        except OSError as error:
            raise ConfigError(f"{plan.directory}: {error.strerror}") from None
        except FeedError as error:
            raise ConfigError(str(error)) from None
        self.stack.callback(publisher.close)
        say(
            f"market {market}: {publisher.path}, epoch {publisher.epoch}, "
            f"decimals {price_decimals}/{size_decimals}"
        )
        return publisher
