"""Writes the messages of the built-in market as the venue's JSON frames of 2026."""

from typing import Any, Protocol

Fields = tuple[Any, ...]
OWN_ACCOUNT = 1
OTHER_ACCOUNT = 2
NEVER = 2**63 - 1
STATUS = (
    "open",
    "filled",
    "canceled",
    "canceled-post-only",
    "canceled-expired",
    "canceled-self-trade",
    "canceled-reduce-only",
)
TIF = {1: "post-only", 2: "good-till-time", 3: "immediate-or-cancel"}


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

    A row is (kind, side, px, qty, id, flags, venue ns, leave ns, a, b, c, d, e, f, own), where the
    letters are what market.h says of the kind.
    """
    kind = rows[0][0]
    if kind == "O":
        return order(names, market_id, rows[0])
    if kind == "P":
        return position(names, market_id, rows[0])
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


def order_index(market_id: int, number: int, side: int) -> int:
    """Return the venue's index: asks count up from the market's base, bids down from the next."""
    return ((market_id + 2) << 48) - number if side == 0 else ((market_id + 1) << 48) + number


def order(names: Names, market_id: int, row: Fields) -> bytes:
    """Return update/account_all_orders for one order of ours."""
    _, side, px, qty, client, status, venue_ns, _, *more = row
    number, filled, quote, expiry_ns, reduce_only, _, tif = more
    index = order_index(market_id, number, side)
    rest = qty - filled if STATUS[status] == "open" else 0
    seconds = venue_ns // 1_000_000_000
    return (
        f'{{"channel":"account_all_orders:{OWN_ACCOUNT}","orders":{{"{market_id}":[{{'
        f'"order_index":{index},"client_order_index":{client},"order_id":"{index}",'
        f'"client_order_id":"{client}","market_index":{market_id},'
        f'"owner_account_index":{OWN_ACCOUNT},'
        f'"initial_base_amount":"{decimal(qty, names.size_decimals)}",'
        f'"price":"{decimal(px, names.price_decimals)}","nonce":{index % 2**48},'
        f'"remaining_base_amount":"{decimal(rest, names.size_decimals)}",'
        f'"is_ask":{"true" if side else "false"},"base_size":{rest},"base_price":{px},'
        f'"filled_base_amount":"{decimal(filled, names.size_decimals)}",'
        f'"filled_quote_amount":"{decimal(quote, names.price_decimals + names.size_decimals)}",'
        f'"side":"","type":"limit","time_in_force":"{TIF[tif]}",'
        f'"reduce_only":{"true" if reduce_only else "false"},"trigger_price":"0.0",'
        f'"order_expiry":{0 if expiry_ns >= NEVER else expiry_ns // 1_000_000},'
        f'"status":"{STATUS[status]}","trigger_status":"na","trigger_time":0,'
        f'"parent_order_index":0,"parent_order_id":"0","to_trigger_order_id_0":"0",'
        f'"to_trigger_order_id_1":"0","to_cancel_order_id_0":"0",'
        f'"integrator_fee_collector_index":"0","integrator_taker_fee":"0",'
        f'"integrator_maker_fee":"0","order_flags":0,"block_height":0,"timestamp":{seconds},'
        f'"created_at":{seconds},"updated_at":{seconds},"transaction_time":{venue_ns // 1000}}}]}},'
        f'"type":"update/account_all_orders"}}'
    ).encode()


def position(names: Names, market_id: int, row: Fields) -> bytes:
    """Return update/account_all_positions; the average entry is rounded towards zero."""
    mark, pos = row[2:4]
    cost, realized, open_orders = row[8:11]
    places = names.price_decimals + names.size_decimals
    entry = abs(cost) // abs(pos) if pos else 0
    return (
        f'{{"channel":"account_all_positions:{OWN_ACCOUNT}","positions":{{"{market_id}":{{'
        f'"market_id":{market_id},"symbol":"{names.symbol}","open_order_count":{open_orders},'
        f'"pending_order_count":0,"position_tied_order_count":0,"sign":{-1 if pos < 0 else 1},'
        f'"position":"{decimal(abs(pos), names.size_decimals)}",'
        f'"avg_entry_price":"{decimal(entry, names.price_decimals)}",'
        f'"position_value":"{decimal(abs(pos) * mark, places)}",'
        f'"unrealized_pnl":"{decimal(pos * mark - cost, places)}",'
        f'"realized_pnl":"{decimal(realized, places)}","liquidation_price":"0","margin_mode":0,'
        f'"allocated_margin":"0.000000"}}}},"shares":[],"type":"update/account_all_positions"}}'
    ).encode()


def trade(
    names: Names, market_id: int, rows: list[Fields], maker_ppm: int, taker_ppm: int
) -> bytes:
    """Return update/trade: newest first; liquidations in their own list; zero fees left out."""
    lists: dict[bool, list[str]] = {False: [], True: []}
    for row in reversed(rows):
        _, side, px, qty, trade_id, flags, venue_ns, _, *ids = row
        maker, taker, _, _, client_m, client_t, own = ids
        liquidation = bool(flags & 4)
        maker_ask = side == 0
        maker = order_index(market_id, maker, 1 - side)
        taker = order_index(market_id, taker, side)
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
    _, _, mark, index, rate, _, _, leave_ns, paid, last, funding_ns, _, bid, ask, _ = row
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
