from typing import final

@final
class FreshnessProbe:
    def __new__(
        cls,
        max_delay_ns: int = 1_000_000_000,
        books: int = 5,
        warm_up_ns: int = 1_000_000_000,
        unix_offset_ns: int = 0,
    ) -> FreshnessProbe: ...
    def book(self, now: int, exch_ns: int) -> bool: ...
    def doubt(self) -> None: ...
    def verdict(self, now: int) -> int: ...
