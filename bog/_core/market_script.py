"""Reads the script of incidents of the built-in market; the class Market documents its grammar."""

from decimal import Decimal, InvalidOperation

KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "gap": (1, ("count",)),
    "stall": (2, ("seconds",)),
    "reconnect": (3, ("seconds",)),
    "duplicate": (4, ("count",)),
    "malformed": (5, ("count",)),
    "refuse": (6, ("count",)),
    "lose-ack": (7, ("count",)),
    "late-cancel": (8, ("seconds",)),
    "one-sided": (9, ("side", "seconds")),
    "locked": (10, ("count",)),
    "crossed": (11, ("count",)),
    "jump": (12, ("percent",)),
    "spread": (13, ("count", "seconds")),
    "burst": (14, ("count", "seconds")),
    "cascade": (15, ("side", "seconds")),
    "halt": (16, ("seconds",)),
    "clock": (17, ("signed seconds",)),
}
SIDES = {"bid": 0, "ask": 1}
LONGEST_S = 1_000_000
MOST = 1000


def parse_script(text: str) -> list[tuple[int, int, int, int]]:
    """Return (time in ns after the start, kind, a, b) per incident, in order of time.

    Times and seconds have at most nine decimals, percents four. ValueError names the line and what
    would be right.
    """
    incidents = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            incidents.append(parse_line(words))
        except ValueError as error:
            raise ValueError(f"script line {number}: {error}") from None
    return sorted(incidents, key=lambda incident: incident[0])


def parse_line(words: list[str]) -> tuple[int, int, int, int]:
    """Return one incident; ValueError says what is wrong with its words."""
    if len(words) < 2 or words[1] not in KINDS:
        raise ValueError(f"{' '.join(words)!r} is not a time and one of {', '.join(KINDS)}")
    kind, wanted = KINDS[words[1]]
    if len(words) != 2 + len(wanted):
        raise ValueError(f"{words[1]} takes {' and '.join(wanted)}, not {' '.join(words[2:])!r}")
    values = [parse_value(what, word) for what, word in zip(wanted, words[2:], strict=True)]
    return parse_value("time", words[0]), kind, values[0], values[1] if len(values) > 1 else 0


def parse_value(what: str, word: str) -> int:
    """Return an argument in the core's unit: ns, a count, a side, or millionths for percents."""
    if what == "side":
        if word not in SIDES:
            raise ValueError(f"{word!r} is neither bid nor ask")
        return SIDES[word]
    try:
        number = Decimal(word)
    except InvalidOperation:
        raise ValueError(f"{word!r} is not a number") from None
    if what == "count":
        low, high, scale = Decimal(1), Decimal(MOST), 0
    elif what == "percent":
        low, high, scale = Decimal(-20), Decimal(20), 4
    elif what == "signed seconds":
        low, high, scale = Decimal(-LONGEST_S), Decimal(LONGEST_S), 9
    else:
        low, high, scale = Decimal(0), Decimal(LONGEST_S), 9
    if not number.is_finite() or not low <= number <= high:
        raise ValueError(f"{what} {word} is not between {low} and {high}")
    scaled = number.scaleb(scale)
    if scaled != int(scaled):
        raise ValueError(f"{what} {word} has more than {scale} decimals")
    return int(scaled)
