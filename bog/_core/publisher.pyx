"""The writing end of a Huginn object: rows in, rings, book page and signs of life out."""

import os
import time

from bog._core.shm import DIRECTORY, PREFIX, claim, object_path, process_start
from bog.errors import FeedError

cimport cython
from libc.errno cimport ENFILE
from libc.stdint cimport UINT32_MAX, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from posix.mman cimport PROT_READ, PROT_WRITE
from posix.unistd cimport close as c_close, getpid

from bog._core.atomic cimport prefetch, store_release
from bog._core.clock cimport mono_ns
from bog._core.depth cimport Depth, depth_apply, depth_copy, depth_top
from bog._core.huginn cimport (
    HG_CLOSED, HG_MAGIC, HG_OPEN, HG_PAGE, HG_RECORDS, HG_ROWS, HG_SYNC, HG_VERSION, HgBook,
    HgHeader, Huginn, hg_begin, hg_end, hg_row_ok,
)
from bog._core.memory cimport lines
from bog._core.shm cimport map_object, unmap_object
from bog._core.types cimport (
    DEPTH, REC_STATS, REC_STATUS, REC_TRADE, ROW_LEVEL, ROW_RESET, ROW_STATS, ROW_STATUS, ROW_TOUCH,
    ROW_TRADE, STATUS_END, Record, Row, ns_t,
)

cdef enum:
    AHEAD = 24          # rows; a few frames
    COPY = 16           # a row applied to the book page costs as much as so many levels copied there
    SYNC_NS = 20000000  # the book page follows no later than this after a beat, ns


@cython.final
cdef class Publisher:
    """The one writer of a market's object.

    Prices in ticks, sizes in lots, times in ns on the clock of recv_ns. `unix_offset_ns` is Unix
    time minus that clock: by default the clock is CLOCK_MONOTONIC; 0 says that rows carry Unix
    time. `first_seq` is the number of the first record. Raises FeedError when the name is taken by
    a live writer or by anything that is not ours, ValueError for an argument out of range.
    """

    def __cinit__(self, long long market, *, int dex=1, directory=DIRECTORY, str prefix=PREFIX,
                  int price_decimals, int size_decimals, start_ns=None, unix_offset_ns=None,
                  uint64_t first_seq=1):
        cdef HgHeader *h
        cdef int error
        cdef size_t base
        self.fd = self.guard = -1
        self.path = object_path(dex, market, directory, prefix)
        for what, decimals in (("price", price_decimals), ("size", size_decimals)):
            if not 0 <= decimals <= 18:
                raise ValueError(f"{what} decimals {decimals} are not between 0 and 18")
        if start_ns is None:
            start_ns = mono_ns()
        if unix_offset_ns is None:
            unix_offset_ns = time.time_ns() - mono_ns()
        if start_ns < 0 or unix_offset_ns < 0:
            raise ValueError(f"start {start_ns} ns or Unix offset {unix_offset_ns} ns is negative")
        self.book = <Depth *> lines(sizeof(Depth))
        if self.book == NULL:
            raise MemoryError("no memory for a book")
        self.fd, before = claim(self.path, dex, market, directory)
        error = map_object(self.fd, PROT_READ | PROT_WRITE, &self.truncated, &self.guard,
                           &self.page)
        if error == ENFILE:
            raise FeedError(f"{self.path} is one mapped feed too many in this process")
        if error:
            raise FeedError(f"{self.path} cannot be mapped: {os.strerror(error)}")
        self.market = <uint32_t> market
        self.maker = getpid()
        self.seq = self.book_seq = first_seq - 1
        self.now_ns = self.synced_ns = start_ns
        base = <size_t> self.page
        h = &self.page.header
        h.version = HG_VERSION
        h.header_size = HG_PAGE
        h.object_size = sizeof(Huginn)
        h.dex = dex
        h.market = self.market
        h.pid = self.maker
        h.price_decimals = <uint8_t> price_decimals
        h.size_decimals = <uint8_t> size_decimals
        h.depth = DEPTH
        h.pid_start = process_start(self.maker)
        h.epoch = 1 + before
        h.state = HG_OPEN
        h.record_size = sizeof(Record)
        h.record_slots = HG_RECORDS
        h.row_size = sizeof(Row)
        h.row_slots = HG_ROWS
        h.record_offset = <size_t> &self.page.records - base
        h.row_offset = <size_t> &self.page.rows - base
        h.book_offset = <size_t> &self.page.book - base
        h.book_size = sizeof(HgBook)
        h.start_ns = start_ns
        h.unix_offset_ns = unix_offset_ns
        h.heartbeat_ns = start_ns
        h.seq = self.seq
        h.first_seq = first_seq
        store_release(&h.magic, HG_MAGIC)

    def __dealloc__(self):
        if self.page != NULL:
            # an inherited copy in a child must not end its parent's feed
            if self.maker == <uint32_t> getpid() and not self.truncated:
                store_release(&self.page.header.state, HG_CLOSED)
            unmap_object(self.page, self.guard)
        if self.fd >= 0:
            c_close(self.fd)
        free(self.book)

    cdef int row(self, const Row *r) noexcept nogil:
        """Publish one row; return 0, -1 when the row is impossible, -2 when the object is lost."""
        cdef uint64_t before = self.refused
        cdef int answer = self.frame(r, 1)
        return answer if answer else -1 if self.refused != before else 0

    cdef int frame(self, const Row *rows, int n) noexcept nogil:
        """Publish rows; return 0, or -2 when the object is lost. Impossible rows are left out.

        Level rows of one message carry the number of the book record that its last row publishes;
        each print, statistics and status row publishes a record of its own; a touch row publishes
        none and carries the number of the record before.
        """
        cdef uint64_t number, seq
        cdef const Row *r
        cdef Row *slot
        cdef int i
        if self.truncated or self.page == NULL:
            return -2
        for i in range(n):
            r = rows + i
            if not hg_row_ok(r):
                self.refused += 1
                continue
            if r.kind == ROW_LEVEL or r.kind == ROW_RESET:
                if not self.pending:
                    self.seq += 1
                    self.book_seq = self.seq
                    self.pending = 1
                    self.message_flags = 0
                seq = self.book_seq
                self.message_flags |= r.flags
            elif r.kind == ROW_TOUCH:
                seq = self.seq
            else:
                self.seq += 1
                seq = self.seq
            number = self.rows
            slot = &self.page.rows[number & (HG_ROWS - 1)]
            # the ring is larger than the caches: its lines have to be fetched to be written
            prefetch(&self.page.rows[(number + AHEAD) & (HG_ROWS - 1)])
            hg_begin(&slot.gen, 2 * (number + 1))
            slot.recv_ns = r.recv_ns
            slot.exch_ns = r.exch_ns
            slot.px = r.px
            slot.qty = r.qty
            slot.id = r.id
            slot.seq = seq
            slot.kind = r.kind
            slot.side = r.side
            slot.eom = r.eom
            slot.flags = r.flags
            slot.market = self.market
            hg_end(&slot.gen, 2 * (number + 1))
            # a reader of rows has it by now; what the other readers need comes behind it
            if r.kind == ROW_LEVEL or r.kind == ROW_RESET:
                depth_apply(self.book, r)
            self.rows = number + 1
            self.recv_ns = r.recv_ns
            if r.kind == ROW_TRADE or r.kind == ROW_STATS or r.kind == ROW_STATUS:
                self.publish(r, seq, r.flags)
            elif r.eom and r.kind != ROW_TOUCH:
                self.pending = 0
                self.book.seq = seq
                self.publish(r, seq, self.message_flags)
            if not self.pending:
                self.whole = self.rows
            if r.eom:
                store_release(&self.page.header.rows, self.rows)
            if self.rows - self.page.book.rows >= HG_SYNC:
                self.sync()
        return -2 if self.truncated else 0

    cdef void publish(self, const Row *r, uint64_t seq, int flags) noexcept nogil:
        """Store record `seq`, which row `r` completes, in the short ring."""
        cdef Record *slot = &self.page.records[seq & (HG_RECORDS - 1)]
        cdef ns_t late = self.now_ns - r.recv_ns
        hg_begin(&slot.gen, 2 * seq)
        slot.recv_ns = r.recv_ns
        slot.exch_ns = r.exch_ns
        slot.flags = <uint8_t> flags
        late = 0 if late < 0 else UINT32_MAX if late > UINT32_MAX else late
        slot.pub_delta_ns = <uint32_t> late
        slot.n_bids = slot.n_asks = 0
        if r.kind == ROW_TRADE:
            slot.kind = REC_TRADE
            slot.trade_px = r.px
            slot.trade_qty = r.qty
            slot.trade_id = r.id
            slot.trade_side = r.side
        elif r.kind == ROW_STATS:
            slot.kind = REC_STATS
            slot.mark_px = r.px
            slot.index_px = r.qty
            slot.funding_ppm = r.id
            slot.stats_pad = 0
        elif r.kind == ROW_STATUS:
            slot.kind = REC_STATUS
            slot.status = r.px
            slot.status_pad[0] = slot.status_pad[1] = slot.status_pad[2] = 0
        else:
            depth_top(self.book, slot)
        hg_end(&slot.gen, 2 * seq)
        store_release(&self.page.header.seq, self.seq)

    cdef void sync(self) noexcept nogil:
        """Bring the book page up to the last end of a book message.

        The page trails the rows so that it stands still long enough to be copied, however fast the
        writer is. A message of half a ring keeps the lock odd until its end: nobody may see the
        middle of one, and the rows must not be overwritten before they are in the page.
        """
        cdef HgBook *page = &self.page.book
        cdef uint64_t target = self.whole, number
        cdef const Row *r
        if target <= page.rows and self.rows - page.rows < HG_ROWS // 2:
            return
        if page.lock % 2 == 0:
            hg_begin(&page.lock, page.lock + 2)
        if target <= page.rows:
            target = self.rows
        if not self.pending and COPY * (target - page.rows) > <uint64_t> (
                self.book.n[0] + self.book.n[1]):
            depth_copy(&page.depth, self.book)
        else:
            for number in range(page.rows, target):
                # somebody else may have written there since; readers refuse such a row, too
                r = &self.page.rows[number & (HG_ROWS - 1)]
                if hg_row_ok(r):
                    depth_apply(&page.depth, r)
        page.rows = target
        if target == self.whole:
            page.depth.seq = self.book.seq
            hg_end(&page.lock, page.lock + 1)
        self.synced_ns = self.now_ns

    cdef void beat(self, ns_t now) noexcept nogil:
        """Give a sign of life at `now`, on the clock of recv_ns; keep the book page near.

        Call it before each message and at least each 50 ms while the source is quiet.
        """
        if self.page == NULL or self.truncated:
            return
        self.now_ns = now
        store_release(<uint64_t *> &self.page.header.heartbeat_ns, <uint64_t> now)
        if now - self.synced_ns >= SYNC_NS:
            self.sync()

    cdef void restamp(self, Row *r, ns_t recv_ns) noexcept nogil:
        """Let a row of a recording or of the built-in market be received at `recv_ns`.

        The venue's time keeps its distance from it, so that a reader may hold it against a clock.
        """
        if r.exch_ns > 0 and self.page != NULL:
            r.exch_ns += recv_ns + self.page.header.unix_offset_ns - r.recv_ns
        r.recv_ns = recv_ns

    def put(self, int kind, int side=0, long long px=0, long long qty=0, *, long long recv_ns=0,
            long long exch_ns=0, long long id=0, int eom=1, int flags=0):
        """Publish one row; ValueError when it is impossible, FeedError when the object is lost."""
        cdef Row r
        cdef int answer
        memset(&r, 0, sizeof(Row))
        for what, value in (("kind", kind), ("side", side), ("eom", eom), ("flags", flags)):
            if not 0 <= value <= 255:
                raise ValueError(f"{what} {value} is not a byte")
        r.kind, r.side, r.eom, r.flags = kind, side, eom, flags
        r.px, r.qty, r.recv_ns, r.exch_ns, r.id = px, qty, recv_ns, exch_ns, id
        answer = self.row(&r)
        if answer == -1:
            raise ValueError(f"row {chr(kind)!r} side {side} {qty} lots at {px} is impossible")
        if answer:
            raise FeedError(f"{self.path} is closed or was truncated")

    def put_packed(self, const unsigned char[::1] data not None):
        """Publish rows packed as in a tape, 64 bytes each; return how many were accepted.

        The fields that the publisher assigns are ignored. Stops at the first impossible row.
        """
        cdef Row r
        cdef size_t done = 0, count = data.shape[0] // sizeof(Row)
        with nogil:
            while done < count:
                memcpy(&r, &data[done * sizeof(Row)], sizeof(Row))
                if self.row(&r):
                    break
                done += 1
        return done

    def heartbeat(self, now_ns=None):
        """Give a sign of life now, or at `now_ns` on the clock of recv_ns."""
        self.beat(mono_ns() if now_ns is None else now_ns)

    def is_intact(self):
        """Return whether the object still stands under its name, in full size."""
        if self.page == NULL or self.truncated:
            return False
        mine = os.fstat(self.fd)
        try:
            named = os.lstat(self.path)
        except OSError:
            return False
        return (mine.st_ino, mine.st_dev, mine.st_size) == (
            named.st_ino, named.st_dev, sizeof(Huginn)
        )

    @property
    def epoch(self):
        """Number of this life of the market's writer; 0 after close."""
        return self.page.header.epoch if self.page != NULL else 0

    def close(self):
        """End the feed on purpose: a status record END, the whole book, the state closed."""
        cdef Row r
        if self.page == NULL:
            return
        memset(&r, 0, sizeof(Row))
        r.kind = ROW_STATUS
        r.px = STATUS_END
        r.eom = 1
        r.recv_ns = self.now_ns if self.now_ns > self.recv_ns else self.recv_ns
        self.row(&r)
        if not self.truncated:
            self.sync()
            store_release(&self.page.header.state, HG_CLOSED)
        unmap_object(self.page, self.guard)
        self.page = NULL
        c_close(self.fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
