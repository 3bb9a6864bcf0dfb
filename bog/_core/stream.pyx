"""The frames of one connection to the venue, parsed and published: bytes in, rows out.

The chain of each book is kept by its parser (frame_book.h), which a replay shares. What is left for
the keeper of the connection (bog/lighter/connection.py) is told as News.
"""

import os
import time

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.clock cimport mono_ns
from bog._core.frames cimport (
    BAD_DECIMALS, CHAIN_NONE, FAMILY_BOOK, FAMILY_TRADE, FRAME_CONNECTED,
    FRAME_ERROR, FRAME_PING, FRAME_ROWS, FRAME_SHUTDOWN, FRAME_SNAPSHOT, FRAME_STATS,
    FRAME_TRADES_PAST, FRAME_UNSUBSCRIBED, FRAME_UPDATE, FrameDraft, FrameParser,
    frame_message, frame_route, parse_frame,
)
from bog._core.memory cimport lines
from bog._core.publisher cimport Publisher
from bog._core.recorder cimport CsvWriter, TapeWriter
from bog._core.types cimport (
    ROW_RESET, ROW_STATUS, STATUS_DOWN, STATUS_GAP, STATUS_HALTED, STATUS_UP, Row, ns_t,
)


@cython.final
cdef class MarketStream:
    """One market of a connection: its parser, its publisher, and the files that get its rows.

    Decimals are the market's. The files get each row with its receive time in Unix ns, the
    publisher on CLOCK_MONOTONIC. `status` is the last one published, 0 before the first;
    `refused` counts frames that could not be read; `lost` is 1 once the object was truncated.
    """

    def __cinit__(self, Publisher publisher not None, int price_decimals, int size_decimals, *,
                  TapeWriter tape=None, CsvWriter dump=None):
        for what, decimals in (("price", price_decimals), ("size", size_decimals)):
            if not 0 <= decimals <= 18:
                raise ValueError(f"{what} decimals {decimals} are not between 0 and 18")
        self.parser = <FrameParser *> lines(sizeof(FrameParser))
        if self.parser == NULL:
            raise MemoryError("no memory for a frame parser")
        self.parser.market = publisher.market
        self.parser.price_decimals = price_decimals
        self.parser.size_decimals = size_decimals
        self.publisher, self.tape, self.dump = publisher, tape, dump
        self.unix_offset = time.time_ns() - mono_ns()

    def __dealloc__(self):
        free(self.parser)

    cdef int take(self, const char *text, size_t size, ns_t now, Row *room) noexcept nogil:
        """Parse one frame and publish its rows; return how many, or the reason of a refusal."""
        cdef int n
        self.publisher.beat(now)
        self.parser.recv_ns = now
        n = parse_frame(text, size, self.parser, room, FRAME_ROWS)
        if self.halted:
            self.parser.chain = CHAIN_NONE  # a halted market has no book, whatever still arrives
            return n if n < 0 else 0
        if n <= 0:
            return n
        if room[0].kind == ROW_STATUS:
            self.unbook(STATUS_GAP, room[0].id, room[0].exch_ns, now)
            return n
        if room[0].kind == ROW_RESET:
            if self.status == STATUS_DOWN or self.status == STATUS_HALTED:
                self.say(STATUS_UP, 0, room[0].exch_ns, now)
            self.status = STATUS_UP
        self.put(room, n)
        self.messages += 1
        return n

    cdef void put(self, const Row *rows, int n) noexcept nogil:
        """Write rows to the files and publish them; a file that fails is left alone from then on."""
        cdef int i
        if self.tape is not None or self.dump is not None:
            for i in range(n):
                self.keep(&rows[i])
        self.rows += n
        if self.publisher.frame(rows, n) == -2:
            self.lost = 1

    cdef void keep(self, const Row *row) noexcept nogil:
        """Write a row to the files."""
        cdef Row kept
        cdef int failed = 0
        if self.file_error == 0:
            kept = row[0]
            kept.recv_ns = row.recv_ns + self.unix_offset
            if self.tape is not None:
                failed = self.tape.write(&kept)
            if failed == 0 and self.dump is not None:
                failed = self.dump.write(&kept)
            self.file_error = failed

    cdef void say(self, int status, int64_t id, ns_t exch_ns, ns_t now) noexcept nogil:
        """Publish a status."""
        cdef Row row
        memset(&row, 0, sizeof(Row))
        row.kind = ROW_STATUS
        row.px = status
        row.id = id
        row.recv_ns = now
        row.exch_ns = exch_ns
        row.eom = 1
        self.put(&row, 1)
        self.status = status

    cdef void unbook(self, int status, int64_t id, ns_t exch_ns, ns_t now) noexcept nogil:
        """Publish an empty book, then why it is empty; book frames count again from a whole one.

        The empty book is for readers that attach later: they copy the book page, not the status.
        """
        cdef Row row
        if self.status == status and self.parser.chain == CHAIN_NONE:
            return
        self.parser.chain = CHAIN_NONE
        self.parser.after_gap = 1
        memset(&row, 0, sizeof(Row))
        row.kind = ROW_RESET
        row.recv_ns = now
        row.exch_ns = exch_ns
        row.id = id
        row.eom = 1
        self.put(&row, 1)
        self.say(status, id, exch_ns, now)

    def halt(self):
        """Publish that the venue has stopped this market and take nothing more until `resume`."""
        if not self.halted:
            self.unbook(STATUS_HALTED, 0, 0, mono_ns())
            self.halted = 1

    def resume(self):
        """Take frames again; the book begins with the next whole one."""
        self.halted = 0

    @property
    def has_book(self):
        """Whether the published book is whole."""
        return self.parser.chain != CHAIN_NONE

    @property
    def scale_doubt(self):
        """Whether the last frame was refused for more decimals than the market is known to have."""
        return self.parser.error == BAD_DECIMALS

    @property
    def trouble(self):
        """Say what was wrong with the last frame in one line; empty when it was taken."""
        if self.parser.error == 0:
            return ""
        return frame_message(self.parser.error, self.parser.what, self.parser.at)

    def counters(self):
        """Return what the parser met since the start, by name."""
        return {
            "frames": self.parser.frames, "duplicates": self.parser.duplicates,
            "gaps": self.parser.gaps, "orphans": self.parser.orphans,
            "inexact": self.parser.inexact, "refused": self.refused,
        }


@cython.final
cdef class Stream:
    """The frames of one connection, for the markets that it carries.

    `heard_ns` is when the last frame of any kind came, on CLOCK_MONOTONIC, 0 before the first: it is
    the sign of life that `beat` gives to every market. `strays` counts frames of markets that nobody
    asked for, `malformed` those that cannot be read.
    """

    def __cinit__(self, markets):
        self.markets = list(markets)
        if not self.markets:
            raise ValueError("a stream needs at least one market")
        for one in self.markets:
            if not isinstance(one, MarketStream):
                raise TypeError(f"{one!r} is not a MarketStream")
        self.room = <Row *> lines(FRAME_ROWS * sizeof(Row))
        if self.room == NULL:
            raise MemoryError("no memory for the rows of a frame")
        self.market = -1

    def __dealloc__(self):
        free(self.room)

    cdef MarketStream find(self, int64_t market):
        cdef MarketStream one
        for one in self.markets:
            if one.parser.market == market:
                return one
        return None

    def frame(self, data):
        """Parse and publish one text frame; return News. The bytes are read where they are."""
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.read(<const char *> view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef int read(self, const char *text, size_t size):
        cdef ns_t now = mono_ns()
        cdef FrameDraft draft
        cdef MarketStream one
        cdef int news, worst = NEWS_NONE
        self.heard_ns = now
        self.frames += 1
        self.size += size
        self.market = -1
        frame_route(text, size, &draft)
        if draft.all:
            # one frame for every market: each takes its part
            for one in self.markets:
                news = self.judge(one, draft.family, text, size, now)
                worst = max(worst, news)
            return worst
        one = self.find(draft.market)
        if one is None:
            if draft.market >= 0:
                self.strays += 1
                return NEWS_NONE
            one = self.markets[0]  # no market's: any parser can say what it is
            return self.judge(one, 0, text, size, now)
        return self.judge(one, draft.family, text, size, now)

    cdef int judge(self, MarketStream one, int family, const char *text, size_t size, ns_t now):
        """Have a market take a frame; return what the keeper of the connection must know of it."""
        cdef unsigned long long gaps = one.parser.gaps
        cdef int kind, n = one.take(text, size, now, self.room)
        if n < 0:
            self.malformed += 1
            self.refuser = one
            if family == 0:
                return NEWS_NONE
            one.refused += 1
            self.market = one.parser.market
            if family != FAMILY_BOOK:  # an answer all the same
                return NEWS_TRADES if family == FAMILY_TRADE else NEWS_STATS
            if one.halted:
                return NEWS_BOOK
            # what it said is lost: the book is no longer known
            one.unbook(STATUS_GAP, 0, 0, now)
            return NEWS_REFUSED
        kind = one.parser.kind
        if kind == FRAME_UPDATE and n > 0 and one.parser.gaps == gaps:
            self.market = one.parser.market
            return NEWS_NONE
        if family:
            self.market = one.parser.market
        if one.parser.gaps != gaps:
            return NEWS_GAP
        if kind == FRAME_SNAPSHOT:
            return NEWS_BOOK
        if kind == FRAME_TRADES_PAST:
            return NEWS_TRADES
        if kind == FRAME_STATS:
            if one.greeted:
                return NEWS_NONE
            one.greeted = 1
            return NEWS_STATS
        if kind == FRAME_ERROR:
            self.code = one.parser.code
            return NEWS_ERROR
        return (
            NEWS_CONNECTED if kind == FRAME_CONNECTED
            else NEWS_PING if kind == FRAME_PING
            else NEWS_UNSUBSCRIBED if kind == FRAME_UNSUBSCRIBED
            else NEWS_SHUTDOWN if kind == FRAME_SHUTDOWN
            else NEWS_NONE
        )

    def heard(self):
        """Note a frame that carries no text, such as a ping of the protocol."""
        self.heard_ns = mono_ns()

    def beat(self):
        """Give every market the sign of life that the last frame of any kind was."""
        cdef MarketStream one
        if self.heard_ns:
            for one in self.markets:
                one.publisher.beat(max(self.heard_ns, one.publisher.now_ns))

    def down(self):
        """Publish that the connection is lost: no book is known, and the next one begins anew."""
        cdef MarketStream one
        cdef ns_t now = mono_ns()
        for one in self.markets:
            one.greeted = 0
            if not one.halted:
                one.unbook(STATUS_DOWN, 0, 0, now)

    def void(self, int market):
        """Void the book of a market whose continuation cannot be trusted any more."""
        one = self.find(market)
        if one is None:
            raise ValueError(f"market {market} is not one of this connection's")
        if not (<MarketStream> one).halted:
            (<MarketStream> one).unbook(STATUS_GAP, 0, 0, mono_ns())

    @property
    def trouble(self):
        """Say what was wrong with the last frame that could not be read; empty before the first."""
        return "" if self.refuser is None else self.refuser.trouble

    def file_errors(self):
        """Return the markets whose files cannot be written any more, and why."""
        cdef MarketStream one
        return {
            one.publisher.market: os.strerror(one.file_error)
            for one in self.markets if one.file_error
        }
