from typing import Any, Protocol, final

from bog._core.journal import JournalFile
from bog._core.link import Link
from bog._core.market import Market
from bog._core.publisher import Publisher
from bog._core.reader import Reader
from bog._core.source import Source
from bog._core.stats import StatsPage

class _Recovered(Protocol):
    @property
    def words(self) -> tuple[int, ...]: ...
    @property
    def open_orders(self) -> tuple[Any, ...]: ...

@final
class Lane:
    def __init__(
        self,
        spec: dict[str, Any],
        page: StatsPage,
        file: JournalFile,
        market: Market | None = None,
        source: Source | None = None,
        reader: Reader | None = None,
        publisher: Publisher | None = None,
        link: Link | None = None,
    ) -> None: ...
    def start(
        self,
        recovered: _Recovered | None,
        clear_halt: int = 0,
        adopt: tuple[int, int, int] | None = None,
    ) -> None: ...
    def failed(self) -> str | None: ...
    def ended_by(self) -> str: ...
    def words(self) -> list[int]: ...
    def paper_counts(self) -> dict[str, Any]: ...
