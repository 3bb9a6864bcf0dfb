"""The turns of turns.py in NautilusTrader: its BacktestEngine, a strategy in Python.

A turn is one QuoteTick: through the data engine into the strategy, whose modifications go through the
risk engine to the simulated exchange, which answers with events that update order and cache.
"""

from decimal import Decimal

import nautilus_trader
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, OrderStatus
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from turns import HALF, KINDS, OFF, ORDER, ROUNDS, TURNS, Turn, best, expect, say

SECOND = 1_000_000_000  # from turn to turn: the risk engine's 100 amends a second stay as they are
INSTRUMENT = TestInstrumentProvider.btcusdt_perp_binance()  # a tick is 0.1, a lot 0.001


class Quoter(Strategy):
    """Quotes as turns.py says; counts what was sent and what came back."""

    def __init__(self) -> None:
        super().__init__()
        self.bid = self.ask = None
        self.bid_px = self.ask_px = 0
        self.seen = self.sent = self.updated = self.other = 0

    def on_start(self) -> None:
        self.subscribe_quote_ticks(INSTRUMENT.id)

    def place(self, side: OrderSide, px: int):
        order = self.order_factory.limit(
            INSTRUMENT.id, side, INSTRUMENT.make_qty(ORDER / 1000), INSTRUMENT.make_price(px / 10),
            post_only=True,
        )  # fmt: skip
        self.submit_order(order)
        return order

    def on_quote_tick(self, tick: QuoteTick) -> None:
        self.seen += 1
        mid = round((tick.bid_price.as_double() + tick.ask_price.as_double()) * 5)
        if self.bid is None:
            self.bid_px, self.ask_px = mid - HALF, mid + HALF
            self.bid = self.place(OrderSide.BUY, self.bid_px)
            self.ask = self.place(OrderSide.SELL, self.ask_px)
            return
        if abs(self.bid_px - (mid - HALF)) >= OFF:
            self.bid_px = mid - HALF
            self.modify_order(self.bid, price=INSTRUMENT.make_price(self.bid_px / 10))
            self.sent += 1
        if abs(self.ask_px - (mid + HALF)) >= OFF:
            self.ask_px = mid + HALF
            self.modify_order(self.ask, price=INSTRUMENT.make_price(self.ask_px / 10))
            self.sent += 1

    def on_order_updated(self, _event) -> None:
        self.updated += 1

    def on_order_modify_rejected(self, _event) -> None:
        self.other += 1

    def on_order_filled(self, _event) -> None:
        self.other += 1


def ticks(kind: Turn) -> list[QuoteTick]:
    return [
        QuoteTick(
            INSTRUMENT.id, INSTRUMENT.make_price((mid - 1) / 10), INSTRUMENT.make_price((mid + 1) / 10),
            INSTRUMENT.make_qty(qty / 1000), INSTRUMENT.make_qty(qty / 1000),
            (i + 1) * SECOND, (i + 1) * SECOND,
        )
        for i, (mid, qty) in enumerate(kind.books(TURNS))
    ]  # fmt: skip


def build(data: list[QuoteTick]) -> tuple[BacktestEngine, Quoter]:
    config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    engine = BacktestEngine(config)
    engine.add_venue(
        Venue("BINANCE"), OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USDT)],
        default_leverage=Decimal(10),
    )  # fmt: skip
    engine.add_instrument(INSTRUMENT)
    engine.add_data(data)
    quoter = Quoter()
    engine.add_strategy(quoter)
    return engine, quoter


def main() -> None:
    for kind in KINDS:
        data = ticks(kind)
        ready = [build(data) for _ in range(ROUNDS)]
        taken = iter(ready)
        ns = best(lambda taken=taken: next(taken)[0].run())
        for engine, quoter in ready:
            expect("NautilusTrader", kind, "ticks seen", quoter.seen, TURNS + 1)
            expect("NautilusTrader", kind, "amends sent", quoter.sent, kind.amends * TURNS)
            expect("NautilusTrader", kind, "amends done", quoter.updated, kind.amends * TURNS)
            expect("NautilusTrader", kind, "refusals and fills", quoter.other, 0)
            for order, px in ((quoter.bid, quoter.bid_px), (quoter.ask, quoter.ask_px)):
                expect(
                    "NautilusTrader", kind, "as the price", round(order.price.as_double() * 10), px
                )
                # the engine's end cancels nothing: what rests is as the last turn left it
                expect("NautilusTrader", kind, "as the status", order.status, OrderStatus.ACCEPTED)
            engine.dispose()
        say("NautilusTrader", nautilus_trader.__version__, kind, ns)


if __name__ == "__main__":
    main()
