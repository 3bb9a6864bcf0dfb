"""The reading end of a Huginn object: rows, records, the whole book, and what was lost."""

import os

from bog._core.shm import DIRECTORY, PREFIX, object_path
from bog.errors import FeedError

cimport cython
from libc.errno cimport errno as c_errno
from libc.stdint cimport INT64_MAX, uint32_t, uint64_t
from libc.stdlib cimport free
from posix.fcntl cimport O_NONBLOCK, O_RDONLY, open as c_open
from posix.mman cimport PROT_READ
from posix.stat cimport fstat, lstat, struct_stat
from posix.unistd cimport close as c_close

from bog._core.atomic cimport load_acquire, pause
from bog._core.clock cimport mono_ns
from bog._core.depth cimport Depth, depth_apply
from bog._core.huginn cimport (
    HG_CLOSED, HG_RECORDS, HG_REPLACED, HG_ROWS, READ_BACKWARDS, READ_EPOCH, READ_GARBAGE,
    READ_GONE, READ_LAPPED, READ_NOTHING, READ_ROW, STEP_BACK, STEP_GAP, STEP_NEXT, HgHeader,
    Huginn, hg_book_read,
    hg_read, hg_row_ok, hg_step,
)
from bog._core.memory cimport lines
from bog._core.refusal cimport (
    REFUSE_MAP, REFUSE_NONE, REFUSE_OPEN, check_file, check_object, explain, refuse,
)
from bog._core.shm cimport map_object, unmap_object
from bog._core.types cimport (
    DEPTH, F_AFTER_GAP, REC_BOOK, REC_STATS, REC_STATUS, REC_TRADE, ROW_LEVEL, ROW_RESET, ROW_TRADE,
    Record, Row, ns_t,
)

cdef extern from "fcntl.h" nogil:
    enum: O_CLOEXEC
    enum: O_NOFOLLOW

cdef enum:
    TRIES = 8   # copies of the book page before a snapshot says "not now"
    IDLE = 256  # empty reads between two looks at the writer's counts


@cython.final
cdef class Reader:
    """One follower of a market's object, without write access.

    Reads every row in order (`row`), every record of the short ring in order (`record`), and the
    whole book (`book`), after which `row` goes on with the first row that the book does not hold.
    Raises FeedError when the object is refused. `owner` is the uid that must own the object, by
    default ours; decimals, where given, must be the object's.
    """

    def __cinit__(self, long long market, *, int dex=1, directory=DIRECTORY, str prefix=PREFIX,
                  owner=None, int price_decimals=-1, int size_decimals=-1):
        self.guard = -1
        self.path = object_path(dex, market, directory, prefix)
        self.name_bytes = os.fsencode(self.path)
        self.name = self.name_bytes
        self.dex = dex
        self.market = <uint32_t> market
        self.want.dex = dex
        self.want.market = self.market
        self.want.owner = os.geteuid() if owner is None else owner
        self.want.px_decimals = price_decimals
        self.want.qty_decimals = size_decimals
        self.scratch = <Depth *> lines(sizeof(Depth))
        if self.scratch == NULL:
            raise MemoryError("no memory for a book")
        if self.attach() < 0:
            raise FeedError(self.why())

    def __dealloc__(self):
        if self.page != NULL:
            unmap_object(self.page, self.guard)
        free(self.scratch)

    cdef int attach(self) noexcept nogil:
        """Map the object that has the name now; return 1, or -1 with the reason for `why`.

        Counters stay; the position starts anew. What was mapped before stays when this fails.
        """
        cdef struct_stat st
        cdef Huginn *page
        cdef int fd = c_open(self.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        cdef int guard, error, before = self.truncated
        if fd < 0:
            return refuse(&self.refused, REFUSE_OPEN, c_errno, 0)
        if fstat(fd, &st) != 0:
            refuse(&self.refused, REFUSE_OPEN, c_errno, 0)
            c_close(fd)
            return -1
        if check_file(&st, &self.want, &self.refused) < 0:
            c_close(fd)
            return -1
        self.truncated = 0
        error = map_object(fd, PROT_READ, &self.truncated, &guard, &page)
        c_close(fd)
        if error:
            self.truncated = before
            return refuse(&self.refused, REFUSE_MAP, error, 0)
        if check_object(page, &self.want, &self.refused) < 0:
            self.truncated = before
            unmap_object(page, guard)
            return -1
        self.refused.why = REFUSE_NONE
        if self.page != NULL:
            unmap_object(self.page, self.guard)
        self.page = page
        self.guard = guard
        self.device = st.st_dev
        self.inode = st.st_ino
        self.epoch = self.page.header.epoch
        self.epochs += 1
        self.want.px_decimals = self.page.header.price_decimals
        self.want.qty_decimals = self.page.header.size_decimals
        self.fresh = 1
        self.next = self.ended = self.back = self.wary = self.holed = self.behind = 0
        self.next_seq = load_acquire(&self.page.header.seq)
        if self.next_seq - self.page.header.first_seq > <uint64_t> INT64_MAX:
            self.next_seq = self.page.header.first_seq
        return 1

    cdef int follow(self) noexcept nogil:
        """Look whether the name belongs to another object or epoch now, and attach to it if so.

        Return 1 when attached anew, 0 when nothing changed or nothing is there yet, -1 when what
        is there is refused. Two system calls: for instants when nothing trades.
        """
        cdef struct_stat st
        if lstat(self.name, &st) != 0:
            return 0
        if (st.st_dev == self.device and st.st_ino == self.inode and not self.truncated
                and self.standing() != READ_EPOCH):
            return 0
        return self.attach()

    cdef int standing(self) noexcept nogil:
        """Return ROW while this is the object and the epoch that we attached to."""
        if self.truncated:
            return READ_GONE
        if load_acquire(&self.page.header.epoch) != self.epoch:
            return READ_GONE if self.truncated else READ_EPOCH
        if self.page.header.state == HG_REPLACED:
            return READ_EPOCH
        return READ_ROW

    cdef int quiet(self, uint64_t last, const uint64_t *published) noexcept nogil:
        """Say why nothing is new after number `last`: NOTHING, GONE when closed, or BACKWARDS.

        The writer's count is looked at now and then only: each look takes its cache line away. A
        writer stores what it counts, then the count, then its next sign of life: a count that is
        still behind after that went back, and before that the writer may have been put to sleep.
        """
        cdef uint64_t missing
        cdef ns_t beat
        if self.page.header.state == HG_CLOSED:
            return READ_GONE
        self.idle += 1
        if self.idle < IDLE:
            return READ_NOTHING
        self.idle = 0
        beat = self.heartbeat()
        if hg_step(last, load_acquire(published), &missing) != STEP_BACK:
            return READ_NOTHING
        if self.behind != last or self.behind_beat == beat:
            self.behind = last
            self.behind_beat = beat
            return READ_NOTHING
        return READ_GONE if self.truncated else READ_BACKWARDS

    cdef int counted(self) noexcept nogil:
        """Return 1 when the writer counts the next row as published."""
        cdef uint64_t missing
        cdef int step = hg_step(self.next, load_acquire(&self.page.header.rows), &missing)
        return step == STEP_NEXT or step == STEP_GAP

    cdef int hole(self) noexcept nogil:
        """Return 1 when the writer counts rows as published that stand in no slot."""
        if not self.counted():
            return 0
        # what was counted was stored before: only now is a slot that lacks it a hole
        return load_acquire(&self.page.rows[self.next & (HG_ROWS - 1)].gen) != 2 * (self.next + 1)

    cdef int next_row(self, Row *out) noexcept nogil:
        """Copy the next row into `out` and return ROW; every other answer leaves `out` unusable.

        After LAPPED, BACKWARDS or GARBAGE take a snapshot, after EPOCH or GONE follow. BACKWARDS
        and LAPPED are repeated until then.
        """
        cdef int closed, answer = self.standing()
        if answer != READ_ROW:
            return answer
        closed = self.page.header.state == HG_CLOSED
        if self.wary and not self.counted():
            answer = READ_NOTHING
        else:
            answer = hg_read(&self.page.rows[self.next & (HG_ROWS - 1)], sizeof(Row),
                             2 * (self.next + 1), 2 * HG_ROWS, out, &self.torn)
        if answer == READ_ROW:
            if not hg_row_ok(out) or out.market != self.market:
                self.next += 1
                self.garbage += 1
                return READ_GARBAGE
            self.next += 1
            self.fresh = self.idle = 0
            if out.eom:
                self.ended = self.next
            if out.flags & F_AFTER_GAP and out.eom:
                self.gaps += 1
            return READ_ROW
        if answer == READ_NOTHING:
            if closed:
                return READ_GONE
            # the writer counts whole messages: rows of one under way may be ahead of its count
            answer = self.quiet(self.ended, &self.page.header.rows)
            if answer == READ_NOTHING and self.idle == 0 and self.hole():
                self.holed = 1
                return READ_LAPPED
        self.back = answer == READ_BACKWARDS
        return READ_GONE if self.truncated else answer

    cdef int next_record(self, Record *out) noexcept nogil:
        """Copy the next record of the short ring into `out` and return ROW.

        When the writer was a ring ahead, count what is lost, go on in the middle of what is left
        and return LAPPED once. A reader starts with the newest record.
        """
        cdef uint64_t last, missing
        cdef int closed, answer = self.standing()
        if answer != READ_ROW:
            return answer
        closed = self.page.header.state == HG_CLOSED
        answer = hg_read(&self.page.records[self.next_seq & (HG_RECORDS - 1)], sizeof(Record),
                         2 * self.next_seq, 2 * HG_RECORDS, out, &self.torn)
        if answer == READ_ROW:
            self.next_seq += 1
            self.idle = 0
            if not REC_BOOK <= out.kind <= REC_STATUS or out.n_bids > DEPTH or out.n_asks > DEPTH:
                self.garbage += 1
                return READ_GARBAGE
            return READ_ROW
        if answer == READ_NOTHING:
            return READ_GONE if closed else self.quiet(self.next_seq - 1, &self.page.header.seq)
        if self.truncated:
            return READ_GONE
        if answer == READ_LAPPED:
            last = load_acquire(&self.page.header.seq) - HG_RECORDS // 2
            # the count may still be behind the slot that told us of the lap
            if hg_step(self.next_seq + 1, last, &missing) == STEP_BACK:
                last = self.next_seq + 1
            self.laps += 1
            self.lost_records += last - self.next_seq
            self.next_seq = last
        return answer

    cdef int snapshot(self, Depth *out) noexcept nogil:
        """Copy the whole book into `out` and return ROW; `next` is the first row not in it.

        NOTHING: it was being written at every try, ask again. Rows that were delivered already
        are in the book and are not delivered again; rows overwritten unread are counted lost.
        """
        cdef uint64_t rows, whole
        cdef int _try, answer, got
        cdef Row r
        if self.back:
            # numbers are written again: begin anew, and believe no slot that is not counted
            self.next = self.back = 0
            self.fresh = self.wary = 1
        for _try in range(TRIES):
            answer = self.standing()
            if answer != READ_ROW:
                return answer
            answer = hg_book_read(&self.page.book, out, &rows)
            if self.truncated:
                return READ_GONE
            if answer == READ_GARBAGE:
                self.garbage += 1
                return READ_GARBAGE
            if answer == READ_NOTHING:
                pause()
                continue
            whole = rows
            # the page trails the rows: add those that were delivered already
            while rows < self.next:
                got = hg_read(&self.page.rows[rows & (HG_ROWS - 1)], sizeof(Row), 2 * (rows + 1),
                              2 * HG_ROWS, &r, &self.torn)
                if got != READ_ROW or not hg_row_ok(&r):
                    break
                depth_apply(out, &r)
                if r.eom and (r.kind == ROW_LEVEL or r.kind == ROW_RESET):
                    out.seq = r.seq
                rows += 1
            if rows < self.next:
                continue
            if self.holed and rows == self.next:
                return READ_NOTHING  # the page is not past the hole yet
            self.holed = 0
            if rows > self.next and not self.fresh:
                self.laps += 1
                self.lost_rows += rows - self.next
            if self.fresh or whole > self.ended:
                self.ended = whole
            self.next = rows
            self.fresh = 0
            return READ_ROW
        return READ_NOTHING

    cdef ns_t heartbeat(self) noexcept nogil:
        """Return the writer's last sign of life, on the clock of recv_ns."""
        return <ns_t> load_acquire(<const uint64_t *> &self.page.header.heartbeat_ns)

    cdef ns_t unix_offset(self) noexcept nogil:
        """Return Unix time minus the clock of recv_ns."""
        return self.page.header.unix_offset_ns

    def why(self):
        """Return in one line why the last attach failed; empty when it did not."""
        return explain(&self.refused, self.path)

    def row(self):
        """Return the next row, or None with the answer in `code`.

        A row is (number, kind, side, px, qty, recv_ns, exch_ns, id, seq, eom, flags).
        """
        cdef Row r
        self.code = self.next_row(&r)
        if self.code != READ_ROW:
            return None
        return (self.next - 1, r.kind, r.side, r.px, r.qty, r.recv_ns, r.exch_ns, r.id, r.seq,
                r.eom, r.flags)

    def record(self):
        """Return the next record of the short ring as a dict, or None with the answer in `code`."""
        cdef Record r
        self.code = self.next_record(&r)
        if self.code != READ_ROW:
            return None
        answer = {"seq": self.next_seq - 1, "kind": r.kind, "flags": r.flags, "recv_ns": r.recv_ns,
                  "exch_ns": r.exch_ns, "pub_delta_ns": r.pub_delta_ns}
        if r.kind == REC_TRADE:
            answer.update(px=r.trade_px, qty=r.trade_qty, id=r.trade_id, side=r.trade_side)
        elif r.kind == REC_STATS:
            answer.update(mark_px=r.mark_px, index_px=r.index_px, funding_ppm=r.funding_ppm)
        elif r.kind == REC_STATUS:
            answer.update(status=r.status)
        else:
            bids = [(r.bids_px[i], r.bids_qty[i]) for i in range(8)]
            bids += [(r.bids_px_tail[i], r.bids_qty_tail[i]) for i in range(DEPTH - 8)]
            asks = [(r.asks_px[i], r.asks_qty[i]) for i in range(8)]
            asks += [(r.asks_px_tail[i], r.asks_qty_tail[i]) for i in range(DEPTH - 8)]
            answer.update(bids=bids[:r.n_bids], asks=asks[:r.n_asks])
        return answer

    def book(self):
        """Return the whole book as (bids, asks) of (px, qty), best first; None: see `code`."""
        cdef long long i
        self.code = self.snapshot(self.scratch)
        if self.code != READ_ROW:
            return None
        sides = []
        for side in range(2):
            n = self.scratch.n[side]
            sides.append([(self.scratch.px[side][n - 1 - i], self.scratch.qty[side][n - 1 - i])
                          for i in range(n)])
        return tuple(sides)

    def top(self, long long levels):
        """Return the book of the newest whole message, cut to so many levels a side, as a dict.

        `bids` and `asks` are (px, qty), best first, `standing` how many levels there are. `seq`,
        `recv_ns` and `exch_ns` are those of the message, the times 0 where it has left the ring.
        `trade` is the newest print that passed since the last call, (px, qty, side, recv_ns), or
        None. None: see `code`; a message that is being written takes some microseconds: ask again.
        """
        cdef Row r
        cdef Depth *book = self.scratch
        cdef uint64_t at
        cdef ns_t recv_ns = 0, exch_ns = 0
        cdef int _try, _row, side, print_side = 0
        cdef long long i, count, print_px = 0, print_qty = 0, print_ns = 0
        with nogil:
            for _try in range(TRIES):
                self.code = self.snapshot(book)
                if self.code != READ_ROW:
                    break
                for _row in range(HG_ROWS):
                    self.code = self.next_row(&r)
                    if self.code != READ_ROW:
                        break
                    depth_apply(book, &r)
                    if r.kind == ROW_TRADE:
                        print_px, print_qty, print_side, print_ns = r.px, r.qty, r.side, r.recv_ns
                    elif r.eom and (r.kind == ROW_LEVEL or r.kind == ROW_RESET):
                        book.seq = r.seq
                if self.code == READ_NOTHING or self.code == READ_GONE or self.code == READ_ROW:
                    if self.next == self.ended:
                        self.code = READ_ROW
                        break
                    self.code = READ_NOTHING
                    pause()
                elif self.code != READ_LAPPED:
                    break
            if self.truncated:
                self.code = READ_GONE
            if self.code == READ_ROW:
                # its times stand in its last row, a few rows back
                at = self.next
                while at > 0 and self.next - at < HG_ROWS:
                    at -= 1
                    if hg_read(&self.page.rows[at & (HG_ROWS - 1)], sizeof(Row), 2 * (at + 1),
                               2 * HG_ROWS, &r, &self.torn) != READ_ROW or r.seq < book.seq:
                        break
                    if r.seq == book.seq and (r.kind == ROW_LEVEL or r.kind == ROW_RESET):
                        recv_ns, exch_ns = r.recv_ns, r.exch_ns
                        break
        if self.code != READ_ROW:
            return None
        sides = []
        for side in range(2):
            count = min(max(levels, 0), book.n[side])
            sides.append([(book.px[side][book.n[side] - 1 - i], book.qty[side][book.n[side] - 1 - i])
                          for i in range(count)])
        return {
            "seq": book.seq, "recv_ns": recv_ns, "exch_ns": exch_ns,
            "standing": (book.n[0], book.n[1]), "bids": sides[0], "asks": sides[1],
            "trade": (print_px, print_qty, print_side, print_ns) if print_px else None,
        }

    def drain(self, long long most):
        """Read and forget up to `most` rows; return how many. `code` says why it stopped."""
        cdef Row r
        cdef long long count = 0
        with nogil:
            while count < most:
                self.code = self.next_row(&r)
                if self.code != READ_ROW:
                    break
                count += 1
        return count

    def listen(self, long long count, long long patience_ns):
        """Return the ages in ns, receive time to now, of the next `count` records, in a busy loop.

        Fewer when none came for `patience_ns`. For feeds on CLOCK_MONOTONIC.
        """
        cdef Record r
        cdef ns_t now, last = mono_ns()
        ages = []
        while len(ages) < count:
            with nogil:
                while True:
                    self.code = self.next_record(&r)
                    now = mono_ns()
                    if self.code == READ_ROW or now - last > patience_ns:
                        break
                    pause()
            if self.code != READ_ROW:
                break
            last = now
            ages.append(now - r.recv_ns)
        return ages

    def refresh(self):
        """Follow the name to another object or epoch: True when attached anew, else False.

        Raises FeedError when what has the name now is refused.
        """
        cdef int answer = self.follow()
        if answer < 0:
            raise FeedError(self.why())
        return answer == 1

    def header(self):
        """Return the fields of the header that a person asks for, as a dict."""
        cdef const HgHeader *h = &self.page.header
        return {
            "dex": h.dex, "market": h.market, "pid": h.pid, "pid_start": h.pid_start,
            "price_decimals": h.price_decimals, "size_decimals": h.size_decimals,
            "epoch": h.epoch, "state": h.state, "start_ns": h.start_ns,
            "unix_offset_ns": h.unix_offset_ns, "heartbeat_ns": h.heartbeat_ns,
            "rows": h.rows, "seq": h.seq, "first_seq": h.first_seq,
        }
