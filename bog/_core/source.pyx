"""Recordings as a stream of rows: format 1, format 2, Lighter frames and bog's own tapes.

`open_source` recognizes a file by what it holds, not by its name. A source reads the whole file
once when it is opened and refuses a damaged one there, so that a replay cannot stop half way.
"""

import hashlib
import os

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset, strlen

from bog._core.frames cimport (
    FRAME_ROWS, FrameParser, Json, Text, frame_message, json_expect, json_fail, json_member,
    json_number, json_skip, json_space, parse_frame, text_is, BAD_DUPLICATE, BAD_MISSING,
    BAD_SYNTAX,
)
from bog._core.frames import MarketRow
from bog._core.l3 cimport l3_fill, l3_free, l3_start
from bog._core.memory cimport lines as cache_lines
from bog._core.recording cimport (
    ORDERS_HEADER, ROWS_HEADER, TAPE_MAGIC, TAPE_VERSION, TapeHead, crc32, crc_start, csv_read,
    line_next, tape_seal,
)
from bog._core.recording_file import check_number, sidecar, unpack
from bog._core.types cimport F_SNAPSHOT, NEVER, ROW_RESET, Row, ns_t

cdef enum:
    ROWS = 1
    ORDERS = 2
    FRAMES = 3
    TAPE = 4

cdef enum:
    LOOP_GAP = 1000000000  # from the last row of a pass to the first of the next one, ns

cdef enum:
    UNREAD = 2  # no row is ready; else 1 ready, 0 the end, -1 damaged

FORMATS = {ROWS: "rows", ORDERS: "orders", FRAMES: "frames", TAPE: "tape"}
HEAD = sizeof(TapeHead)

LOOP_GAP_NS = LOOP_GAP

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
            self.frame_rows = <Row *> cache_lines(FRAME_ROWS * sizeof(Row))
            if self.parser == NULL or self.frame_rows == NULL:
                raise MemoryError("no memory for a frame parser")
            self.batch = self.frame_rows
            self.parser.market = market
            self.parser.price_decimals = price_decimals
            self.parser.size_decimals = size_decimals
        elif kind == TAPE:
            self.measure_tape()
        self.start()
        self.scan()

    def __dealloc__(self):
        free(self.one)
        free(self.frame_rows)
        free(self.parser)
        l3_free(&self.l3)

    # ---- the C face ----

    cdef int next(self, Row *out) noexcept nogil:
        """Take the next row: 1 and the row, 0 at the end, -1 when the recording is damaged."""
        cdef int more = self.load()
        if more > 0:
            out[0] = self.one[0]
            self.seen_ns = out.recv_ns - self.shift_ns
            self.state = UNREAD
        return more

    cdef ns_t peek(self) noexcept nogil:
        """Return recv_ns of the next row, NEVER at the end.

        Where the recording is damaged, the time of the row before: the reader then calls next and
        learns of it.
        """
        cdef int more = self.load()
        if more < 0:
            return self.seen_ns + self.shift_ns
        return self.one.recv_ns if more else NEVER

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
            l3_start(&self.l3)
        elif self.kind == TAPE:
            self.lines.at = sizeof(TapeHead)
        elif self.kind == FRAMES:
            self.parser.chain = self.parser.after_gap = 0
            self.parser.last = self.parser.last_trade = 0
            self.parser.frames = self.parser.duplicates = self.parser.gaps = 0
            self.parser.orphans = self.parser.inexact = 0

    cdef int load(self) noexcept nogil:
        """Have the next row ready in `one`; return 1, 0 or -1 as `next` does."""
        if self.state != UNREAD:
            return self.state
        if self.fetch() == 0 and self.looped:
            self.shift_ns += self.last_recv_ns - self.first_recv_ns + LOOP_GAP
            self.start()
            # not every recording begins with a reset: the book of its end must not outlive it
            memset(self.one, 0, sizeof(Row))
            self.one.kind = ROW_RESET
            self.one.recv_ns = self.first_recv_ns
            self.one.eom = 1
            self.one.flags = F_SNAPSHOT
            self.state = 1
        if self.state == 1 and self.shift_ns:
            self.one.recv_ns += self.shift_ns
            if self.one.exch_ns > 0:
                self.one.exch_ns += self.shift_ns
        return self.state

    cdef int fetch(self) noexcept nogil:
        """Have the next row of this pass ready in `one`; return the state."""
        if self.kind == ROWS:
            self.state = csv_read(&self.lines, self.one)
            return self.state
        if self.kind == TAPE:
            self.state = self.load_tape()
            return self.state
        if self.batch_at == self.batch_n:
            self.batch_n = self.batch_at = 0
            self.state = self.fill_orders() if self.kind == ORDERS else self.fill_frames()
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
                rows = parse_frame(
                    frame, frame_end - frame, self.parser, self.frame_rows, FRAME_ROWS)
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

    cdef int fill_orders(self) noexcept nogil:
        """Read the lines of one moment: 1 with their rows, or 0 at the end, or -1."""
        cdef int more = l3_fill(&self.l3, &self.lines, self.seen_ns)
        self.batch = self.l3.rows
        self.batch_n = self.l3.n if more > 0 else 0
        return more

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
        """Go back to the first row, and to its own time."""
        self.shift_ns = 0
        self.start()

    def loop(self):
        """Never end: behind the last row the first one comes again, LOOP_GAP_NS later.

        An empty book comes between them. Times go on rising, recv_ns and exch_ns alike; the ids of
        trades and updates come again.
        """
        self.looped = 1

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
