"""What huginn.h says, for Python: its enums, its layout, how a sequence number follows another."""

from libc.stdint cimport uint64_t

from bog._core.huginn cimport HG_PAGE, HgBook, HgHeader, Huginn, hg_step


def sequence_step(uint64_t last, uint64_t seq):
    """Return (Step, numbers missing) for a sequence number that follows `last`, modulo 2**64."""
    cdef uint64_t missing
    cdef int step = hg_step(last, seq, &missing)
    return step, missing


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
