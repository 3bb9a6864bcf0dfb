"""Reading the journal: the layout as numpy types, recovery after a kill, and the fold.

The disk file of a run is a page of HEADER and then RECORDs, each sealed by a CRC-32C that continues
the one before, so that the crc of record k vouches for the header and for records 1 to k.
docs/formats.md has the same in words.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bog._core.journal import (
    HEADER_MAGIC,
    PAGE,
    SEGMENT_MAGIC,
    SEGMENTS,
    VERSION,
    crc32c,
    lock,
    segment_name,
    verify,
)
from bog._core.types import Halt, JournalKind, OrderState, Reject, Side, StateWord
from bog.errors import ConfigError, JournalDamaged

RECORD = np.dtype(
    [
        ("seq", "<u8"),
        ("time_ns", "<i8"),
        ("id", "<u8"),
        ("px", "<i8"),
        ("qty", "<i8"),
        ("val", "<i8"),
        ("kind", "u1"),
        ("side", "u1"),
        ("reason", "u1"),
        ("state", "u1"),
        ("market", "<u4"),
        ("aux", "<u4"),
        ("crc", "<u4"),
    ]
)
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("market", "<u4"),
        ("account", "<u8"),
        ("run", "<u8"),
        ("price_decimals", "u1"),
        ("size_decimals", "u1"),
        ("mode", "u1"),
        ("pad", "V5"),
        ("run_id", "S32"),
        ("build", "S56"),
        ("config_hash", "V32"),
        ("zero", "V3932"),
        ("crc", "<u4"),
    ]
)
SEGMENT = np.dtype(
    {
        "names": (
            *("magic", "version", "market", "account", "run", "capacity", "header_crc", "pid"),
            *("written", "durable", "failed", "path"),
        ),
        "formats": (
            *("S8", "<u4", "<u4", "<u8", "<u8", "<u8", "<u4", "<u4"),
            *("<u8", "<u8", "<i4", "S3904"),
        ),
        "offsets": (0, 8, 12, 16, 24, 32, 40, 44, 64, 128, 136, 192),
        "itemsize": PAGE,
    }
)
WORDS = len(StateWord) - 1  # the last member counts them
INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Header:
    """What the first page of a run's file says."""

    market: int
    account: int
    run: int
    price_decimals: int
    size_decimals: int
    mode: int
    run_id: str
    build: str
    config_hash: bytes
    crc: int


@dataclass(frozen=True)
class Run:
    """The whole records of one disk file; `torn` bytes behind them do not make a record."""

    path: Path
    header: Header
    records: np.ndarray[Any, np.dtype[np.void]]
    torn: int


@dataclass
class OpenOrder:
    """An order not proven dead: price in ticks, sizes in lots, `state` of enum OrderState."""

    id: int
    side: int
    px: int
    qty: int
    filled: int = 0
    state: int = OrderState.ORDER_IN_FLIGHT
    before: int = OrderState.ORDER_IN_FLIGHT
    venue_id: int = 0
    expiry_ns: int = 0
    amend_px: int = 0
    amend_qty: int = 0


@dataclass(frozen=True)
class Recovered:
    """What a market's journal says at the moment its last process died.

    `run` is the newest run that became ready, 0 when there is none; `next_run` is the number for
    the next file. `words` are the 18 of enum StateWord. `records` were read of that run, `cut` bytes
    of torn tail were dropped from the file: a command among them is possibly sent. `void` counts
    newer runs that died before they were ready.
    """

    run: int
    next_run: int
    words: tuple[int, ...]
    open_orders: tuple[OpenOrder, ...] = ()
    records: int = 0
    cut: int = 0
    void: int = 0
    header: Header | None = None


def fresh_words() -> list[int]:
    """Return the state words of an account that never traded."""
    words = [0] * WORDS
    words[StateWord.W_NEXT_ORDER_ID] = 1
    return words


@dataclass
class Fold:
    """The exact replay of one run's records to the state words and the orders alive.

    apply() takes records in order, as the tuples of RECORD, and returns "" or, for a record that no
    sound engine writes, one line that says why. It applies such a record all the same: a fill is
    money, whatever we think of it.
    """

    words: list[int] = field(default_factory=fresh_words)
    orders: dict[int, OpenOrder] = field(default_factory=dict)
    ready: bool = False
    seen: int = 0
    last_ns: int = INT64.start

    def apply(self, record: tuple[int, ...]) -> str:
        """Apply one record; return "" or what is implausible about it."""
        _, time_ns, id, px, qty, val, kind, side, reason, state, _, _, _ = record
        words, orders = self.words, self.orders
        doubt = ""
        if kind == JournalKind.J_STATE:
            if reason >= WORDS:
                doubt = f"state word {reason} is unknown"
            else:
                if self.ready or reason != self.seen:
                    doubt = f"state word {reason} is out of order"
                words[reason] = val
                self.seen += 1
            return doubt
        if kind == JournalKind.J_READY:
            if self.ready or self.seen != WORDS:
                doubt = f"ready after {self.seen} state words instead of {WORDS}"
            self.ready = True
            return doubt
        if not self.ready:
            if kind == JournalKind.J_RUN and self.seen == 0:
                return ""
            if kind == JournalKind.J_CANCELED and reason == Reject.REJ_RESTART:
                return ""
            doubt = f"{kind_name(kind)} before the carried state is complete"
        elif time_ns < self.last_ns:
            doubt = f"time goes back by {self.last_ns - time_ns} ns"
        self.last_ns = words[StateWord.W_LAST_NS] = time_ns
        match kind:
            case JournalKind.J_PLACE:
                words[StateWord.W_COMMANDS] += 1
                if id < words[StateWord.W_NEXT_ORDER_ID]:
                    doubt = f"order id {id} is used again"
                words[StateWord.W_NEXT_ORDER_ID] = max(words[StateWord.W_NEXT_ORDER_ID], id + 1)
                orders[id] = OpenOrder(id, side, px, qty, expiry_ns=val)
            case JournalKind.J_CANCEL_ALL:
                words[StateWord.W_COMMANDS] += 1
            case JournalKind.J_FILL:
                doubt = self._fill(id, side, px, qty, val) or doubt
            case JournalKind.J_FUNDING:
                words[StateWord.W_CASH] -= val
                words[StateWord.W_FUNDING] -= val
            case JournalKind.J_PEAK:
                words[StateWord.W_PEAK] = val
                words[StateWord.W_MARK2] = px
            case JournalKind.J_DAY:
                if id < words[StateWord.W_DAY]:
                    doubt = f"the day goes back to {id}"
                words[StateWord.W_DAY] = id
                words[StateWord.W_DAY_OPEN] = val
                words[StateWord.W_PEAK] = 0
                words[StateWord.W_MARK2] = px
            case JournalKind.J_HALT:
                words[StateWord.W_HALT] = reason
                words[StateWord.W_HALT_ID] = id
            case JournalKind.J_CLEAR_HALT:
                if words[StateWord.W_HALT] == Halt.HALT_NONE or id != words[StateWord.W_HALT_ID]:
                    doubt = f"halt {id} is cleared but does not stand"
                words[StateWord.W_HALT] = Halt.HALT_NONE
            case JournalKind.J_LEVEL:
                words[StateWord.W_LEVEL] = state
            case _ if JournalKind.J_AMEND <= kind <= JournalKind.J_UNKNOWN:
                doubt = self._order(kind, id, px, qty, val) or doubt
            case _ if JournalKind.J_DENIED <= kind <= JournalKind.J_END:
                pass
            case _:
                doubt = f"{kind_name(kind)} is not expected here"
        return doubt

    def _fill(self, id: int, side: int, px: int, qty: int, fee: int) -> str:
        """Move the position, then the order, by a fill of ours on `side`."""
        doubt = "" if self._move(side, px, qty, fee) else "the fill overflows the position"
        order = self.orders.get(id)
        if order is None:
            # a fill that was under way when the order died is late, not wrong
            known = id < self.words[StateWord.W_NEXT_ORDER_ID]
            return doubt or ("" if known else f"fill of order {id}, which was never placed")
        if order.side != side:
            doubt = f"fill of order {id} on the wrong side"
        order.filled += qty
        if order.filled > order.qty and not order.amend_qty:
            doubt = f"order {id} is filled by {order.filled} of {order.qty} lots"
        if order.filled >= max(order.qty, order.amend_qty):
            del self.orders[id]
        else:
            self._stand(order)
        return doubt

    def _move(self, side: int, px: int, qty: int, fee: int) -> bool:
        """Apply a fill to the position words; return False, nothing changed, past 64 bits.

        A reduction takes floor(cost * closed / |pos|) out of the cost, in signed arithmetic: the
        engine's rule, which rounds against a long and for a short, and leaves no cost at zero.
        """
        words = self.words
        signed = qty if side == Side.BID else -qty
        pos, cost = words[StateWord.W_POS], words[StateWord.W_COST]
        closed = min(qty, abs(pos)) if pos * signed < 0 else 0
        removed = cost * closed // abs(pos) if closed else 0
        opened = qty - closed
        after = {
            StateWord.W_POS: pos + signed,
            StateWord.W_COST: cost - removed + (opened if signed > 0 else -opened) * px,
            StateWord.W_CASH: words[StateWord.W_CASH] - signed * px - fee,
            StateWord.W_REALIZED: words[StateWord.W_REALIZED]
            - removed
            + (-closed if signed > 0 else closed) * px,
            StateWord.W_FEES: words[StateWord.W_FEES] + fee,
            StateWord.W_VOLUME: words[StateWord.W_VOLUME] + px * qty,
        }
        if any(value not in INT64 for value in after.values()):
            return False
        for word, value in after.items():
            words[word] = value
        words[StateWord.W_FILLS] += 1
        return True

    def _order(self, kind: int, id: int, px: int, qty: int, val: int) -> str:
        """Move one order by an intent or a report of the venue."""
        if kind in (JournalKind.J_AMEND, JournalKind.J_CANCEL):
            self.words[StateWord.W_COMMANDS] += 1
        order = self.orders.get(id)
        if order is None:
            if kind in (JournalKind.J_CANCEL_REJECT, JournalKind.J_AMEND_REJECT):
                return ""  # the order died while we asked
            return f"{kind_name(kind)} of order {id}, which is not alive"
        match kind:
            case JournalKind.J_AMEND:
                order.before = order.state
                order.state = OrderState.ORDER_AMEND_SENT
                order.amend_px, order.amend_qty = px, qty
            case JournalKind.J_CANCEL:
                order.before = order.state
                order.state = OrderState.ORDER_CANCEL_SENT
            case JournalKind.J_ACK:
                order.venue_id = val
                self._stand(order)
            case JournalKind.J_AMENDED:
                order.px, order.qty = px, qty
                order.amend_px = order.amend_qty = 0
                if order.state == OrderState.ORDER_AMEND_SENT:
                    order.state = order.before
                self._stand(order)
                if order.filled >= order.qty:
                    del self.orders[id]
            case JournalKind.J_AMEND_REJECT | JournalKind.J_CANCEL_REJECT:
                order.state = order.before
                if kind == JournalKind.J_AMEND_REJECT:
                    order.amend_px = order.amend_qty = 0
            case JournalKind.J_UNKNOWN:
                order.state = OrderState.ORDER_UNKNOWN
            case _:  # rejected, canceled, expired: dead
                del self.orders[id]
        return ""

    def _stand(self, order: OpenOrder) -> None:
        """The venue has the order: it rests, now or once the request under way is refused."""
        rests = OrderState.ORDER_PARTIAL if order.filled else OrderState.ORDER_RESTING
        if order.state in (OrderState.ORDER_CANCEL_SENT, OrderState.ORDER_AMEND_SENT):
            order.before = rests
        else:
            order.state = rests


def kind_name(kind: int) -> str:
    """Return the name of a record's kind without its prefix, or its number when it has none."""
    try:
        return str(JournalKind(kind).name).removeprefix("J_").lower()
    except ValueError:
        return f"kind {kind}"


def run_files(directory: Path | str, market: int | None = None) -> list[tuple[int, int, Path]]:
    """Return (market, run, path) of every run file in `directory`, oldest run first."""
    found = []
    for path in Path(directory).glob("m*-r*.journal"):
        with contextlib.suppress(ValueError):
            of, run = (int(part[1:]) for part in path.stem.split("-"))
            if market is None or of == market:
                found.append((of, run, path))
    return sorted(found)


def parse_header(page: bytes, path: Path) -> Header | None:
    """Return the header in `page`, None when it is not whole; refuse another version."""
    if len(page) < PAGE:
        return None
    raw = np.frombuffer(page, HEADER, 1)[0]
    if raw["magic"] != HEADER_MAGIC or int(raw["crc"]) != crc32c(page[: PAGE - 4]):
        return None
    if raw["version"] != VERSION:
        raise ConfigError(f"{path} is of journal version {raw['version']}: this reads {VERSION}")
    return Header(
        market=int(raw["market"]),
        account=int(raw["account"]),
        run=int(raw["run"]),
        price_decimals=int(raw["price_decimals"]),
        size_decimals=int(raw["size_decimals"]),
        mode=int(raw["mode"]),
        run_id=bytes(raw["run_id"]).decode("utf-8", "replace"),
        build=bytes(raw["build"]).decode("utf-8", "replace"),
        config_hash=bytes(raw["config_hash"]),
        crc=int(raw["crc"]),
    )


def read(path: Path | str) -> Run:
    """Return the whole records of a disk file, changing nothing.

    Raise JournalDamaged when the header or a record before the tail is damaged.
    """
    path = Path(path)
    data = path.read_bytes()
    header = parse_header(data[:PAGE], path)
    if header is None:
        raise JournalDamaged(f"{path}: the header is damaged or missing")
    whole = verify(data[PAGE:], header.crc)[0]
    refuse_damage(path, data[PAGE:], whole)
    records = np.frombuffer(data, RECORD, whole, PAGE)
    return Run(path, header, records, len(data) - PAGE - whole * RECORD.itemsize)


def refuse_damage(path: Path, data: bytes, whole: int) -> None:
    """Raise JournalDamaged when a later record stands behind the first `whole` ones of `data`.

    What follows the last whole record is a torn tail only if no record number of the file's later
    part appears in it: after a torn write there is nothing behind.
    """
    count = len(data) // RECORD.itemsize
    rest = np.frombuffer(data, RECORD, count - whole, whole * RECORD.itemsize)["seq"]
    if np.any((rest > whole + 1) & (rest <= count)):
        raise JournalDamaged(
            f"{path}: record {whole + 1} at byte {PAGE + whole * RECORD.itemsize} is damaged and "
            f"records follow it ({whole} before it are whole): restore the file, or move it away "
            "to start without it"
        )


def recover(
    directory: Path | str,
    market: int,
    *,
    account: int | None = None,
    segments: Path | str = SEGMENTS,
) -> Recovered:
    """Return the state of a market's account as its last process left it.

    Finishes the disk file from the memory segment of a killed process, cuts a torn tail, and folds
    the newest run that became ready. May itself be killed anywhere and run again: the result is the
    same. An empty or missing directory is an account that never traded.

    Raise JournalDamaged when records are damaged or missing that had been durable; ConfigError when
    the journal is in use, of another account or version, not ours, or its disk refuses.
    """
    directory = Path(directory)
    files = run_files(directory, market) if directory.is_dir() else []
    if not files:
        return Recovered(0, 1, tuple(fresh_words()))
    held = lock(directory, market)
    try:
        next_run = files[-1][1] + 1
        void = 0
        for _, run, path in reversed(files):
            segment = Path(segments) / segment_name(directory, market, run)
            finished = _finish(path, segment, market, run, account)
            if finished is not None:
                whole, fold = finished
                if fold.ready:
                    return Recovered(
                        run,
                        next_run,
                        tuple(fold.words),
                        tuple(fold.orders.values()),
                        len(whole.records),
                        whole.torn,
                        void,
                        whole.header,
                    )
            void += 1
        return Recovered(0, next_run, tuple(fresh_words()), void=void)
    except OSError as error:
        raise ConfigError(f"cannot recover {directory}: {error}") from error
    finally:
        os.close(held)


def fold(records: np.ndarray[Any, np.dtype[np.void]]) -> Fold:
    """Return the fold of one run's records."""
    folded = Fold()
    for record in records.tolist():
        folded.apply(record)
    return folded


def _finish(
    path: Path, segment: Path, market: int, run: int, account: int | None
) -> tuple[Run, Fold] | None:
    """Make a run's file whole on disk and return it with its fold; None when it never began."""
    with _ours(path, os.O_RDWR) as fd:
        data = _contents(fd)
        header = parse_header(data[:PAGE], path)
        if header is None:
            if len(data) > PAGE:
                raise JournalDamaged(f"{path}: the header is damaged and records follow it")
            return None  # killed while it was created: no record can exist
        if (header.market, header.run) != (market, run):
            raise ConfigError(
                f"{path} is run {header.run} of market {header.market}, not run {run} of "
                f"market {market}: its name is wrong"
            )
        if account is not None and header.account != account:
            raise ConfigError(
                f"{path} belongs to account {header.account}, not {account}: give each account "
                "its own directory"
            )
        ring = _ring(segment, header)
        data = data[PAGE:]
        whole, crc = verify(data, header.crc)
        tail, failed = b"", 0
        if ring is None:
            refuse_damage(path, data, whole)
        else:
            durable, tail, failed = ring
            if whole < durable:
                raise JournalDamaged(
                    f"{path}: record {whole + 1} of {durable} durable ones is damaged or missing"
                )
            whole = durable
            crc = _last_crc(data[: whole * RECORD.itemsize], header)
            good, crc = verify(tail, crc, durable + 1)
            if good * RECORD.itemsize != len(tail):
                raise JournalDamaged(f"{segment} does not continue {path} at record {durable + 1}")
        kept = data[: whole * RECORD.itemsize]
        folded = fold(np.frombuffer(kept + tail, RECORD))
        if failed and folded.ready:
            tail += _seal(folded, header, whole + len(tail) // RECORD.itemsize + 1, crc, failed)
        _write(fd, tail, PAGE + len(kept))
        os.ftruncate(fd, PAGE + len(kept) + len(tail))
        os.fdatasync(fd)
        if ring is not None:
            segment.unlink()
        torn = len(data) - len(kept) if ring is None else 0
        return Run(path, header, np.frombuffer(kept + tail, RECORD), torn), folded


def _seal(folded: Fold, header: Header, seq: int, crc: int, error: int) -> bytes:
    """Return the halt that ends the file of a journal whose disk failed, and fold it.

    The engine could not write it any more; what follows needs an operator who clears it.
    """
    record = np.zeros(1, RECORD)
    record["seq"] = seq
    record["time_ns"] = folded.words[StateWord.W_LAST_NS]
    record["id"] = folded.words[StateWord.W_HALT_ID] + 1
    record["kind"] = JournalKind.J_HALT
    record["reason"] = Halt.HALT_JOURNAL
    record["val"] = error
    record["market"] = header.market
    record["crc"] = crc32c(record.tobytes()[:60], crc)
    folded.apply(record[0].item())
    return record.tobytes()


def _ring(segment: Path, header: Header) -> tuple[int, bytes, int] | None:
    """Return (durable, bytes of the records after, errno) of a killed process's segment.

    None when there is none, or one that belongs to another file.
    """
    try:
        with _ours(segment, os.O_RDONLY) as fd:
            data = _contents(fd)
    except FileNotFoundError:
        return None
    if len(data) < PAGE:
        return None
    page = np.frombuffer(data, SEGMENT, 1)[0]
    if page["magic"] != SEGMENT_MAGIC or int(page["header_crc"]) != header.crc:
        return None
    written, durable = int(page["written"]), int(page["durable"])
    capacity = (len(data) - PAGE) // RECORD.itemsize
    if capacity != page["capacity"] or not 0 <= written - durable <= capacity:
        raise JournalDamaged(
            f"{segment}: {written} records written, {durable} durable do not fit its ring"
        )
    slots = np.frombuffer(data, RECORD, capacity, PAGE)
    tail = slots[np.arange(durable, written) % capacity] if written > durable else slots[:0]
    return durable, tail.tobytes(), int(page["failed"])


def _last_crc(kept: bytes, header: Header) -> int:
    """Return the crc that the record behind `kept` continues."""
    return int(np.frombuffer(kept, RECORD)["crc"][-1]) if kept else header.crc


@contextlib.contextmanager
def _ours(path: Path, flags: int) -> Iterator[int]:
    """Open a regular file of this user, following no link."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid():
            raise ConfigError(f"{path} is not a regular file of user {os.geteuid()}: refused")
        yield fd
    finally:
        os.close(fd)


def _contents(fd: int) -> bytes:
    """Return the whole file behind `fd`."""
    with open(fd, "rb", closefd=False) as file:
        return file.read()


def _write(fd: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`."""
    while data:
        put = os.pwrite(fd, data, offset)
        data, offset = data[put:], offset + put
