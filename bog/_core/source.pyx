"""Recordings as a stream of rows: format 1, format 2, Lighter frames and bog's own tapes.

`open_source` recognizes a file by what it holds, not by its name. A source reads the whole file
once when it is opened and refuses a damaged one there, so that a replay cannot stop half way.
"""

import hashlib
import mmap
import os
import time
import tomllib
import zlib
from pathlib import Path

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset, strlen
from posix.unistd cimport write as posix_write

from bog._core.frames cimport (
    FRAME_ROWS, FrameParser, Json, Text, frame_message, json_expect, json_fail, json_member,
    json_number, json_skip, json_space, parse_frame, text_is, BAD_DUPLICATE, BAD_MISSING,
    BAD_SYNTAX,
)
from bog._core.frames import MarketRow
from bog._core.memory cimport lines as cache_lines
from bog._core.types cimport (
    F_SNAPSHOT, NEVER, PX_MAX, QTY_MAX, ROW_LEVEL, ROW_RESET, ROW_TRADE, Row, ns_t, px_t, qty_t,
)

cdef enum:
    ROWS = 1
    ORDERS = 2
    FRAMES = 3
    TAPE = 4

cdef enum:
    UNREAD = 2  # no row is ready; else 1 ready, 0 the end, -1 damaged

cdef enum:
    BUFFER = 1 << 20

FORMATS = {ROWS: "rows", ORDERS: "orders", FRAMES: "frames", TAPE: "tape"}
UNPACKED_MAX = 4 << 30  # bytes: a packed file is unpacked into memory
CHUNK = 1 << 22
HEAD = sizeof(TapeHead)

crc_start()


@cython.final
cdef class Source:
    """One recording of one market as rows in receive order. Made by `open_source`.

    `rows`, `messages`, `rows_by_kind`, `first_recv_ns` and `last_recv_ns` are known from the start.
    `note` says what was left out (the torn end of a tape), "" when nothing was. Rows of a message
    that begins with a reset carry F_SNAPSHOT; gen, seq and market of all rows are 0.
    """

    def __cinit__(self, str path, data, int kind, market, price_decimals, size_decimals):
        self.path = path
        self.name = os.path.basename(path)
        self.note = ""
        self.market = market
        self.price_decimals = price_decimals
        self.size_decimals = size_decimals
        self.kind = kind
        self.format = FORMATS[kind]
        self.hold = data
        self.view = memoryview(data)
        self.lines.data = <const char *> &self.view[0]
        self.lines.size = self.view.shape[0]
        self.one = <Row *> cache_lines(sizeof(Row))
        if self.one == NULL:
            raise MemoryError("no memory for a row")
        if kind == FRAMES:
            self.parser = <FrameParser *> cache_lines(sizeof(FrameParser))
            self.batch = <Row *> cache_lines(FRAME_ROWS * sizeof(Row))
            if self.parser == NULL or self.batch == NULL:
                raise MemoryError("no memory for a frame parser")
            self.batch_cap = FRAME_ROWS
            self.parser.market = market
            self.parser.price_decimals = price_decimals
            self.parser.size_decimals = size_decimals
        elif kind == TAPE:
            self.measure_tape()
        self.start()
        self.scan()

    def __dealloc__(self):
        free(self.one)
        free(self.batch)
        free(self.parser)
        free(self.touched)
        map_clear(&self.orders)
        map_clear(&self.levels)

    # ---- the C face ----

    cdef int next(self, Row *out) noexcept nogil:
        """Take the next row: 1 and the row, 0 at the end, -1 when the recording is damaged."""
        cdef int more = self.load()
        if more > 0:
            out[0] = self.one[0]
            self.seen_ns = out.recv_ns
            self.state = UNREAD
        return more

    cdef ns_t peek(self) noexcept nogil:
        """Return recv_ns of the next row, NEVER at the end.

        Where the recording is damaged, the time of the row before: the reader then calls next and
        learns of it.
        """
        cdef int more = self.load()
        return self.one.recv_ns if more == 1 else NEVER if more == 0 else self.seen_ns

    cdef void start(self) noexcept nogil:
        """Go to the first row."""
        self.lines.line = 0
        self.lines.last_ns = 0
        self.lines.in_message = self.lines.snapshot = 0
        self.lines.at = 0
        self.state = UNREAD
        self.seen_ns = 0
        self.batch_n = self.batch_at = 0
        self.frame_error = 0
        if self.kind == ROWS:
            self.lines.at = strlen(ROWS_HEADER)
            self.lines.line = 1
        elif self.kind == ORDERS:
            self.lines.at = strlen(ORDERS_HEADER)
            self.lines.line = 1
            map_clear(&self.orders)
            map_clear(&self.levels)
            self.touched_n = self.prints = self.group = 0
            self.has_held = 0
        elif self.kind == TAPE:
            self.lines.at = sizeof(TapeHead)
        elif self.kind == FRAMES:
            self.parser.chain = self.parser.after_gap = 0
            self.parser.last = 0
            self.parser.frames = self.parser.duplicates = self.parser.gaps = 0
            self.parser.orphans = self.parser.inexact = 0

    cdef int load(self) noexcept nogil:
        """Have the next row ready in `one`; return 1, 0 or -1 as `next` does."""
        if self.state != UNREAD:
            return self.state
        if self.kind == ROWS:
            self.state = csv_read(&self.lines, self.one)
            return self.state
        if self.kind == TAPE:
            self.state = self.load_tape()
            return self.state
        if self.batch_at == self.batch_n:
            self.batch_n = self.batch_at = 0
            self.state = self.fill_frames() if self.kind == FRAMES else self.fill_orders()
            if self.state != 1:
                return self.state
        self.one[0] = self.batch[self.batch_at]
        self.batch_at += 1
        self.state = 1
        return 1

    # ---- tapes ----

    def measure_tape(self):
        """Find the last whole message; refuse damage that has whole rows behind it."""
        cdef uint64_t count = (self.lines.size - sizeof(TapeHead)) // sizeof(Row)
        cdef uint64_t i, good = 0, whole = 0
        cdef ns_t last = 0
        cdef TapeHead head
        cdef int sealed
        memcpy(&head, self.lines.data, sizeof(TapeHead))
        self.unix_offset_ns = head.unix_offset_ns
        for i in range(count):
            memcpy(self.one, self.lines.data + sizeof(TapeHead) + i * sizeof(Row), sizeof(Row))
            sealed = self.one.gen == tape_seal(self.one, i)
            if not sealed:
                continue
            if good != i:
                raise ValueError(
                    f"{self.path}: row {good + 1} is damaged and row {i + 1} behind it is whole: "
                    "a tape may be torn at its end only"
                )
            if self.one.recv_ns < last or self.one.side > 1 or self.one.eom > 1:
                raise ValueError(
                    f"{self.path}: row {i + 1}: recv_ns is {self.one.recv_ns} after {last}, side "
                    f"{self.one.side}, eom {self.one.eom}: the tape's writer was broken"
                )
            last = self.one.recv_ns
            good = i + 1
            if self.one.eom:
                whole = good
        self.tape_rows = whole
        cdef size_t cut = self.lines.size - sizeof(TapeHead) - whole * sizeof(Row)
        if cut:
            self.note = (
                f"the end of the tape is torn: the last {cut} bytes ({good - whole} whole rows of "
                f"an unfinished message) are left out"
            )
        self.lines.size -= cut

    cdef int load_tape(self) noexcept nogil:
        if self.lines.at >= self.lines.size:
            return 0
        memcpy(self.one, self.lines.data + self.lines.at, sizeof(Row))
        self.lines.at += sizeof(Row)
        self.lines.line += 1
        self.one.gen = self.one.seq = self.one.market = 0
        self.one.recv_ns += self.unix_offset_ns
        return 1

    # ---- frames ----

    cdef int fill_frames(self) noexcept nogil:
        """Read lines until one yields rows: 1, or 0 at the end, or -1."""
        cdef const char *p = NULL
        cdef const char *end = NULL
        cdef const char *frame
        cdef const char *frame_end
        cdef Json j
        cdef Text name
        cdef int64_t recv_ns
        cdef int more, first, rows
        while True:
            more = line_next(&self.lines, &p, &end)
            if more <= 0:
                return more
            memset(&j, 0, sizeof(Json))
            j.p = j.start = p
            j.end = end
            frame = frame_end = NULL
            recv_ns = -1
            first = 1
            more = json_expect(&j, b"{", "line")
            if more == 0:
                more = json_member(&j, &first, &name, "line")
            while more > 0:
                if text_is(name, "recv_ns", 7):
                    if recv_ns >= 0:
                        json_fail(&j, BAD_DUPLICATE, "recv_ns", j.p)
                    else:
                        # a recording that steps back in time is out of range here
                        json_number(&j, 0, self.lines.last_ns, NEVER - 1, &recv_ns, "recv_ns")
                elif text_is(name, "frame", 5):
                    if frame != NULL:
                        json_fail(&j, BAD_DUPLICATE, "frame", j.p)
                    frame = j.p
                    json_skip(&j, 1, "frame")
                    frame_end = j.p
                else:
                    json_skip(&j, 1, "line")
                more = j.error if j.error else json_member(&j, &first, &name, "line")
            if j.error == 0:
                json_space(&j)
                if j.p != end:
                    json_fail(&j, BAD_SYNTAX, "line", j.p)
                elif recv_ns < 0:
                    json_fail(&j, BAD_MISSING, "recv_ns", p)
                elif frame == NULL:
                    json_fail(&j, BAD_MISSING, "frame", p)
            if j.error == 0:
                self.lines.last_ns = recv_ns
                self.parser.recv_ns = recv_ns
                rows = parse_frame(frame, frame_end - frame, self.parser, self.batch, FRAME_ROWS)
                if rows > 0:
                    self.batch_n = rows
                    return 1
                if rows < 0:
                    j.error = rows
                    j.what = self.parser.what
                    j.at = self.parser.at + (frame - p)
            if j.error:
                self.frame_error = j.error
                self.frame_what = j.what
                self.frame_at = j.at
                return -1

    # ---- orders ----

    cdef Row *room(self) noexcept nogil:
        """Return a zeroed row at the end of the batch, NULL when there is no memory."""
        cdef long long cap
        cdef Row *wide
        if self.batch_n == self.batch_cap:
            cap = 2 * self.batch_cap if self.batch_cap else 1024
            wide = <Row *> cache_lines(cap * sizeof(Row))
            if wide == NULL:
                return NULL
            if self.batch_n:
                memcpy(wide, self.batch, self.batch_n * sizeof(Row))
            free(self.batch)
            self.batch = wide
            self.batch_cap = cap
        cdef Row *row = self.batch + self.batch_n
        memset(row, 0, sizeof(Row))
        row.recv_ns = self.held.recv_ns
        row.exch_ns = self.held.exch_ns
        self.batch_n += 1
        return row

    cdef int touch(self, int side, px_t px, qty_t change) noexcept nogil:
        """Change the size at a price and remember what it was before this message."""
        cdef int64_t key = 2 * px + side
        cdef Entry *level = map_find(&self.levels, key)
        cdef int64_t *wide
        if level == NULL:
            level = map_add(&self.levels, key)
            if level == NULL:
                return -1
        if level.c == 0:
            level.c = 1
            level.b = level.a
            if self.touched_n == self.touched_cap:
                self.touched_cap = 2 * self.touched_cap if self.touched_cap else 1024
                wide = <int64_t *> realloc(self.touched, self.touched_cap * sizeof(int64_t))
                if wide == NULL:
                    return -1
                self.touched = wide
            self.touched[self.touched_n] = key
            self.touched_n += 1
        level.a += change
        return 0

    cdef int refuse(self, const OrderLine *o, const char *what, const char *right) noexcept nogil:
        """Note that a whole line of format 2 cannot be; return -1."""
        return lines_fail(&self.lines, what, right, o.text, o.text + o.n)

    cdef int apply_order(self, const OrderLine *o) noexcept nogil:
        """Apply one line of format 2 to orders and levels; a trade becomes a row at once.

        An order stays at the price of its `A` line: the price of an `M` or `D` line is that of the
        execution. Orders at price 0 (bids under one tick) stand in no level.
        """
        cdef Entry *order = map_find(&self.orders, o.id)
        cdef Row *row
        cdef px_t px
        if o.kind == c"T":
            # within a millisecond a trade may stand before the line that adds its order
            if order != NULL and (order.a & 1) == o.side:
                return self.refuse(o, "trade", "on the other side than its resting order")
            row = self.room()
            if row == NULL:
                return self.refuse(o, "line", "fewer trades: no memory")
            self.prints += 1
            row.kind = ROW_TRADE
            row.side = o.side
            row.px = o.px
            row.qty = o.qty
            row.id = self.prints
            return 0
        if o.kind == c"A":
            if order != NULL:
                return self.refuse(o, "line", "of an order_id that was not added before")
            order = map_add(&self.orders, o.id)
            if order == NULL or (o.px and self.touch(o.side, o.px, o.qty) < 0):
                return self.refuse(o, "line", "fewer orders: no memory")
            order.a = 2 * o.px + o.side
            order.b = o.qty
            return 0
        if order == NULL:
            return self.refuse(o, "line", "of an order_id that was added before")
        if (order.a & 1) != o.side:
            return self.refuse(o, "line", "on the side of its order")
        px = order.a >> 1
        if px and self.touch(o.side, px, (o.qty if o.kind == c"M" else 0) - order.b) < 0:
            return self.refuse(o, "line", "fewer levels: no memory")
        if o.kind == c"M":
            order.b = o.qty
        else:
            map_drop(&self.orders, order)
        return 0

    cdef int fill_orders(self) noexcept nogil:
        """Turn the lines of one exch_ns into its prints and then its level changes.

        Two messages: prints first, as the venue reports them before the change of the order. A
        level that comes back to its old size inside the millisecond yields no row.
        """
        cdef OrderLine line
        cdef Entry *level
        cdef Row *row
        cdef long long i
        cdef int more
        while True:
            if not self.has_held:
                more = order_read(&self.lines, &self.held)
                if more <= 0:
                    return more
            self.group += 1
            self.has_held = 0
            self.batch_n = self.batch_at = 0
            self.touched_n = 0
            if self.apply_order(&self.held) < 0:
                return -1
            while True:
                more = order_read(&self.lines, &line)
                if more < 0:
                    return -1
                if more == 0 or line.exch_ns != self.held.exch_ns:
                    break
                if line.recv_ns > self.held.recv_ns:
                    self.held.recv_ns = line.recv_ns
                if self.apply_order(&line) < 0:
                    return -1
            # the message is known when its last line has come, and the clock never steps back
            if self.held.recv_ns < self.seen_ns:
                self.held.recv_ns = self.seen_ns
            for i in range(self.batch_n):
                self.batch[i].recv_ns = self.held.recv_ns
            if self.batch_n:
                self.batch[self.batch_n - 1].eom = 1
            if self.group == 1:
                row = self.room()
                if row == NULL:
                    return self.refuse(&self.held, "line", "fewer levels: no memory")
                row.kind = ROW_RESET
                row.flags = F_SNAPSHOT
                row.id = 1
            for i in range(self.touched_n):
                level = map_find(&self.levels, self.touched[i])
                level.c = 0
                if level.a != level.b:
                    row = self.room()
                    if row == NULL:
                        return self.refuse(&self.held, "line", "fewer levels: no memory")
                    row.kind = ROW_LEVEL
                    row.side = <uint8_t> (self.touched[i] & 1)
                    row.px = self.touched[i] >> 1
                    row.qty = level.a
                    row.id = self.group
                    row.flags = F_SNAPSHOT if self.group == 1 else 0
                if level.a == 0:
                    map_drop(&self.levels, level)
            if more > 0:
                self.held = line
                self.has_held = 1
            if self.batch_n:
                self.batch[self.batch_n - 1].eom = 1
                return 1

    # ---- the Python face ----

    def scan(self):
        """Read everything once, count it, and go back to the first row; raise on damage."""
        cdef Row row
        cdef long long counts[256]
        cdef long long rows = 0, messages = 0
        cdef ns_t first = 0, last = 0
        cdef int more
        memset(counts, 0, sizeof(counts))
        with nogil:
            while True:
                more = self.next(&row)
                if more <= 0:
                    break
                if rows == 0:
                    first = row.recv_ns
                last = row.recv_ns
                rows += 1
                messages += row.eom
                counts[row.kind] += 1
        if more < 0:
            raise ValueError(self.error())
        if rows == 0:
            where = "no rows" if self.kind != FRAMES else f"no rows of market {self.market}"
            raise ValueError(f"{self.path}: {where} in it: a recording holds at least one")
        self.rows = rows
        self.messages = messages
        self.first_recv_ns = first
        self.last_recv_ns = last
        self.rows_by_kind = {chr(i): counts[i] for i in range(256) if counts[i]}
        self.start()

    def error(self):
        """Return what is wrong with the recording in one line, "" when nothing is known to be."""
        if self.state >= 0:
            return ""
        place = f"{self.path}: line {self.lines.line}: "
        if self.frame_error:
            return place + frame_message(self.frame_error, self.frame_what, self.frame_at)
        bad = PyBytes_FromStringAndSize(self.lines.data + self.lines.bad_at, self.lines.bad_n)
        text = bad[:60].decode("latin-1")
        what, right = (<bytes> self.lines.what).decode(), (<bytes> self.lines.right).decode()
        return f"{place}{what} is {text!r}, must be {right}"

    def rewind(self):
        """Go back to the first row."""
        self.start()

    def next_row(self):
        """Return the next row as a MarketRow, None at the end; raise ValueError on damage."""
        cdef Row row
        cdef int more = self.next(&row)
        if more < 0:
            raise ValueError(self.error())
        if more == 0:
            return None
        return MarketRow(row.recv_ns, row.exch_ns, chr(row.kind), row.side, row.px, row.qty,
                         row.id, row.eom, row.flags)

    def __iter__(self):
        return iter(self.next_row, None)

    def raw(self, long long count):
        """Return at most `count` rows as bytes, 64 each as in types.h; b"" at the end."""
        if count < 1:
            raise ValueError(f"{count} rows make no sense: ask for 1 or more")
        left = self.rows if count > self.rows else count
        out = bytearray(left * sizeof(Row))
        cdef unsigned char[::1] view = out
        cdef long long n = 0, most = left
        cdef int more = 1
        cdef Row row
        with nogil:
            while n < most:
                more = self.next(&row)
                if more <= 0:
                    break
                memcpy(&view[n * sizeof(Row)], &row, sizeof(Row))
                n += 1
        if more < 0:
            raise ValueError(self.error())
        return bytes(out[:n * sizeof(Row)])

    def next_recv_ns(self):
        """Return recv_ns of the next row, None at the end."""
        cdef ns_t when = self.peek()
        return None if when == NEVER else when

    @property
    def progress(self):
        """Bytes read and bytes in all, unpacked."""
        return self.lines.at, self.lines.size

    @property
    def sha256(self):
        """Hash of the unpacked content, hexadecimal."""
        if self.digest is None:
            self.digest = hashlib.sha256(self.hold).hexdigest()
        return self.digest

    @property
    def frame_counters(self):
        """What the frame parser met so far, by name; None for other formats."""
        if self.kind != FRAMES:
            return None
        return {
            "frames": self.parser.frames,
            "duplicates": self.parser.duplicates,
            "gaps": self.parser.gaps,
            "orphans": self.parser.orphans,
            "inexact": self.parser.inexact,
        }


def unpack(path, progress=None):
    """Return the content of a file, unpacked when it is gzip; nothing is written anywhere.

    `progress(done, total)` is called with packed bytes. Raise ValueError for a damaged or cut
    archive and for one that unpacks to more than 4 GiB.
    """
    with open(path, "rb") as file:
        total = os.fstat(file.fileno()).st_size
        if total == 0:
            raise ValueError(f"{path}: the file is empty: a recording holds at least one row")
        if file.read(2) != b"\x1f\x8b":
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        file.seek(0)
        parts, size, done = [], 0, 0
        inflate = zlib.decompressobj(wbits=31)
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                break
            done += len(chunk)
            while chunk:
                try:
                    piece = inflate.decompress(chunk, UNPACKED_MAX - size + 1)
                except zlib.error as error:
                    raise ValueError(
                        f"{path}: byte {done} of the gzip file is damaged: {error}") from None
                parts.append(piece)
                size += len(piece)
                if size > UNPACKED_MAX:
                    raise ValueError(f"{path}: unpacks to more than {UNPACKED_MAX} bytes: "
                                     "unpack it to a file first")
                chunk = inflate.unconsumed_tail
                if inflate.eof:
                    chunk = inflate.unused_data
                    inflate = zlib.decompressobj(wbits=31)
                    if not chunk:
                        chunk = file.read(CHUNK)
                        done += len(chunk)
                        if not chunk:
                            if progress is not None:
                                progress(done, total)
                            return whole(path, parts)
            if progress is not None:
                progress(done, total)
        raise ValueError(f"{path}: the gzip file is cut short after {total} bytes")


def whole(path, parts):
    """Join the unpacked parts; raise ValueError when they hold nothing."""
    data = b"".join(parts)
    if not data:
        raise ValueError(f"{path}: the file is empty: a recording holds at least one row")
    return data


def sidecar(path):
    """Return market, price_decimals and size_decimals that stand beside a recording, as a dict.

    FILE.toml (the recording's full name and .toml), else market.toml in its folder; {} without
    either. Raise ValueError for an unknown key or a value that is no whole number in range.
    """
    for beside in (Path(str(path) + ".toml"), Path(path).parent / "market.toml"):
        if not beside.is_file():
            continue
        try:
            keys = tomllib.loads(beside.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{beside}: {error}") from None
        known = {"market": 0xffffffff, "price_decimals": 18, "size_decimals": 18}
        for key, value in keys.items():
            if key not in known:
                raise ValueError(f"{beside}: key {key!r} is not one of {', '.join(known)}")
            check_number(f"{beside}: {key}", value, known[key])
        return keys
    return {}


def check_number(what, value, most):
    """Raise ValueError unless `value` is a whole number from 0 to `most`."""
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{what} is {value!r}, must be a whole number from 0 to {most}")


def open_source(path, market=None, price_decimals=None, size_decimals=None, progress=None):
    """Open a recording, recognize it by its content, and check all of it.

    Format 1 `events.csv`, format 2 `orders.csv` (levels are made from the orders), Lighter frames
    (`{"recv_ns":..,"frame":{..}}` lines) or a tape, each packed by gzip or not. What is not given
    comes from the sidecar (see `sidecar`); frames cannot be read without all three, a tape knows
    its own and refuses others. Raise ValueError with file, line, value and what would be right.
    """
    path = os.fspath(path)
    for name, value, most in (("market", market, 0xffffffff),
                              ("price_decimals", price_decimals, 18),
                              ("size_decimals", size_decimals, 18)):
        if value is not None:
            check_number(name, value, most)
    given = {"market": market, "price_decimals": price_decimals, "size_decimals": size_decimals}
    beside = sidecar(path)
    named = {key: beside.get(key) if value is None else value for key, value in given.items()}
    data = unpack(path, progress)
    if data[:8] == TAPE_MAGIC:
        kind = TAPE
        head = read_head(path, data)
        for key, value in named.items():
            if value is not None and value != head[key]:
                raise ValueError(f"{path}: {key} is {head[key]} on the tape, {value} was asked for")
        named = {key: head[key] for key in named}
    elif data[:len(ROWS_HEADER)] == ROWS_HEADER:
        kind = ROWS
    elif data[:len(ORDERS_HEADER)] == ORDERS_HEADER:
        kind = ORDERS
    elif data[:1] == b"{":
        kind = FRAMES
        missing = [key for key, value in named.items() if value is None]
        if missing:
            raise ValueError(f"{path}: Lighter frames need {', '.join(missing)}: give them, or "
                             f"write them into {path}.toml")
    else:
        line = bytes(data[:80]).split(b"\n")[0].decode("latin-1")
        raise ValueError(
            f"{path}: line 1: header is {line!r}, must be {ROWS_HEADER.decode().rstrip()!r}, "
            f"{ORDERS_HEADER.decode().rstrip()!r}, a Lighter frame or the magic of a tape")
    return Source(path, data, kind, **named)


def read_head(path, data):
    """Return the head of a tape as a dict; raise ValueError when it is not one we can read."""
    cdef TapeHead head
    if len(data) < HEAD:
        raise ValueError(f"{path}: {len(data)} bytes are too few for the head of a tape ({HEAD})")
    cdef const unsigned char[::1] view = memoryview(data)[:HEAD]
    memcpy(&head, &view[0], sizeof(TapeHead))
    if head.crc != crc32(0, &head, sizeof(TapeHead) - 4):
        raise ValueError(f"{path}: the head of the tape is damaged: its CRC does not match")
    if head.version != TAPE_VERSION or head.row_size != sizeof(Row):
        raise ValueError(
            f"{path}: tape version {head.version} with rows of {head.row_size} bytes, must be "
            f"{TAPE_VERSION} with {sizeof(Row)}")
    return {
        "market": head.market,
        "price_decimals": head.price_decimals,
        "size_decimals": head.size_decimals,
        "unix_offset_ns": head.unix_offset_ns,
        "created_ns": head.created_ns,
        "created_by": head.created_by[:80].rstrip(b"\0").decode("utf-8", "replace"),
    }


cdef int write_out(int fd, const char *data, size_t n) noexcept nogil:
    """Write all of it; return 0, or the errno of the call that failed."""
    cdef ssize_t done
    while n:
        done = posix_write(fd, data, n)
        if done < 0:
            if errno == EINTR:
                continue
            return errno
        data += done
        n -= done
    return 0


cdef void row_from(tuple values, Row *row) except *:
    """Fill a row from a MarketRow; raise ValueError when a value is outside its bounds."""
    recv_ns, exch_ns, kind, side, px, qty, number, eom, flags = values
    if kind not in ("R", "L", "T", "B", "S", "X"):
        raise ValueError(f"kind {kind!r} is not one of R, L, T, B, S, X")
    if side not in (0, 1) or eom not in (0, 1):
        raise ValueError(f"side {side} and eom {eom} must be 0 or 1")
    if not 0 <= px < PX_MAX or not 0 <= qty < QTY_MAX:
        raise ValueError(f"price {px} or size {qty} is out of range")
    memset(row, 0, sizeof(Row))
    row.recv_ns = recv_ns
    row.exch_ns = exch_ns
    row.kind = ord(kind)
    row.side = side
    row.px = px
    row.qty = qty
    row.id = number
    row.eom = eom
    row.flags = flags


@cython.final
cdef class TapeWriter:
    """Writes rows to a new tape, through a buffer of 1 MiB. Decimals are the market's.

    The file is created for its owner only and must not exist. `unix_offset_ns` is what turns the
    rows' recv_ns into Unix time. After an error nothing more is written.
    """

    def __cinit__(self, path, unsigned int market, int price_decimals, int size_decimals,
                  long long unix_offset_ns=0, str created_by="bog", created_ns=None):
        self.fd = -1
        self.path = os.fspath(path)
        check_number("price_decimals", price_decimals, 18)
        check_number("size_decimals", size_decimals, 18)
        name = created_by.encode()
        if len(name) > 80:
            raise ValueError(f"created_by {created_by!r} is longer than 80 bytes")
        self.buffer = <char *> malloc(BUFFER)
        self.sealed = <Row *> cache_lines(sizeof(Row))
        if self.buffer == NULL or self.sealed == NULL:
            raise MemoryError("no memory for a tape's buffer")
        cdef const char *text = name
        memset(&self.head, 0, sizeof(TapeHead))
        memcpy(self.head.magic, TAPE_MAGIC, 8)
        memcpy(self.head.created_by, text, len(name))
        self.head.version = TAPE_VERSION
        self.head.market = market
        self.head.price_decimals = price_decimals
        self.head.size_decimals = size_decimals
        self.head.unix_offset_ns = unix_offset_ns
        self.head.created_ns = time.time_ns() if created_ns is None else created_ns
        self.head.row_size = sizeof(Row)
        self.head.crc = crc32(0, &self.head, sizeof(TapeHead) - 4)
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        memcpy(self.buffer, &self.head, sizeof(TapeHead))
        self.used = sizeof(TapeHead)

    def __dealloc__(self):
        if self.fd >= 0:
            self.drain()
            os.close(self.fd)
        free(self.buffer)
        free(self.sealed)

    cdef int write(self, const Row *row) noexcept nogil:
        """Append a row; return 0, or the errno of the write that failed (then nothing follows).

        -1 when recv_ns steps back: such a tape could not be replayed.
        """
        if self.failed or self.fd < 0:
            return self.failed if self.failed else -1
        if row.recv_ns < self.last_ns:
            return -1
        if self.used + sizeof(Row) > BUFFER and self.drain():
            return self.failed
        self.last_ns = row.recv_ns
        self.sealed[0] = row[0]
        self.sealed.market = self.head.market
        self.sealed.gen = tape_seal(self.sealed, self.rows)
        memcpy(self.buffer + self.used, self.sealed, sizeof(Row))
        self.used += sizeof(Row)
        self.rows += 1
        return 0

    cdef int drain(self) noexcept nogil:
        """Hand the buffer to the system; return 0 or the errno, which sticks."""
        if self.failed == 0:
            self.failed = write_out(self.fd, self.buffer, self.used)
            self.used = 0
        return self.failed

    def append(self, row):
        """Append one MarketRow; raise ValueError when it is out of bounds or steps back in time."""
        cdef Row one
        row_from(tuple(row), &one)
        self.check(self.write(&one), one.recv_ns)

    def copy(self, Source source not None):
        """Append every row that is left in a source and return how many there were."""
        cdef Row row
        cdef int more, failed = 0
        cdef unsigned long long before = self.rows
        row.recv_ns = 0
        with nogil:
            while True:
                more = source.next(&row)
                if more <= 0:
                    break
                failed = self.write(&row)
                if failed:
                    break
        self.check(failed, row.recv_ns)
        if more < 0:
            raise ValueError(source.error())
        return self.rows - before

    def flush(self):
        """Hand everything to the system and wait until it is on disk."""
        if self.fd < 0:
            raise ValueError(f"{self.path}: the tape is closed")
        self.check(self.drain(), 0)
        os.fsync(self.fd)

    def close(self):
        """Flush and close; a second time does nothing."""
        if self.fd >= 0:
            try:
                self.flush()
            finally:
                fd, self.fd = self.fd, -1
                os.close(fd)

    def check(self, int code, long long recv_ns):
        """Raise what a return code of `write` stands for."""
        if code > 0:
            raise OSError(code, os.strerror(code), self.path)
        if code < 0:
            raise ValueError(
                f"{self.path}: recv_ns {recv_ns} comes after {self.last_ns}, or the tape is closed")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


@cython.final
cdef class CsvWriter:
    """Writes rows as format 1. Kinds that format 1 lacks (S, X) are counted in `left_out`.

    The file is created for its owner only; an existing one is an error unless `replace`.
    """

    def __cinit__(self, path, replace=False):
        self.fd = -1
        self.path = os.fspath(path)
        self.buffer = <char *> malloc(BUFFER)
        if self.buffer == NULL:
            raise MemoryError("no memory for a buffer")
        how = os.O_TRUNC if replace else os.O_EXCL
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
        self.used = strlen(ROWS_HEADER)
        memcpy(self.buffer, <const char *> ROWS_HEADER, self.used)

    def __dealloc__(self):
        if self.fd >= 0:
            self.drain()
            os.close(self.fd)
        free(self.buffer)

    cdef int write(self, const Row *row) noexcept nogil:
        """Append a row; return 0, or the errno of the write that failed (then nothing follows)."""
        cdef size_t n
        if self.failed or self.fd < 0:
            return self.failed if self.failed else -1
        if self.used + CSV_ROW_MAX > BUFFER and self.drain():
            return self.failed
        n = csv_write(self.buffer + self.used, row)
        self.used += n
        if n:
            self.rows += 1
        else:
            self.left_out += 1
        return 0

    cdef int drain(self) noexcept nogil:
        if self.failed == 0:
            self.failed = write_out(self.fd, self.buffer, self.used)
            self.used = 0
        return self.failed

    def append(self, row):
        """Append one MarketRow; raise ValueError when it is out of bounds."""
        cdef Row one
        row_from(tuple(row), &one)
        self.check(self.write(&one))

    def copy(self, Source source not None):
        """Append every row that is left in a source and return how many were written."""
        cdef Row row
        cdef int more, failed = 0
        cdef unsigned long long before = self.rows
        with nogil:
            while True:
                more = source.next(&row)
                if more <= 0:
                    break
                failed = self.write(&row)
                if failed:
                    break
        self.check(failed)
        if more < 0:
            raise ValueError(source.error())
        return self.rows - before

    def close(self):
        """Write what is left and close; a second time does nothing."""
        if self.fd >= 0:
            code = self.drain()
            fd, self.fd = self.fd, -1
            os.close(fd)
            self.check(code)

    def check(self, int code):
        """Raise what a return code of `write` stands for."""
        if code > 0:
            raise OSError(code, os.strerror(code), self.path)
        if code < 0:
            raise ValueError(f"{self.path}: the file is closed")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def dump_csv(Source source not None, path, replace=False):
    """Write what is left of a source as format 1 and return the number of rows."""
    with CsvWriter(path, replace) as writer:
        return writer.copy(source)
