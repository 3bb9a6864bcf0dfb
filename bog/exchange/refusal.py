"""Refusals: a code, what it says, and the HTTP status it comes with."""

from __future__ import annotations

MESSAGES = {
    20001: "invalid param",
    20013: "invalid auth",
    21100: "account not found",
    21102: "invalid account index",
    21104: "invalid nonce",
    21105: "batch transaction nonce is not increasing",
    21109: "api key not found",
    21110: "invalid api key index",
    21113: "invalid initial margin fraction",
    21120: "invalid signature",
    21121: "all transactions in the batch must have use same account and apikey",
    21132: "margin mode change on a market with position or open order is not allowed",
    21500: "transaction not found",
    21501: "invalid tx info",
    21505: "unsupported tx type",
    21506: "too many pending txs. Please try again later",
    21507: "account is below maintenance margin, can't execute transaction",
    21511: "invalid tx type for account",
    21513: "TxInfos and TxTypes should have the same length",
    21514: "maximum 50 transactions allowed per batch",
    21600: "given order is not an active limit order",
    21602: "invalid market index",
    21605: "invalid market status",
    21613: "invalid margin mode",
    21619: "invalid market type",
    21700: "invalid order index",
    21701: "invalid base amount",
    21702: "invalid price",
    21703: "invalid isAsk",
    21704: "invalid OrderType",
    21705: "invalid OrderTimeInForce",
    21706: "invalid order base or quote amount",
    21708: "order is empty",
    21709: "order is inactive",
    21710: "unsupported order type",
    21711: "invalid expiry",
    21712: "account has a queued cancel all orders request",
    21713: "invalid cancel all time in force",
    21714: "invalid cancel all time",
    21717: "maximum active limit order count reached",
    21718: "maximum active limit order count per market reached",
    21727: "invalid client order index",
    21728: "client order index already exists",
    21729: "invalid order trigger price",
    21732: "reduce only increases position",
    21733: "order price flagged as an accidental price",
    21734: "limit order price is too far from the mark price",
    21739: "not enough margin to create the order",
    21740: "invalid reduce only mode",
    21743: "invalid order info",
    22400: "invalid timestamps: end_timestamp must be greater than start_timestamp",
    22402: "invalid resolution: resolution unsupported",
    23000: "Too Many Requests!",
    23001: "Too Many Subscriptions!",
    23003: "Too Many Connections!",
    29404: "not found",
    29500: "internal server error",
    30000: "Invalid Json",
    30001: "Invalid Type",
    30002: "Not Subscribed to ",
    30003: "Already Subscribed to ",
    30005: "Invalid Channel",
    30007: "Invalid Data",
    30009: "Too Many Websocket Messages!",
    30010: "Too Many Inflight Messages!",
    62002: "invalid tier",
    62003: "account already part of requested tier",
    62004: "account has open positions",
    62005: "account has open orders",
}
STATUS = {20001: 400, 20013: 401, 23000: 429, 29404: 404, 29500: 500}


class Refusal(Exception):
    """The venue says no. `detail` follows the message of the code, as the venue writes it."""

    def __init__(self, code: int, detail: str = "", status: int = 0) -> None:
        text = MESSAGES[code]
        super().__init__(f"{text}{detail}" if detail else text)
        self.code = code
        self.message = str(self)
        self.status = status or STATUS.get(code, 400)

    def body(self) -> dict[str, int | str]:
        """Return the JSON of the refusal."""
        return {"code": self.code, "message": self.message}
