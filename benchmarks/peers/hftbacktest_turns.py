"""The turns of turns.py in hftbacktest: its backtest, a strategy compiled by numba.

A turn is one elapse of 1 ms: the level events of one message reach exchange and strategy, the answer
to the last turn's requests arrives, the strategy looks at the touch and at its orders, and modifies.
"""

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
    __version__,
)
from hftbacktest.types import event_dtype
from numba import njit
from turns import HALF, KINDS, MID, OFF, ORDER, ROUNDS, TURNS, Turn, best, expect, say

STEP_NS = 1_000_000
DELAY_NS = 100_000  # of a request, and of its answer: both within the turn


def events(kind: Turn, turns: int) -> np.ndarray:
    """Return the level events: the book at MID first, then what changes in each turn."""
    rows = []

    def level(at: int, side: int, px: int, qty: int) -> None:
        when = (at + 1) * STEP_NS
        flags = DEPTH_EVENT | EXCH_EVENT | LOCAL_EVENT | side
        rows.append((flags, when, when, px, qty, 0, 0, 0.0))

    before = MID
    for i, (mid, qty) in enumerate(kind.books(turns)):
        # the side that gives way first: the book never crosses
        sides = [(SELL_EVENT, 1), (BUY_EVENT, -1)]
        for side, off in sides if mid > before else sides[::-1]:
            if mid != before:
                level(i, side, before + off, 0)
            level(i, side, mid + off, qty)
        before = mid
    return np.array(rows, event_dtype)


def build(data: np.ndarray) -> object:
    asset = (
        BacktestAsset()
        .data(data)
        .linear_asset(1.0)
        .constant_order_latency(DELAY_NS, DELAY_NS)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(1.0)
        .lot_size(1.0)
        .roi_lb(MID - 100.0)
        .roi_ub(MID + 100.0)
        .last_trades_capacity(0)
    )
    return ROIVectorMarketDepthBacktest([asset])


@njit
def trade(hbt, turns):
    """Take the turns; return (submitted, amended, amends seen done at their price)."""
    submitted = amended = done = 0
    want_bid = want_ask = moved = 0
    hbt.elapse(STEP_NS // 2)  # from here on half a step behind each message
    for _ in range(turns + 1):
        depth = hbt.depth(0)
        mid = (depth.best_bid_tick + depth.best_ask_tick) // 2
        if submitted == 0:
            want_bid, want_ask = mid - HALF, mid + HALF
            hbt.submit_buy_order(0, 1, want_bid, ORDER, GTX, LIMIT, False)
            hbt.submit_sell_order(0, 2, want_ask, ORDER, GTX, LIMIT, False)
            submitted = 2
        else:
            orders = hbt.orders(0)
            bid, ask = orders.get(1), orders.get(2)
            if moved:
                # the answer came, and each order stands where it was sent
                if bid.cancellable and bid.price_tick == want_bid:
                    done += 1
                if ask.cancellable and ask.price_tick == want_ask:
                    done += 1
            moved = 0
            if abs(bid.price_tick - (mid - HALF)) >= OFF and bid.cancellable:
                want_bid = mid - HALF
                if hbt.modify(0, 1, want_bid, ORDER, False) == 0:
                    amended += 1
                    moved = 1
            if abs(ask.price_tick - (mid + HALF)) >= OFF and ask.cancellable:
                want_ask = mid + HALF
                if hbt.modify(0, 2, want_ask, ORDER, False) == 0:
                    amended += 1
                    moved = 1
        hbt.elapse(STEP_NS)
    return submitted, amended, done


def main() -> None:
    hbt = build(events(KINDS[-1], 10))
    trade(hbt, 10)  # numba compiles
    hbt.close()
    for kind in KINDS:
        data = events(kind, TURNS)
        ready = [build(data) for _ in range(ROUNDS)]
        counted = []
        taken = iter(ready)
        ns = best(lambda taken=taken, counted=counted: counted.append(trade(next(taken), TURNS)))
        for submitted, amended, done in counted:
            expect("hftbacktest", kind, "orders submitted", submitted, 2)
            expect("hftbacktest", kind, "orders amended", amended, kind.amends * TURNS)
            # the answers to the last turn come after it
            expect("hftbacktest", kind, "amends seen done", done, kind.amends * (TURNS - 1))
        for hbt in ready:
            expect("hftbacktest", kind, "fills", hbt.state_values(0).num_trades, 0)
            hbt.close()
        say("hftbacktest", __version__, kind, ns)


if __name__ == "__main__":
    main()
