"""What the exchange knows of a market before anyone trades, and numbers as the venue writes them."""

from __future__ import annotations

from dataclasses import dataclass

from bog.errors import UsageError

ORDER_QUOTE_LIMIT = (1 << 48) - 1  # micro-USDC: the largest notional of one order
PRICE_END = 1 << 32
SIZE_END = 1 << 48
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Spec:
    """One perpetual market. Prices in ticks, sizes in lots: a tick times a lot is one micro-USDC."""

    market: int
    symbol: str
    price_decimals: int
    size_decimals: int
    min_base: int  # lots; binds orders that may rest, as min_quote does
    start_px: int  # ticks: where the built-in market begins, and the mark while nothing trades
    min_quote: int = 10 * MILLION  # micro-USDC
    initial_margin: int = 500  # ten-thousandths; the account may set another
    min_initial_margin: int = 200
    maintenance_margin: int = 120
    closeout_margin: int = 80

    def price(self, ticks: int) -> str:
        """Return a price as the venue writes it."""
        return decimal(ticks, self.price_decimals)

    def size(self, lots: int) -> str:
        """Return a size as the venue writes it."""
        return decimal(lots, self.size_decimals)


# as the testnet lists them; decimals and minimums by docs/exchange.md
MARKETS = {
    spec.market: spec
    for spec in (
        Spec(0, "ETH", 2, 4, min_base=50, start_px=455_000),
        Spec(1, "BTC", 1, 5, min_base=20, start_px=1_210_440),
        Spec(2, "SOL", 3, 3, min_base=50, start_px=222_000),
    )
}


def spec_of(market: int) -> Spec:
    """Return a market by its id, or say which there are."""
    if market not in MARKETS:
        known = ", ".join(f"{spec.market} ({spec.symbol})" for spec in MARKETS.values())
        raise UsageError(f"market {market} is not one of {known}")
    return MARKETS[market]


def decimal(value: int, decimals: int) -> str:
    """Return value / 10**decimals, exactly, with that many decimals."""
    if decimals == 0:
        return str(value)
    whole, part = divmod(abs(value), 10**decimals)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{decimals}d}"


def usd(micro: int) -> str:
    """Return micro-USDC as the venue writes money: six decimals."""
    return decimal(micro, 6)


def ceil_ppm(notional: int, ppm: int) -> int:
    """Return the fee of a fill in micro-USDC, rounded up: the venue never pays for rounding."""
    return -(-notional * ppm // MILLION)


def cut(value: int, part: int, whole: int) -> int:
    """Return value * part / whole, rounded toward zero."""
    share = abs(value) * part // whole
    return share if value >= 0 else -share
