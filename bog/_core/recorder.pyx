"""The writers of recordings: tapes, and rows as CSV (format 1)."""

import os
import time

cimport cython
from libc.errno cimport EINTR, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strlen
from posix.unistd cimport write as posix_write

from bog._core.memory cimport lines as cache_lines
from bog._core.recording cimport (
    CSV_ROW_MAX, ROWS_HEADER, TAPE_MAGIC, TAPE_VERSION, TapeHead, crc32, crc_start, csv_write,
    tape_seal,
)
from bog._core.recording_file import check_number
from bog._core.source cimport Source
from bog._core.types cimport PX_MAX, QTY_MAX, Row, ns_t

cdef enum:
    BUFFER = 1 << 20

crc_start()


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


cdef class RowWriter:
    """A file that takes rows, through a buffer of 1 MiB: what TapeWriter and CsvWriter share.

    It is created for its owner only. `rows` counts those that were taken. After an error nothing
    more is written.
    """

    def __cinit__(self):
        self.fd = -1
        self.buffer = <char *> malloc(BUFFER)
        if self.buffer == NULL:
            raise MemoryError("no memory for a buffer")

    def __dealloc__(self):
        if self.fd >= 0:
            self.drain()
            os.close(self.fd)
        free(self.buffer)

    cdef int create(self, path, int how) except -1:
        """Open the file for writing; `how` says what to do when it exists, O_EXCL or O_TRUNC."""
        self.path = os.fspath(path)
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
        return 0

    cdef int write(self, const Row *row) noexcept nogil:
        """Append a row; return 0, or the errno of the write that failed (then nothing follows).

        -1 when the file is closed, or when it cannot take this row.
        """
        if self.failed or self.fd < 0:
            return self.failed if self.failed else -1
        if self.used + self.row_max > BUFFER and self.drain():
            return self.failed
        return self.put(row)

    cdef int put(self, const Row *row) noexcept nogil:
        """Add a row to the buffer, where there is room, and count it; return 0, or -1 to refuse."""
        return -1

    cdef int drain(self) noexcept nogil:
        """Hand the buffer to the system; return 0 or the errno, which sticks."""
        if self.failed == 0:
            self.failed = write_out(self.fd, self.buffer, self.used)
            self.used = 0
        return self.failed

    cdef str refusal(self, ns_t recv_ns):
        """Return why `write` said -1."""
        return "the file is closed"

    cdef int check(self, int code, ns_t recv_ns) except -1:
        """Raise what a return code of `write` stands for."""
        if code > 0:
            raise OSError(code, os.strerror(code), self.path)
        if code < 0:
            raise ValueError(f"{self.path}: {self.refusal(recv_ns)}")
        return 0

    cdef int settle(self) except -1:
        """Hand everything to the system."""
        return self.check(self.drain(), 0)

    def append(self, row):
        """Append one MarketRow; raise ValueError when it is out of bounds or refused."""
        cdef Row one
        row_from(tuple(row), &one)
        self.check(self.write(&one), one.recv_ns)

    def copy(self, Source source not None):
        """Append every row that is left in a source and return how many were written."""
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

    def close(self):
        """Write what is left (a tape waits for the disk) and close; twice does nothing more."""
        if self.fd >= 0:
            try:
                self.settle()
            finally:
                fd, self.fd = self.fd, -1
                os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


@cython.final
cdef class TapeWriter(RowWriter):
    """Writes rows to a new tape. Decimals are the market's.

    The file must not exist. `unix_offset_ns` is what turns the rows' recv_ns into Unix time. A row
    whose recv_ns steps back is refused: such a tape could not be replayed.
    """

    def __cinit__(self, path, unsigned int market, int price_decimals, int size_decimals,
                  long long unix_offset_ns=0, str created_by="bog", created_ns=None):
        check_number("price_decimals", price_decimals, 18)
        check_number("size_decimals", size_decimals, 18)
        name = created_by.encode()
        if len(name) > 80:
            raise ValueError(f"created_by {created_by!r} is longer than 80 bytes")
        self.sealed = <Row *> cache_lines(sizeof(Row))
        if self.sealed == NULL:
            raise MemoryError("no memory for a row")
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
        self.create(path, os.O_EXCL)
        self.row_max = sizeof(Row)
        memcpy(self.buffer, &self.head, sizeof(TapeHead))
        self.used = sizeof(TapeHead)

    def __dealloc__(self):
        free(self.sealed)

    cdef int put(self, const Row *row) noexcept nogil:
        if row.recv_ns < self.last_ns:
            return -1
        self.last_ns = row.recv_ns
        self.sealed[0] = row[0]
        self.sealed.market = self.head.market
        self.sealed.gen = tape_seal(self.sealed, self.rows)
        memcpy(self.buffer + self.used, self.sealed, sizeof(Row))
        self.used += sizeof(Row)
        self.rows += 1
        return 0

    cdef str refusal(self, ns_t recv_ns):
        return f"recv_ns {recv_ns} comes after {self.last_ns}, or the tape is closed"

    cdef int settle(self) except -1:
        self.check(self.drain(), 0)
        os.fsync(self.fd)
        return 0

    def flush(self):
        """Hand everything to the system and wait until it is on disk."""
        if self.fd < 0:
            raise ValueError(f"{self.path}: the tape is closed")
        self.settle()


@cython.final
cdef class CsvWriter(RowWriter):
    """Writes rows as format 1. Kinds that format 1 lacks (S, X) are counted in `left_out`.

    An existing file is an error unless `replace`.
    """

    def __cinit__(self, path, replace=False):
        self.create(path, os.O_TRUNC if replace else os.O_EXCL)
        self.row_max = CSV_ROW_MAX
        self.used = strlen(ROWS_HEADER)
        memcpy(self.buffer, <const char *> ROWS_HEADER, self.used)

    cdef int put(self, const Row *row) noexcept nogil:
        cdef size_t n = csv_write(self.buffer + self.used, row)
        self.used += n
        if n:
            self.rows += 1
        else:
            self.left_out += 1
        return 0


def dump_csv(Source source not None, path, replace=False):
    """Write what is left of a source as format 1 and return the number of rows."""
    with CsvWriter(path, replace) as writer:
        return writer.copy(source)
