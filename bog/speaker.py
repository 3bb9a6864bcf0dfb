"""Says the journal in the log: one line of words and decimals for every record that people ask for.

The hot thread logs nothing; whoever follows the journal hands each record to a JournalSpeaker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from bog import facts
from bog._core.types import (
    ConnectionState,
    Fit,
    Flattened,
    Level,
    ModelNumber,
    Side,
    StateWord,
    Verdict,
)
from bog._core.types import JournalKind as J
from bog.limits import limit_name, limit_text
from bog.log import Value, emit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Said = tuple[str, str, str, dict[str, Value]]  # level, event, message, fields
# verdicts on the moment, not on an order: neither side may be quoted
STANDING = (
    Verdict.DENY_HALTED,
    Verdict.DENY_STALE,
    Verdict.DENY_BOOK,
    Verdict.DENY_WARMING,
    Verdict.DENY_DELAYED,
    Verdict.DENY_BREAKER,
    Verdict.DENY_DAILY_LOSS,
    Verdict.DENY_DRAWDOWN,
    Verdict.DENY_CONNECTION,
)
LEVEL_WORDS = {
    Level.LEVEL_RUN: ("INFO", "Resumed"),
    Level.LEVEL_PAUSED: ("INFO", "Paused"),
    Level.LEVEL_DRAIN: ("INFO", "Draining"),
    Level.LEVEL_KILLED: ("ERROR", "Killed"),
}


ASKED_WORDS = {
    "cancel_all": "Canceling every order, then paused",
    "flatten": "Flattening: post-only reduce-only quotes at the touch, then paused",
    "hold": "Flattening is called off",
}
FLATTENED_WORDS = {
    "flat": "Flat: paused",
    "dust": "Flat but for less than the smallest order: paused",
    "held": "Flattening ends: an operator asked for something else",
    "halted": "Flattening ends: halted",
}


class JournalSpeaker:
    """Turns records of one market's journal into log lines.

    `price_decimals` and `size_decimals` are the market's; `unix_offset_ns` is Unix time less the
    engine's clock, which a run record corrects. Keeps the position, so that each line about a fill
    says what was held after it. `also` is told what was said of a record, and when that happened.
    """

    def __init__(
        self,
        price_decimals: int,
        size_decimals: int,
        unix_offset_ns: int = 0,
        write: Callable[..., None] = emit,
        also: Callable[[Mapping[str, int], Said, str | None], None] | None = None,
    ) -> None:
        self.price_decimals = price_decimals
        self.size_decimals = size_decimals
        self.unix_offset_ns = unix_offset_ns
        self.position = 0  # lots
        self.write = write
        self.also = also

    def say(self, rec: Mapping[str, int]) -> None:
        """Log one record, given by its fields."""
        said = self._words(rec)
        if said is None:
            return
        level, event, message, fields = said
        stamp = None  # the records before the first event have no time
        if rec["time_ns"]:
            when = EPOCH + timedelta(microseconds=(rec["time_ns"] + self.unix_offset_ns) // 1000)
            stamp = when.isoformat(timespec="microseconds").replace("+00:00", "Z")
        # the number that people use; the journal's says the exchange, too
        self.write(level, event, message, event_time=stamp, market=rec["market"] % 10**6, **fields)
        if self.also is not None:
            self.also(rec, said, stamp)

    def _price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.price_decimals)

    def _size(self, lots: int) -> Decimal:
        return Decimal(lots).scaleb(-self.size_decimals)

    def _money(self, quanta: int) -> Decimal:
        return Decimal(quanta).scaleb(-self.price_decimals - self.size_decimals)

    def _half(self, halves: int) -> Decimal:
        return self._money(halves * 5).scaleb(-1)

    def _words(self, rec: Mapping[str, int]) -> Said | None:
        """Return what to say, or None for a record that only machines need."""
        kind, reason = rec["kind"], rec["reason"]
        order: dict[str, Value] = {"order": rec["id"], "side": facts.side_name(rec["side"])}
        quote = order | {"price": self._price(rec["px"]), "size": self._size(rec["qty"])}
        refused = {"reason": facts.reject_name(reason)} if reason else {}
        match kind:
            case J.J_PLACE:
                return "INFO", "place", "Placing order", quote
            case J.J_AMEND:
                return "INFO", "amend", "Amending order", quote
            case J.J_CANCEL:
                return "INFO", "cancel", "Canceling order", order
            case J.J_CANCEL_ALL:
                return "WARNING", "cancel_all", "Canceling all orders", {}
            case J.J_ACK:
                return "DEBUG", "ack", "Order rests", order | {"venue_order": rec["val"]}
            case J.J_REJECT:
                return "WARNING", "reject", "Order rejected by the venue", order | refused
            case J.J_FILL:
                return self._fill(rec, quote)
            case J.J_CANCELED:
                return "INFO", "canceled", "Order canceled", order | refused
            case J.J_CANCEL_REJECT:
                return "WARNING", "reject", "Cancel rejected by the venue", order | refused
            case J.J_AMENDED:
                return "INFO", "amended", "Order amended", quote
            case J.J_AMEND_REJECT:
                return "WARNING", "reject", "Amend rejected by the venue", order | refused
            case J.J_EXPIRED:
                return "INFO", "expired", "Order expired", order
            case J.J_UNKNOWN:
                return "ERROR", "unknown", "Order of unknown fate, counted as live", order
            case J.J_DENIED if reason == Verdict.ALLOW:
                return "INFO", "allowed", "Orders pass the gate again", {"side": quote["side"]}
            case J.J_DENIED if reason in STANDING:
                level = "INFO" if reason == Verdict.DENY_WARMING else "WARNING"
                why: dict[str, Value] = {"reason": facts.verdict_name(reason)}
                return level, "denied", "Not quoting", {"side": quote["side"]} | why
            case J.J_DENIED:
                gate: dict[str, Value] = {k: quote[k] for k in ("side", "price", "size")}
                return (
                    "WARNING",
                    "denied",
                    "Order rejected by the gate",
                    gate | {"reason": facts.verdict_name(reason)},
                )
            case _:
                return self._state_words(rec)

    def _state_words(self, rec: Mapping[str, int]) -> Said | None:
        """Return what to say of a record that is about the run, not about one order."""
        kind, reason, state, val = rec["kind"], rec["reason"], rec["state"], rec["val"]
        match kind:
            case J.J_RUN:
                self.unix_offset_ns, self.position = val, 0
                return "INFO", "run", "Run started", {"run": rec["id"]}
            case J.J_STATE:
                if reason == StateWord.W_POS:
                    self.position = val
                return None
            case J.J_ORDER:
                return None
            case J.J_READY:
                return "INFO", "ready", "Ready to trade", {"position": self._size(self.position)}
            case J.J_ADOPT:
                self.position = -int(rec["id"]) if rec["side"] else int(rec["id"])
                held: dict[str, Value] = {
                    "position": self._size(self.position), "cost": self._money(val),
                }  # fmt: skip
                return "WARNING", "adopt", "Position of the venue adopted", held
            case J.J_FUNDING:
                paid: dict[str, Value] = {
                    "amount": self._money(val),
                    "price": self._price(rec["px"]),
                    "position": self._size(rec["qty"]),
                }
                return "INFO", "funding", "Funding paid", paid
            case J.J_PEAK:
                return "DEBUG", "peak", "New peak of the day's profit", {"profit": self._half(val)}
            case J.J_DAY:
                return "INFO", "day", "New UTC day", {"amount": self._half(val)}
            case J.J_HALT:
                name = facts.halt_name(reason)
                remedy = f"clear with --clear-halt {rec['id']} once it is understood"
                return "ERROR", "halt", f"CIRCUIT BREAKER {name}: trading halted, {remedy}", {
                    "halt": rec["id"], "reason": name, "value": val}  # fmt: skip
            case J.J_CLEAR_HALT:
                return "WARNING", "clear_halt", "CIRCUIT BREAKER cleared", {"halt": rec["id"]}
            case J.J_LEVEL:
                unknown = ("ERROR", "Killed")  # the strictest reading
                level, word = LEVEL_WORDS.get(cast(Level, state), unknown)
                return level, "level", word, {"state": facts.level_name(state)}
            case J.J_GAP:
                return "WARNING", "gap", "Sequence gap", {"missed": val}
            case J.J_STALE if state:
                return "WARNING", "stale", "Feed is stale", {"age_ms": Decimal(val).scaleb(-6)}
            case J.J_STALE:
                return "INFO", "fresh", "Feed is fresh again", {}
            case J.J_EPOCH:
                return "WARNING", "epoch", "Feed writer restarted", {"epoch": rec["id"]}
            case J.J_BREAKER:
                about: dict[str, Value] = {
                    "reason": facts.violation_name(reason),
                    "violations": val,
                    "mid": self._price(rec["px"] * 5).scaleb(-1),
                    "reference": self._price(rec["qty"] * 5).scaleb(-1),
                }
                if reason:
                    return "WARNING", "breaker", "Market breaker: violation", about
                return "INFO", "breaker", "Market breaker: a good book", about
            case J.J_CONNECTION:
                level = "INFO" if state == ConnectionState.CONNECTION_CLOSED else "ERROR"
                word = facts.connection_name(state)
                return level, "connection", f"Connection breaker is {word}", {
                    "state": word, "before": facts.connection_name(reason)}  # fmt: skip
            case J.J_MODEL if rec["id"] == ModelNumber.NUMBER_FIT:
                fit = facts.fit_name(val >> 16)
                refused = val >> 16 > Fit.FIT_GOOD
                words = (
                    "Fit of A and k refused: the numbers before stay"
                    if refused
                    else "Fit of A and k"
                )
                return "WARNING" if refused else "INFO", "fit", words, {"reason": fit}
            case J.J_MODEL:
                number: dict[str, Value] = {facts.model_number(rec["id"]): Decimal(val) / 65536}
                return "DEBUG", "model", "Model computed", number
            case J.J_STRATEGY:
                before = facts.strategy_state(reason)
                return "INFO", "strategy", f"Strategy {facts.strategy_state(state)}", {
                    "state": facts.strategy_state(state), "before": before}  # fmt: skip
            case J.J_LIMIT:
                return self._limit(rec)
            case J.J_ASKED:
                what = facts.asked_name(reason)
                words = ASKED_WORDS.get(what, f"An operator asked for {what}")
                return "WARNING", "asked", words, {"command": what, "uid": rec["aux"]}
            case J.J_FLATTENED:
                why = facts.flattened_name(reason)
                level = "INFO" if reason == Flattened.FLATTENED_FLAT else "WARNING"
                words = FLATTENED_WORDS.get(why, "Flattening is over")
                left: dict[str, Value] = {"reason": why, "position": self._size(rec["qty"])}
                return level, "flattened", words, left
            case J.J_END:
                return "INFO", "end", "Run ended", {"exit_code": val}
            case _:
                return "ERROR", "unknown_record", f"Journal record of unknown kind {kind}", {}

    def _limit(self, rec: Mapping[str, int]) -> Said:
        name, scale = limit_name(rec["reason"]), (self.price_decimals, self.size_decimals)
        value, configured = (limit_text(rec["reason"], rec[k], *scale) for k in ("val", "px"))
        words = "stays" if rec["state"] else "set"
        text = f"Limit {name} {words} to {value}, configured {configured}, by user {rec['aux']}"
        return "WARNING", "limit", text, {
            "limit": name, "amount": Decimal(value), "uid": rec["aux"]}  # fmt: skip

    def _fill(self, rec: Mapping[str, int], quote: dict[str, Value]) -> Said:
        self.position += rec["qty"] if rec["side"] == Side.BID else -rec["qty"]
        verb = "bought" if rec["side"] == Side.BID else "sold"
        text = f"fill: {verb} {quote['size']} at {quote['price']}"
        return (
            "INFO",
            "fill",
            text,
            quote
            | {
                "fee": self._money(rec["val"]),
                "reason": facts.fill_reason(rec["reason"]),
                "position": self._size(self.position),
            },
        )
