"""Both ends of a Huginn object in shared memory: the Publisher and the Reader."""

import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

cimport cython
from libc.errno cimport ENFILE, errno as c_errno
from libc.stdint cimport INT64_MAX, UINT32_MAX, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from posix.fcntl cimport O_NONBLOCK, O_RDONLY, open as c_open
from posix.mman cimport (
    MAP_FAILED, MAP_POPULATE, MAP_SHARED, PROT_READ, PROT_WRITE, mmap, munmap,
)
from posix.stat cimport S_IFMT, S_ISREG, S_IWGRP, S_IWOTH, fstat, lstat, struct_stat
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec
from posix.unistd cimport close as c_close, getpid

from bog._core.atomic cimport load_acquire, pause, store_release
from bog._core.depth cimport Depth, depth_reset, depth_set, depth_top
from bog._core.guard cimport guard_add, guard_drop
from bog._core.huginn cimport (
    HG_CLOSED, HG_MAGIC, HG_MARKETS, HG_OPEN, HG_PAGE, HG_RECORDS, HG_REPLACED, HG_ROWS, HG_SYNC,
    HG_VERSION, READ_BACKWARDS, READ_EPOCH, READ_GARBAGE, READ_GONE, READ_LAPPED, READ_NOTHING,
    READ_ROW, STEP_BACK, HgBook, HgHeader, Huginn, hg_begin, hg_book_read, hg_end, hg_read,
    hg_row_ok, hg_step,
)
from bog._core.memory cimport lines
from bog._core.types cimport (
    DEPTH, F_AFTER_GAP, REC_BOOK, REC_STATS, REC_STATUS, REC_TRADE, ROW_LEVEL, ROW_RESET, ROW_STATS,
    ROW_STATUS, ROW_TOUCH, ROW_TRADE, STATUS_END, Record, Row, ns_t,
)

cdef extern from "fcntl.h" nogil:
    enum: O_CLOEXEC
    enum: O_NOFOLLOW

DIRECTORY = "/dev/shm"
PREFIX = "hg_m"

cdef enum:
    TRIES = 8           # copies of the book page before a snapshot says "not now"
    IDLE = 256          # empty reads between two looks at the writer's counts
    SYNC_NS = 20000000  # the book page follows no later than this after a beat, ns

# first line of the header: magic .. reserved0, pid_start, epoch, state
FIRST_LINE = struct.Struct("<QIIQIIIBBBBQQQ")
STATE_OFFSET = 56

WHY = {
    REFUSE_TYPE: "is not a regular file",
    REFUSE_OWNER: "belongs to uid {found}, expected {wanted}",
    REFUSE_MODE: "has mode {found:03o}: group or others may write to it, expected 600",
    REFUSE_LINKS: "has {found} links, expected 1",
    REFUSE_SIZE: "has {found} bytes, expected {wanted}",
    REFUSE_MAGIC: "does not begin with a Huginn header: it is foreign or still being created",
    REFUSE_VERSION: "has layout version {found}, this build reads {wanted}",
    REFUSE_GEOMETRY: "has a size, count or offset of {found} in its header, expected {wanted}",
    REFUSE_DEX: "holds DEX {found}, expected {wanted}",
    REFUSE_MARKET: "holds market {found}, expected {wanted}",
    REFUSE_DEPTH: "has {found} levels a side, expected {wanted}",
    REFUSE_PX_DECIMALS: "has {found} price decimals, expected {wanted}",
    REFUSE_QTY_DECIMALS: "has {found} size decimals, expected {wanted}",
    REFUSE_WRITER: "names process {found} as its writer, expected a live or dead process id",
    REFUSE_EPOCH: "has epoch {found}, expected 1 or more",
    REFUSE_STATE: "has state {found}, expected 1 (open) or 2 (closed)",
    REFUSE_CLOCK: "has a clock value of {found} ns in its header, expected 0 or more",
    REFUSE_RESERVED: "has a reserved byte that is not 0 at offset {found}",
}


class FeedError(Exception):
    """A feed object that is refused: which, what is wrong, what would be right, in one line."""


def encode(int dex, long long market):
    """Return the number in the name of a market's object: dex * 1000000 + market.

    Raise ValueError for a DEX below 1 and for a raw market id that is not 0 to 999999.
    """
    if dex < 1:
        raise ValueError(f"DEX {dex} is not 1 or more")
    if not 0 <= market < HG_MARKETS:
        raise ValueError(f"market {market} is not between 0 and {HG_MARKETS - 1}")
    return dex * HG_MARKETS + market


def decode(long long key):
    """Return (dex, market) of the number in an object's name; ValueError when it names no DEX."""
    if key < HG_MARKETS:
        raise ValueError(f"{key} is a raw market id or less, expected dex * {HG_MARKETS} + market")
    return key // HG_MARKETS, key % HG_MARKETS


def object_path(int dex, long long market, directory=DIRECTORY, str prefix=PREFIX):
    """Return the path of a market's object."""
    return str(Path(directory) / f"{prefix}{encode(dex, market)}")


def sequence_step(uint64_t last, uint64_t seq):
    """Return (Step, numbers missing) for a sequence number that follows `last`, modulo 2**64."""
    cdef uint64_t missing
    cdef int step = hg_step(last, seq, &missing)
    return step, missing


def process_start(long long pid):
    """Return when a process started, in clock ticks since boot; 0 when it is dead or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def layout():
    """Return {field: (offset, bytes)} of the object as the compiler has laid it out."""
    # any page will do as its address: nothing is read, and a null pointer has no members
    cdef size_t base = HG_PAGE
    cdef Huginn *zero = <Huginn *> base
    cdef HgHeader *h = &zero.header
    cdef HgBook *b = &zero.book
    fields = {
        "header.magic": (<size_t> &h.magic, sizeof(h.magic)),
        "header.version": (<size_t> &h.version, sizeof(h.version)),
        "header.header_size": (<size_t> &h.header_size, sizeof(h.header_size)),
        "header.object_size": (<size_t> &h.object_size, sizeof(h.object_size)),
        "header.dex": (<size_t> &h.dex, sizeof(h.dex)),
        "header.market": (<size_t> &h.market, sizeof(h.market)),
        "header.pid": (<size_t> &h.pid, sizeof(h.pid)),
        "header.price_decimals": (<size_t> &h.price_decimals, sizeof(h.price_decimals)),
        "header.size_decimals": (<size_t> &h.size_decimals, sizeof(h.size_decimals)),
        "header.depth": (<size_t> &h.depth, sizeof(h.depth)),
        "header.reserved0": (<size_t> &h.reserved0, sizeof(h.reserved0)),
        "header.pid_start": (<size_t> &h.pid_start, sizeof(h.pid_start)),
        "header.epoch": (<size_t> &h.epoch, sizeof(h.epoch)),
        "header.state": (<size_t> &h.state, sizeof(h.state)),
        "header.record_size": (<size_t> &h.record_size, sizeof(h.record_size)),
        "header.record_slots": (<size_t> &h.record_slots, sizeof(h.record_slots)),
        "header.row_size": (<size_t> &h.row_size, sizeof(h.row_size)),
        "header.row_slots": (<size_t> &h.row_slots, sizeof(h.row_slots)),
        "header.record_offset": (<size_t> &h.record_offset, sizeof(h.record_offset)),
        "header.row_offset": (<size_t> &h.row_offset, sizeof(h.row_offset)),
        "header.book_offset": (<size_t> &h.book_offset, sizeof(h.book_offset)),
        "header.book_size": (<size_t> &h.book_size, sizeof(h.book_size)),
        "header.start_ns": (<size_t> &h.start_ns, sizeof(h.start_ns)),
        "header.unix_offset_ns": (<size_t> &h.unix_offset_ns, sizeof(h.unix_offset_ns)),
        "header.heartbeat_ns": (<size_t> &h.heartbeat_ns, sizeof(h.heartbeat_ns)),
        "header.reserved1": (<size_t> &h.reserved1, sizeof(h.reserved1)),
        "header.rows": (<size_t> &h.rows, sizeof(h.rows)),
        "header.seq": (<size_t> &h.seq, sizeof(h.seq)),
        "header.first_seq": (<size_t> &h.first_seq, sizeof(h.first_seq)),
        "header.reserved2": (<size_t> &h.reserved2, sizeof(h.reserved2)),
        "header.reserved3": (<size_t> &h.reserved3, sizeof(h.reserved3)),
        "records": (<size_t> &zero.records, sizeof(zero.records)),
        "rows": (<size_t> &zero.rows, sizeof(zero.rows)),
        "book.lock": (<size_t> &b.lock, sizeof(b.lock)),
        "book.rows": (<size_t> &b.rows, sizeof(b.rows)),
        "book.reserved": (<size_t> &b.reserved, sizeof(b.reserved)),
        "book.depth": (<size_t> &b.depth, sizeof(b.depth)),
        "object": (<size_t> zero, sizeof(Huginn)),
    }
    return {name: (at - base, size) for name, (at, size) in fields.items()}


cdef ns_t clock_ns(int clock) noexcept nogil:
    """Return a clock's time in ns."""
    cdef timespec now
    clock_gettime(clock, &now)
    return <ns_t> now.tv_sec * 1000000000 + now.tv_nsec


cdef void apply(Depth *book, const Row *r) noexcept nogil:
    """Apply a row that hg_row_ok has passed to a whole book; only levels and resets change it."""
    if r.kind == ROW_LEVEL:
        depth_set(book, r.side, r.px, r.qty)
    elif r.kind == ROW_RESET:
        depth_reset(book)


cdef retire(str path, uint32_t dex, uint32_t market):
    """Take a dead writer's object out of the way and return its epoch, or raise FeedError.

    The rule: a regular file of ours that nobody else may write, with one name, whose writer has
    closed it or is dead (no lock, and no process with its id and start time). Its readers are told
    by the state REPLACED. An object that a writer left before its header was complete has epoch 0.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return 0
    except OSError as error:
        link = error.errno == errno.ELOOP
        what = "is a symbolic link" if link else f"cannot be opened: {error.strerror}"
        raise FeedError(f"{path} {what}; expected nothing or an object of ours") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise FeedError(f"{path} is not a regular file; expected nothing or an object of ours")
        if found.st_uid != os.geteuid():
            raise FeedError(f"{path} belongs to uid {found.st_uid}, expected {os.geteuid()}")
        if found.st_mode & 0o022:
            raise FeedError(f"{path} has mode {found.st_mode & 0o777:03o}, expected 600")
        if found.st_nlink != 1:
            raise FeedError(f"{path} has {found.st_nlink} links, expected 1")
        line = os.pread(fd, FIRST_LINE.size, 0)
        head = FIRST_LINE.unpack(line) if len(line) == FIRST_LINE.size else (0,) * 14
        magic, of_dex, of_market, pid, pid_start, epoch, state = (
            head[0], head[4], head[5], head[6], head[11], head[12], head[13]
        )
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FeedError(
                f"{path} has a live writer, process {pid}; stop that one first"
            ) from None
        if magic == 0:
            epoch = 0
        elif magic != HG_MAGIC:
            raise FeedError(f"{path} is no Huginn object; remove it if nothing needs it")
        elif (of_dex, of_market) != (dex, market):
            raise FeedError(
                f"{path} holds DEX {of_dex} market {of_market}, expected {dex} and {market}"
            )
        elif state != HG_CLOSED and process_start(pid) == pid_start != 0:
            raise FeedError(f"{path} has a live writer, process {pid}; stop that one first")
        try:
            now = os.lstat(path)
        except FileNotFoundError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
            raise FeedError(f"{path} was taken by another writer just now")
        if magic:
            os.pwrite(fd, struct.pack("<Q", HG_REPLACED), STATE_OFFSET)
        os.unlink(path)
        return epoch
    finally:
        os.close(fd)


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
        cdef void *mapped
        cdef HgHeader *h
        self.fd = self.guard = -1
        self.path = object_path(dex, market, directory, prefix)
        for what, decimals in (("price", price_decimals), ("size", size_decimals)):
            if not 0 <= decimals <= 18:
                raise ValueError(f"{what} decimals {decimals} are not between 0 and 18")
        if start_ns is None:
            start_ns = clock_ns(CLOCK_MONOTONIC)
        if unix_offset_ns is None:
            unix_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)
        if start_ns < 0 or unix_offset_ns < 0:
            raise ValueError(f"start {start_ns} ns or Unix offset {unix_offset_ns} ns is negative")
        self.book = <Depth *> lines(sizeof(Depth))
        if self.book == NULL:
            raise MemoryError("no memory for a book")
        epoch = 1 + self.claim(dex, market, directory)
        mapped = mmap(NULL, sizeof(Huginn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                      self.fd, 0)
        if mapped == MAP_FAILED:
            raise FeedError(f"{self.path} cannot be mapped: {os.strerror(c_errno)}")
        self.page = <Huginn *> mapped
        self.guard = guard_add(mapped, sizeof(Huginn), PROT_READ | PROT_WRITE, &self.truncated)
        if self.guard < 0:
            raise FeedError(f"{self.path} is one mapped feed too many in this process")
        self.market = <uint32_t> market
        self.maker = getpid()
        self.seq = self.book_seq = first_seq - 1
        self.now_ns = self.synced_ns = start_ns
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
        h.epoch = epoch
        h.state = HG_OPEN
        h.record_size = sizeof(Record)
        h.record_slots = HG_RECORDS
        h.row_size = sizeof(Row)
        h.row_slots = HG_ROWS
        h.record_offset = <size_t> &self.page.records - <size_t> mapped
        h.row_offset = <size_t> &self.page.rows - <size_t> mapped
        h.book_offset = <size_t> &self.page.book - <size_t> mapped
        h.book_size = sizeof(HgBook)
        h.start_ns = start_ns
        h.unix_offset_ns = unix_offset_ns
        h.heartbeat_ns = start_ns
        h.seq = self.seq
        h.first_seq = first_seq
        store_release(&h.magic, HG_MAGIC)

    def claim(self, dex, market, directory):
        """Create the object, of full size and all zeros; return the epoch before this one."""
        folder = os.stat(directory)
        if folder.st_uid not in (0, os.geteuid()) or (
            folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX
        ):
            raise FeedError(f"{directory} lets others replace files; expected a folder of ours")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        before = 0
        try:
            self.fd = os.open(self.path, flags, 0o600)
        except FileExistsError:
            before = retire(self.path, dex, market)
            try:
                self.fd = os.open(self.path, flags, 0o600)
            except FileExistsError:
                raise FeedError(f"{self.path} was taken by another writer just now") from None
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FeedError(f"{self.path} was taken by another writer just now") from None
        try:
            os.fchmod(self.fd, 0o600)
            os.posix_fallocate(self.fd, 0, sizeof(Huginn))
        except OSError as error:
            os.unlink(self.path)
            raise FeedError(
                f"{self.path} needs {sizeof(Huginn)} bytes: {error.strerror}"
            ) from None
        return before

    def __dealloc__(self):
        if self.page != NULL:
            # an inherited copy in a child must not end its parent's feed
            if self.maker == <uint32_t> getpid() and not self.truncated:
                store_release(&self.page.header.state, HG_CLOSED)
            guard_drop(self.guard)
            munmap(self.page, sizeof(Huginn))
        if self.fd >= 0:
            c_close(self.fd)
        free(self.book)

    cdef int row(self, const Row *r) noexcept nogil:
        """Publish one row; return 0, -1 when the row is impossible, -2 when the object is lost.

        Level rows of one message carry the number of the book record that its last row publishes;
        each print, statistics and status row publishes a record of its own; a touch row publishes
        none and carries the number of the record before.
        """
        cdef uint64_t number = self.rows, seq, whole = 2 * (number + 1)
        cdef Row *slot
        if self.truncated or self.page == NULL:
            return -2
        if not hg_row_ok(r):
            self.refused += 1
            return -1
        if r.kind == ROW_LEVEL or r.kind == ROW_RESET:
            if not self.pending:
                self.seq += 1
                self.book_seq = self.seq
                self.pending = 1
                self.message_flags = 0
            seq = self.book_seq
            self.message_flags |= r.flags
            apply(self.book, r)
        elif r.kind == ROW_TOUCH:
            seq = self.seq
        else:
            self.seq += 1
            seq = self.seq
        slot = &self.page.rows[number & (HG_ROWS - 1)]
        hg_begin(&slot.gen, whole)
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
        hg_end(&slot.gen, whole)
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
        if target <= page.rows and self.rows - page.rows < HG_ROWS // 2:
            return
        if page.lock % 2 == 0:
            hg_begin(&page.lock, page.lock + 2)
        if target <= page.rows:
            target = self.rows
        for number in range(page.rows, target):
            apply(&page.depth, &self.page.rows[number & (HG_ROWS - 1)])
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
        self.beat(clock_ns(CLOCK_MONOTONIC) if now_ns is None else now_ns)

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
        guard_drop(self.guard)
        munmap(self.page, sizeof(Huginn))
        self.page = NULL
        c_close(self.fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


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
        self.owner = os.geteuid() if owner is None else owner
        self.want_px_decimals = price_decimals
        self.want_qty_decimals = size_decimals
        self.scratch = <Depth *> lines(sizeof(Depth))
        if self.scratch == NULL:
            raise MemoryError("no memory for a book")
        if self.attach() < 0:
            raise FeedError(self.why())

    def __dealloc__(self):
        if self.page != NULL:
            guard_drop(self.guard)
            munmap(self.page, sizeof(Huginn))
        free(self.scratch)

    cdef int refuse(self, int why, long long found, long long wanted) noexcept nogil:
        """Keep why an object is refused, for `why`; return -1."""
        self.refusal = why
        self.found = found
        self.wanted = wanted
        return -1

    cdef int attach(self) noexcept nogil:
        """Map the object that has the name now; return 1, or -1 with the reason in `refusal`.

        Counters stay; the position starts anew. What was mapped before stays when this fails.
        """
        cdef struct_stat st
        cdef void *mapped
        cdef int fd = c_open(self.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        cdef int guard, before
        if fd < 0:
            return self.refuse(REFUSE_OPEN, c_errno, 0)
        if fstat(fd, &st) != 0:
            self.refuse(REFUSE_OPEN, c_errno, 0)
        elif not S_ISREG(st.st_mode):
            self.refuse(REFUSE_TYPE, st.st_mode & S_IFMT, 0)
        elif st.st_uid != self.owner:
            self.refuse(REFUSE_OWNER, st.st_uid, self.owner)
        elif st.st_mode & (S_IWGRP | S_IWOTH):
            self.refuse(REFUSE_MODE, st.st_mode & 0o777, 0)
        elif st.st_nlink != 1:
            self.refuse(REFUSE_LINKS, st.st_nlink, 1)
        elif <size_t> st.st_size != sizeof(Huginn):
            self.refuse(REFUSE_SIZE, st.st_size, sizeof(Huginn))
        else:
            self.refusal = REFUSE_NONE
        if self.refusal:
            c_close(fd)
            return -1
        mapped = mmap(NULL, sizeof(Huginn), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0)
        c_close(fd)
        if mapped == MAP_FAILED:
            return self.refuse(REFUSE_MAP, c_errno, 0)
        before = self.truncated
        self.truncated = 0
        guard = guard_add(mapped, sizeof(Huginn), PROT_READ, &self.truncated)
        if guard < 0 or self.check(<Huginn *> mapped) < 0:
            if guard < 0:
                self.refuse(REFUSE_MAP, ENFILE, 0)
            self.truncated = before
            guard_drop(guard)
            munmap(mapped, sizeof(Huginn))
            return -1
        if self.page != NULL:
            guard_drop(self.guard)
            munmap(self.page, sizeof(Huginn))
        self.page = <Huginn *> mapped
        self.guard = guard
        self.device = st.st_dev
        self.inode = st.st_ino
        self.epoch = self.page.header.epoch
        self.epochs += 1
        self.want_px_decimals = self.page.header.price_decimals
        self.want_qty_decimals = self.page.header.size_decimals
        self.fresh = 1
        self.next = 0
        self.next_seq = load_acquire(&self.page.header.seq)
        if self.next_seq - self.page.header.first_seq > <uint64_t> INT64_MAX:
            self.next_seq = self.page.header.first_seq
        return 1

    cdef int check(self, const Huginn *page) noexcept nogil:
        """Return 1 when every field of the header is what this build and this market expect."""
        cdef const HgHeader *h = &page.header
        cdef const uint8_t *byte = <const uint8_t *> h
        cdef size_t base = <size_t> page, at
        cdef size_t records = <size_t> &page.records - base
        cdef size_t rows = <size_t> &page.rows - base
        cdef size_t book = <size_t> &page.book - base
        if load_acquire(&h.magic) != HG_MAGIC:
            return self.refuse(REFUSE_MAGIC, 0, 0)
        if h.version != HG_VERSION:
            return self.refuse(REFUSE_VERSION, h.version, HG_VERSION)
        if h.header_size != HG_PAGE:
            return self.refuse(REFUSE_GEOMETRY, h.header_size, HG_PAGE)
        if h.object_size != sizeof(Huginn):
            return self.refuse(REFUSE_GEOMETRY, <long long> h.object_size, sizeof(Huginn))
        if h.record_size != sizeof(Record):
            return self.refuse(REFUSE_GEOMETRY, h.record_size, sizeof(Record))
        if h.record_slots != HG_RECORDS:
            return self.refuse(REFUSE_GEOMETRY, h.record_slots, HG_RECORDS)
        if h.row_size != sizeof(Row):
            return self.refuse(REFUSE_GEOMETRY, h.row_size, sizeof(Row))
        if h.row_slots != HG_ROWS:
            return self.refuse(REFUSE_GEOMETRY, h.row_slots, HG_ROWS)
        if h.record_offset != records:
            return self.refuse(REFUSE_GEOMETRY, <long long> h.record_offset, records)
        if h.row_offset != rows:
            return self.refuse(REFUSE_GEOMETRY, <long long> h.row_offset, rows)
        if h.book_offset != book:
            return self.refuse(REFUSE_GEOMETRY, <long long> h.book_offset, book)
        if h.book_size != sizeof(HgBook):
            return self.refuse(REFUSE_GEOMETRY, <long long> h.book_size, sizeof(HgBook))
        if h.dex != self.dex:
            return self.refuse(REFUSE_DEX, h.dex, self.dex)
        if h.market != self.market:
            return self.refuse(REFUSE_MARKET, h.market, self.market)
        if h.depth != DEPTH:
            return self.refuse(REFUSE_DEPTH, h.depth, DEPTH)
        if h.price_decimals > 18 or (
            self.want_px_decimals >= 0 and h.price_decimals != self.want_px_decimals
        ):
            return self.refuse(REFUSE_PX_DECIMALS, h.price_decimals, self.want_px_decimals)
        if h.size_decimals > 18 or (
            self.want_qty_decimals >= 0 and h.size_decimals != self.want_qty_decimals
        ):
            return self.refuse(REFUSE_QTY_DECIMALS, h.size_decimals, self.want_qty_decimals)
        if h.pid == 0 or h.pid > 4194304 or h.pid_start == 0:
            return self.refuse(REFUSE_WRITER, h.pid, 0)
        if h.epoch == 0 or h.epoch > <uint64_t> INT64_MAX:
            return self.refuse(REFUSE_EPOCH, <long long> h.epoch, 1)
        if h.state != HG_OPEN and h.state != HG_CLOSED:
            return self.refuse(REFUSE_STATE, <long long> h.state, HG_OPEN)
        if h.start_ns < 0:
            return self.refuse(REFUSE_CLOCK, h.start_ns, 0)
        if h.unix_offset_ns < 0:
            return self.refuse(REFUSE_CLOCK, h.unix_offset_ns, 0)
        if h.heartbeat_ns < h.start_ns:
            return self.refuse(REFUSE_CLOCK, h.heartbeat_ns, h.start_ns)
        if h.reserved0 != 0:
            return self.refuse(REFUSE_RESERVED, <size_t> &h.reserved0 - base, 0)
        for at in range(<size_t> &h.reserved1 - base, <size_t> &h.rows - base):
            if byte[at] != 0:
                return self.refuse(REFUSE_RESERVED, at, 0)
        for at in range(<size_t> &h.reserved2 - base, HG_PAGE):
            if byte[at] != 0:
                return self.refuse(REFUSE_RESERVED, at, 0)
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

        The writer's count is looked at now and then only: each look takes its cache line away.
        """
        cdef uint64_t missing
        if self.page.header.state == HG_CLOSED:
            return READ_GONE
        self.idle += 1
        if self.idle < IDLE:
            return READ_NOTHING
        self.idle = 0
        if hg_step(last, load_acquire(published), &missing) == STEP_BACK:
            return READ_GONE if self.truncated else READ_BACKWARDS
        return READ_NOTHING

    cdef int next_row(self, Row *out) noexcept nogil:
        """Copy the next row into `out` and return ROW; every other answer leaves `out` unusable.

        After LAPPED, BACKWARDS or GARBAGE take a snapshot, after EPOCH or GONE follow. BACKWARDS
        and LAPPED are repeated until then.
        """
        cdef int closed, answer = self.standing()
        if answer != READ_ROW:
            return answer
        closed = self.page.header.state == HG_CLOSED
        answer = hg_read(&self.page.rows[self.next & (HG_ROWS - 1)], sizeof(Row),
                         2 * (self.next + 1), 2 * HG_ROWS, out, &self.torn)
        if answer == READ_ROW:
            if not hg_row_ok(out) or out.market != self.market:
                self.next += 1
                self.garbage += 1
                return READ_GARBAGE
            self.next += 1
            self.fresh = self.idle = 0
            if out.flags & F_AFTER_GAP and out.eom:
                self.gaps += 1
            return READ_ROW
        if answer == READ_NOTHING:
            return READ_GONE if closed else self.quiet(self.next, &self.page.header.rows)
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
        cdef uint64_t rows
        cdef int _try, answer, got
        cdef Row r
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
            # the page trails the rows: add those that were delivered already
            while rows < self.next:
                got = hg_read(&self.page.rows[rows & (HG_ROWS - 1)], sizeof(Row), 2 * (rows + 1),
                              2 * HG_ROWS, &r, &self.torn)
                if got != READ_ROW or not hg_row_ok(&r):
                    break
                apply(out, &r)
                if r.eom and (r.kind == ROW_LEVEL or r.kind == ROW_RESET):
                    out.seq = r.seq
                rows += 1
            if rows < self.next:
                continue
            if rows > self.next and not self.fresh:
                self.laps += 1
                self.lost_rows += rows - self.next
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
        if self.refusal == REFUSE_NONE:
            return ""
        if self.refusal == REFUSE_OPEN and self.found == errno.ELOOP:
            return f"{self.path} is a symbolic link, expected a regular file"
        if self.refusal in (REFUSE_OPEN, REFUSE_MAP):
            return f"{self.path} cannot be read: {os.strerror(self.found)}"
        return f"{self.path} " + WHY[self.refusal].format(found=self.found, wanted=self.wanted)

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
        cdef ns_t now, last = clock_ns(CLOCK_MONOTONIC)
        ages = []
        while len(ages) < count:
            with nogil:
                while True:
                    self.code = self.next_record(&r)
                    now = clock_ns(CLOCK_MONOTONIC)
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
