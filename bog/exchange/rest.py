"""The REST answers: each path is a method, its query a mapping of text; transactions come in here."""

from __future__ import annotations

import json
from typing import Any

from bog.exchange import views
from bog.exchange.codec import FIELDS
from bog.exchange.refusal import Refusal
from bog.exchange.rest_accounts import Accounts
from bog.exchange.rest_desk import Json, Query, number
from bog.exchange.rest_markets import Markets
from bog.exchange.venue import Receipt

BATCH = 50


class Rest(Markets, Accounts):
    """Answers of one exchange. Every method returns the JSON body of a 200."""

    def answer(self, path: str, query: Query, token: str) -> Json:
        """Return the answer of a path below /api/v1, or raise a Refusal."""
        found = getattr(self, f"get_{path}", None) or getattr(self, f"post_{path}", None)
        if found is None:
            raise Refusal(29404)
        body: Json = found(query, token)
        return {"code": 200, **body}

    def methods(self, path: str) -> tuple[str, ...]:
        """Return the HTTP methods of a path, none when there is no such path."""
        return tuple(verb for verb in ("get", "post") if hasattr(self, f"{verb}_{path}"))

    def get_nextNonce(self, query: Query, _: str) -> Json:
        """The nonce to use next; an account or key that is not known has 0."""
        account = self.state.accounts.get(number(query, "account_index"))
        key = account.keys.get(number(query, "api_key_index")) if account else None
        return {"nonce": key.nonce if key else 0}

    def get_tx(self, query: Query, _: str) -> Json:
        """One transaction's fate, by hash or sequence."""
        value = query.get("value", "")
        if query.get("by") == "hash":
            record = self.state.txs.get(value.removeprefix("0x").lower())
        elif query.get("by") == "sequence_index":
            record = next((r for r in self.state.txs.values() if str(r.sequence) == value), None)
        else:
            raise Refusal(20001, " : by")
        if record is None:
            raise Refusal(21500)
        return views.tx(record, self.state)

    def get_accountTxs(self, query: Query, token: str) -> Json:
        """Transactions of an account, newest first."""
        if query.get("by") != "account_index":
            raise Refusal(20001, " : by")
        account = self.owner_of({"account_index": query.get("value", "")}, token)
        found = [r for r in reversed(self.state.txs.values()) if r.account == account.index]
        start = number(query, "index", 0)
        return {
            "txs": [views.tx(r, self.state) for r in found[start : start + number(query, "limit")]]
        }

    def post_sendTx(self, form: Query, _: str) -> Json:
        """Take one transaction."""
        kind = number(form, "tx_type")
        if "tx_info" not in form:
            raise Refusal(20001, " : tx_info")
        receipt = self.venue.submit(self.state.now_ns, [kind], [form["tx_info"]])
        return {**said(receipt), "tx_hash": receipt.hashes[0]}

    def post_sendTxBatch(self, form: Query, _: str) -> Json:
        """Take several transactions of one key."""
        kinds, infos = lists_of(form.get("tx_types"), form.get("tx_infos"), BATCH)
        receipt = self.venue.submit(self.state.now_ns, kinds, infos, batch=True)
        return {**said(receipt), "tx_hash": receipt.hashes}


def said(receipt: Receipt) -> Json:
    """Return what a receipt says beside the hashes."""
    body: Json = {"message": receipt.message, "predicted_execution_time_ms": receipt.predicted_ms}
    if receipt.remaining is not None:
        body["volume_quota_remaining"] = receipt.remaining
    return body


def lists_of(types: Any, infos: Any, most: int) -> tuple[list[int], list[str]]:
    """Return the two lists of a batch, which come as JSON text, or raise a Refusal."""
    try:
        kinds, texts = json.loads(types), json.loads(infos)
    except (ValueError, TypeError, RecursionError):
        raise Refusal(21501) from None
    if not isinstance(kinds, list) or not isinstance(texts, list) or len(kinds) != len(texts):
        raise Refusal(21513)
    if len(kinds) > most:
        raise Refusal(21514)
    if not kinds or not all(type(kind) is int for kind in kinds):
        raise Refusal(21501)
    if not all(isinstance(text, str) for text in texts):
        raise Refusal(21501)
    if not set(kinds) <= set(FIELDS):
        raise Refusal(21505)
    return kinds, texts
