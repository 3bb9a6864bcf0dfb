"""A book as text: for people, in a line, and as JSON with exact decimals."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from bog.sight import Book, Levels, seconds
from bog.units import half_text, text

BAR = 20  # characters of the longest bar


def moment(unix_ns: int) -> str:
    """Return a Unix time as 2026-01-31T12:00:00.123Z; "-" for 0."""
    if not unix_ns:
        return "-"
    when = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{unix_ns // 10**6 % 1000:03}Z"


def bar(qty: int, most: int, width: int = BAR) -> str:
    """Return a bar in eighths of a character; a size above 0 shows at least one eighth."""
    eighths = qty * width * 8 // most if most > 0 else 0
    eighths = min(width * 8, max(eighths, 1 if qty > 0 else 0))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def pretty(book: Book) -> str:
    """Return the ladder for people, asks above bids, with sizes added up from the touch."""
    px, qty = book.price_decimals, book.size_decimals
    most = max((lots for _, lots in book.bids + book.asks), default=0)
    head = f"market {book.market}  sequence {book.sequence}  {moment(book.received_ns)}"
    lines = [f"{head}  age {seconds(book.age_ns)}", f"{'':4}{'price':>14}{'size':>14}{'total':>14}"]
    for name, levels in (("ask", book.asks), ("bid", book.bids)):
        total, rows = 0, []
        for price, lots in levels:
            total += lots
            cells = f"{text(price, px):>14}{text(lots, qty):>14}{text(total, qty):>14}"
            rows.append(f"{name} {cells}  {bar(lots, most)}")
        if name == "ask":
            middle = f"{half_text(book.mid2, px):>14}" if book.mid2 else f"{'-':>14}"
            lines += [*reversed(rows), f"mid {middle}  {spread_words(book)}"]
        else:
            lines += rows
    bid, ask = (text(lots, qty) for lots in book.total)
    lines.append(
        f"imbalance {signed(book.imbalance)} %  bids {bid} on {len(book.bids)} of"
        f" {book.standing[0]} levels  asks {ask} on {len(book.asks)} of {book.standing[1]} levels"
    )
    return "\n".join(lines)


def signed(percent: str) -> str:
    """Return a percentage with its sign, "-" for none."""
    return percent if percent.startswith("-") else f"+{percent}" if percent else "-"


def spread_words(book: Book) -> str:
    """Return the spread in quote and in bps, or which side is empty."""
    if not book.mid2:
        empty = [side for side, levels in (("bids", book.bids), ("asks", book.asks)) if not levels]
        return f"no {' and no '.join(empty)}"
    crossed = "  CROSSED" if book.spread <= 0 else ""
    return f"spread {text(book.spread, book.price_decimals)} USD  {book.spread_bps} bps{crossed}"


def compact(book: Book) -> str:
    """Return the touch in one line."""
    px, qty = book.price_decimals, book.size_decimals
    sides = [
        f"{name} {text(levels[0][0], px)} x {text(levels[0][1], qty)}" if levels else f"{name} -"
        for name, levels in (("bid", book.bids), ("ask", book.asks))
    ]
    return (
        f"market {book.market} seq {book.sequence} {' '.join(sides)}"
        f" mid {half_text(book.mid2, px) if book.mid2 else '-'} {spread_words(book)}"
        f" imbalance {signed(book.imbalance)} % age {seconds(book.age_ns)}"
    )


def as_json(book: Book) -> str:
    """Return one line of JSON. Prices and sizes are exact decimals; what is not known is null."""
    px, qty = book.price_decimals, book.size_decimals

    def number(decimal: str) -> msgspec.Raw:
        return msgspec.Raw(decimal.encode() or b"null")

    def side(levels: Levels) -> list[dict[str, msgspec.Raw]]:
        return [
            {"price": number(text(price, px)), "size": number(text(lots, qty))}
            for price, lots in levels
        ]

    return msgspec.json.encode(
        {
            "market_id": book.market,
            "sequence": book.sequence,
            "epoch": book.epoch,
            "timestamps": {
                "exchange_ns": book.exchange_ns or None,
                "received_ns": book.received_ns or None,
                "read_ns": book.read_ns,
            },
            "age_ms": number(text(book.age_ns // 1000, 3)),
            "book_age_ms": number(text(book.still_ns // 1000, 3) if book.received_ns else ""),
            "mid_price": number(half_text(book.mid2, px) if book.mid2 else ""),
            "spread": number(text(book.spread, px) if book.mid2 else ""),
            "spread_bps": number(book.spread_bps),
            "imbalance": number(book.imbalance),
            "bids": side(book.bids),
            "asks": side(book.asks),
        }
    ).decode()
