"""Writes the messages of the built-in market as the venue's JSON frames of 2026."""

from typing import Any, Protocol

Fields = tuple[Any, ...]
OWN_ACCOUNT = 1
OTHER_ACCOUNT = 2


class Names(Protocol):
    """What a frame says about its market."""

    price_decimals: int
    size_decimals: int
    symbol: str


def decimal(value: int, places: int) -> str:
    """Return value / 10**places with all its places."""
    if places == 0:
        return str(value)
    whole, rest = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{places}d}"


def frame(
    names: Names, market_id: int, rows: list[Fields], maker_ppm: int, taker_ppm: int
) -> bytes:
    """Return the frame of one message, keys in the venue's order, without blanks.

    A row is (kind, side, px, qty, id, flags, venue ns, leave ns, a, b, c, e, f, own), where the
    letters are what market.h says of the kind.
    """
    kind = rows[0][0]
    if kind == "T":
        return trade(names, market_id, rows, maker_ppm, taker_ppm)
    if kind == "S":
        return stats(names, market_id, rows[0])
    return book(names, market_id, rows)


def book(names: Names, market_id: int, rows: list[Fields]) -> bytes:
    """Return subscribed/order_book or update/order_book."""
    snapshot = rows[0][0] == "R"
    _, _, _, _, nonce, _, venue_ns, leave_ns, before, offset, *_ = rows[0]
    sides = []
    for side in (1, 0):
        levels = [
            f'{{"price":"{decimal(r[2], names.price_decimals)}",'
            f'"size":"{decimal(r[3], names.size_decimals)}"}}'
            for r in rows
            if r[0] == "L" and r[1] == side
        ]
        sides.append(",".join(levels))
    family = "subscribed" if snapshot else "update"
    return (
        f'{{"channel":"order_book:{market_id}","last_updated_at":{venue_ns // 1000},'
        f'"offset":{offset},"order_book":{{"code":0,"asks":[{sides[0]}],"bids":[{sides[1]}],'
        f'"offset":{offset},"nonce":{nonce},"last_updated_at":{venue_ns // 1000},'
        f'"begin_nonce":{before}}},"timestamp":{leave_ns // 1000000},'
        f'"type":"{family}/order_book"}}'
    ).encode()


def trade(
    names: Names, market_id: int, rows: list[Fields], maker_ppm: int, taker_ppm: int
) -> bytes:
    """Return update/trade: newest first; liquidations in their own list; zero fees left out."""
    lists: dict[bool, list[str]] = {False: [], True: []}
    for row in reversed(rows):
        _, side, px, qty, trade_id, flags, venue_ns, _, maker, taker, _, client_m, client_t, own = (
            row
        )
        liquidation = bool(flags & 4)
        maker_ask = side == 0
        maker_account = OWN_ACCOUNT if own & 1 else OTHER_ACCOUNT
        taker_account = OWN_ACCOUNT if own & 2 else OTHER_ACCOUNT
        ask, bid = (maker, taker) if maker_ask else (taker, maker)
        ask_client, bid_client = (client_m, client_t) if maker_ask else (client_t, client_m)
        ask_account, bid_account = (
            (maker_account, taker_account) if maker_ask else (taker_account, maker_account)
        )
        fees = f',"taker_fee":{taker_ppm}' if taker_ppm else ""
        fees += f',"maker_fee":{maker_ppm}' if maker_ppm else ""
        usd = decimal(px * qty, names.price_decimals + names.size_decimals)
        lists[liquidation].append(
            f'{{"trade_id":{trade_id},"trade_id_str":"{trade_id}","tx_hash":"{trade_id:080x}",'
            f'"type":"{"liquidation" if liquidation else "trade"}","market_id":{market_id},'
            f'"size":"{decimal(qty, names.size_decimals)}",'
            f'"price":"{decimal(px, names.price_decimals)}","usd_amount":"{usd}",'
            f'"ask_id":{ask},"ask_id_str":"{ask}","bid_id":{bid},"bid_id_str":"{bid}",'
            f'"ask_client_id":{ask_client},"ask_client_id_str":"{ask_client}",'
            f'"bid_client_id":{bid_client},"bid_client_id_str":"{bid_client}",'
            f'"ask_account_id":{ask_account},"bid_account_id":{bid_account},'
            f'"is_maker_ask":{"true" if maker_ask else "false"},"block_height":0,'
            f'"timestamp":{venue_ns // 1000000}{fees},"transaction_time":{venue_ns // 1000}}}'
        )
    return (
        f'{{"channel":"trade:{market_id}","liquidation_trades":[{",".join(lists[True])}],'
        f'"nonce":{rows[0][10]},"trades":[{",".join(lists[False])}],"type":"update/trade"}}'
    ).encode()


def stats(names: Names, market_id: int, row: Fields) -> bytes:
    """Return update/market_stats; rates in percent per hour."""
    _, _, mark, index, rate, _, _, leave_ns, paid, last, funding_ns, bid, ask, _ = row
    places = names.price_decimals
    mid = decimal((bid + ask) * 5, places + 1) if bid and ask else ""
    return (
        f'{{"channel":"market_stats:{market_id}","market_stats":{{"symbol":"{names.symbol}",'
        f'"market_id":{market_id},"index_price":"{decimal(index, places)}",'
        f'"mark_price":"{decimal(mark, places)}","mid_price":"{mid}",'
        f'"best_ask_price":"{decimal(ask, places) if ask else ""}",'
        f'"best_bid_price":"{decimal(bid, places) if bid else ""}",'
        f'"last_trade_price":"{decimal(last, places)}",'
        f'"current_funding_rate":"{decimal(rate, 4)}","funding_rate":"{decimal(paid, 4)}",'
        f'"funding_timestamp":{funding_ns // 1000000}}},"timestamp":{leave_ns // 1000000},'
        f'"type":"update/market_stats"}}'
    ).encode()
