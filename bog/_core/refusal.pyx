"""What a Huginn object must be before it is believed, and what is said when it is not."""

import errno
import os

from libc.stdint cimport INT64_MAX, uint8_t, uint64_t
from posix.stat cimport S_IFMT, S_ISREG, S_IWGRP, S_IWOTH, struct_stat

from bog._core.atomic cimport load_acquire
from bog._core.huginn cimport (
    HG_CLOSED, HG_MAGIC, HG_OPEN, HG_PAGE, HG_RECORDS, HG_ROWS, HG_VERSION, HgBook, HgHeader,
    Huginn,
)
from bog._core.types cimport DEPTH, Record, Row

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


cdef int refuse(Refused *out, int why, long long found, long long wanted) noexcept nogil:
    """Keep why an object is refused, for `explain`; return -1."""
    out.why = why
    out.found = found
    out.wanted = wanted
    return -1


cdef int check_file(const struct_stat *st, const Expected *want, Refused *out) noexcept nogil:
    """Return 0 when an open file is one that only `want.owner` may write, of full size, else -1."""
    if not S_ISREG(st.st_mode):
        return refuse(out, REFUSE_TYPE, st.st_mode & S_IFMT, 0)
    if st.st_uid != want.owner:
        return refuse(out, REFUSE_OWNER, st.st_uid, want.owner)
    if st.st_mode & (S_IWGRP | S_IWOTH):
        return refuse(out, REFUSE_MODE, st.st_mode & 0o777, 0)
    if st.st_nlink != 1:
        return refuse(out, REFUSE_LINKS, st.st_nlink, 1)
    if <size_t> st.st_size != sizeof(Huginn):
        return refuse(out, REFUSE_SIZE, st.st_size, sizeof(Huginn))
    return 0


cdef int check_object(const Huginn *page, const Expected *want, Refused *out) noexcept nogil:
    """Return 0 when every field of the header is what this build and `want` expect, else -1."""
    cdef const HgHeader *h = &page.header
    cdef const uint8_t *byte = <const uint8_t *> h
    cdef size_t base = <size_t> page, at
    cdef size_t records = <size_t> &page.records - base
    cdef size_t rows = <size_t> &page.rows - base
    cdef size_t book = <size_t> &page.book - base
    if load_acquire(&h.magic) != HG_MAGIC:
        return refuse(out, REFUSE_MAGIC, 0, 0)
    if h.version != HG_VERSION:
        return refuse(out, REFUSE_VERSION, h.version, HG_VERSION)
    if h.header_size != HG_PAGE:
        return refuse(out, REFUSE_GEOMETRY, h.header_size, HG_PAGE)
    if h.object_size != sizeof(Huginn):
        return refuse(out, REFUSE_GEOMETRY, <long long> h.object_size, sizeof(Huginn))
    if h.record_size != sizeof(Record):
        return refuse(out, REFUSE_GEOMETRY, h.record_size, sizeof(Record))
    if h.record_slots != HG_RECORDS:
        return refuse(out, REFUSE_GEOMETRY, h.record_slots, HG_RECORDS)
    if h.row_size != sizeof(Row):
        return refuse(out, REFUSE_GEOMETRY, h.row_size, sizeof(Row))
    if h.row_slots != HG_ROWS:
        return refuse(out, REFUSE_GEOMETRY, h.row_slots, HG_ROWS)
    if h.record_offset != records:
        return refuse(out, REFUSE_GEOMETRY, <long long> h.record_offset, records)
    if h.row_offset != rows:
        return refuse(out, REFUSE_GEOMETRY, <long long> h.row_offset, rows)
    if h.book_offset != book:
        return refuse(out, REFUSE_GEOMETRY, <long long> h.book_offset, book)
    if h.book_size != sizeof(HgBook):
        return refuse(out, REFUSE_GEOMETRY, <long long> h.book_size, sizeof(HgBook))
    if h.dex != want.dex:
        return refuse(out, REFUSE_DEX, h.dex, want.dex)
    if h.market != want.market:
        return refuse(out, REFUSE_MARKET, h.market, want.market)
    if h.depth != DEPTH:
        return refuse(out, REFUSE_DEPTH, h.depth, DEPTH)
    if h.price_decimals > 18 or (
        want.px_decimals >= 0 and h.price_decimals != want.px_decimals
    ):
        return refuse(out, REFUSE_PX_DECIMALS, h.price_decimals, want.px_decimals)
    if h.size_decimals > 18 or (
        want.qty_decimals >= 0 and h.size_decimals != want.qty_decimals
    ):
        return refuse(out, REFUSE_QTY_DECIMALS, h.size_decimals, want.qty_decimals)
    if h.pid == 0 or h.pid > 4194304 or h.pid_start == 0:
        return refuse(out, REFUSE_WRITER, h.pid, 0)
    if h.epoch == 0 or h.epoch > <uint64_t> INT64_MAX:
        return refuse(out, REFUSE_EPOCH, <long long> h.epoch, 1)
    if h.state != HG_OPEN and h.state != HG_CLOSED:
        return refuse(out, REFUSE_STATE, <long long> h.state, HG_OPEN)
    if h.start_ns < 0:
        return refuse(out, REFUSE_CLOCK, h.start_ns, 0)
    if h.unix_offset_ns < 0:
        return refuse(out, REFUSE_CLOCK, h.unix_offset_ns, 0)
    if h.heartbeat_ns < h.start_ns:
        return refuse(out, REFUSE_CLOCK, h.heartbeat_ns, h.start_ns)
    if h.reserved0 != 0:
        return refuse(out, REFUSE_RESERVED, <size_t> &h.reserved0 - base, 0)
    for at in range(<size_t> &h.reserved1 - base, <size_t> &h.rows - base):
        if byte[at] != 0:
            return refuse(out, REFUSE_RESERVED, at, 0)
    for at in range(<size_t> &h.reserved2 - base, HG_PAGE):
        if byte[at] != 0:
            return refuse(out, REFUSE_RESERVED, at, 0)
    return 0


cdef str explain(const Refused *refused, str path):
    """Return a refusal in one line: which object, what was found, what would be right."""
    if refused.why == REFUSE_NONE:
        return ""
    if refused.why == REFUSE_OPEN and refused.found == errno.ELOOP:
        return f"{path} is a symbolic link, expected a regular file"
    if refused.why in (REFUSE_OPEN, REFUSE_MAP):
        return f"{path} cannot be read: {os.strerror(refused.found)}"
    return f"{path} " + WHY[refused.why].format(found=refused.found, wanted=refused.wanted)
