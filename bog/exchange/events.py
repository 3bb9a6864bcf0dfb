"""`event_info`: what the sequencer writes about a transaction, as text in its compact keys."""

from __future__ import annotations

import json
from typing import Any

from bog.exchange.codec import CANCEL, CREATE, MODIFY, Tx
from bog.exchange.orders import Order
from bog.exchange.state import Trade


def event_of(tx: Tx, about: list[Order], fills: list[Trade], refused: str) -> str:
    """Return the event of a transaction that ran; `ae` holds the application's refusal."""
    event: dict[str, Any] = {}
    order = about[0] if about else None
    if tx.type in (CREATE, MODIFY):
        event["m"] = tx.fields["MarketIndex"]
    if tx.type == CREATE:
        if fills:
            first = fills[0]
            event["t"] = {"p": first.px, "s": first.lots, "tf": first.taker_ppm,
                          "mf": first.maker_ppm}  # fmt: skip
            event["mo"] = {"i": (first.ask if first.is_maker_ask else first.bid)[0],
                           "u": (first.ask if first.is_maker_ask else first.bid)[1],
                           "a": (first.ask if first.is_maker_ask else first.bid)[2]}  # fmt: skip
        event["to"] = compact(order) if order else {
            "i": 0, "u": tx.fields["ClientOrderIndex"], "a": tx.account,
        }  # fmt: skip
    elif tx.type == MODIFY:
        event["oo"] = {"i": tx.fields["Index"], "a": tx.account}
        event["no"] = compact(order) if order else {}
    elif tx.type == CANCEL:
        event |= {"a": tx.account, "i": order.index if order else tx.fields["Index"],
                  "u": order.client if order else 0}  # fmt: skip
    else:
        event["a"] = tx.account
    event["ae"] = refused
    return json.dumps(event, separators=(",", ":"))


def compact(order: Order) -> dict[str, int]:
    """Return an order in the sequencer's words."""
    return {
        "i": order.index, "u": order.client, "a": order.owner, "is": order.size, "p": order.px,
        "rs": order.left, "ia": int(order.is_ask), "ot": order.kind, "f": order.tif,
        "ro": int(order.reduce_only), "tp": 0, "e": order.expiry_ms, "st": order.status, "ts": 0,
        "t0": 0, "t1": 0, "c0": 0,
    }  # fmt: skip
