"""Single orders (format 2) into rows of levels: the lines of a moment into prints and changes."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from bog._core.memory cimport lines as cache_lines
from bog._core.recording cimport Lines, OrderLine, lines_fail, order_read
from bog._core.types cimport F_SNAPSHOT, ROW_LEVEL, ROW_RESET, ROW_TRADE, Row, ns_t, px_t, qty_t

cdef extern from "l3.h" nogil:
    ctypedef struct Entry "bog_entry_t":
        int64_t key
        int64_t a
        int64_t b
        int64_t c

    ctypedef struct Map "bog_map_t":
        Entry *slot
        size_t mask
        size_t n

    ctypedef struct L3 "bog_l3_t":
        Map orders
        Map levels
        int64_t *touched
        int64_t touched_n
        int64_t touched_cap
        int64_t prints
        int64_t group
        OrderLine held
        int32_t has_held
        Row *rows
        int64_t n
        int64_t cap

    Entry *map_find "bog_map_find"(const Map *m, int64_t key)
    Entry *map_add "bog_map_add"(Map *m, int64_t key)
    void map_drop "bog_map_drop"(Map *m, Entry *entry)
    void map_clear "bog_map_clear"(Map *m)


cdef inline void l3_start(L3 *l3) noexcept nogil:
    """Forget every order and level, for the first line of a recording."""
    map_clear(&l3.orders)
    map_clear(&l3.levels)
    l3.n = l3.touched_n = l3.prints = l3.group = 0
    l3.has_held = 0


cdef inline void l3_free(L3 *l3) noexcept nogil:
    """Give back all memory."""
    l3_start(l3)
    free(l3.touched)
    free(l3.rows)


cdef inline Row *l3_room(L3 *l3) noexcept nogil:
    """Return a zeroed row at the end of the rows, NULL when there is no memory."""
    cdef int64_t cap
    cdef Row *wide
    if l3.n == l3.cap:
        cap = 2 * l3.cap if l3.cap else 1024
        wide = <Row *> cache_lines(cap * sizeof(Row))
        if wide == NULL:
            return NULL
        if l3.n:
            memcpy(wide, l3.rows, l3.n * sizeof(Row))
        free(l3.rows)
        l3.rows = wide
        l3.cap = cap
    cdef Row *row = l3.rows + l3.n
    memset(row, 0, sizeof(Row))
    row.recv_ns = l3.held.recv_ns
    row.exch_ns = l3.held.exch_ns
    l3.n += 1
    return row


cdef inline int l3_touch(L3 *l3, int side, px_t px, qty_t change) noexcept nogil:
    """Change the size at a price and remember what it was before this message; -1: no memory."""
    cdef int64_t key = 2 * px + side
    cdef Entry *level = map_find(&l3.levels, key)
    cdef int64_t *wide
    if level == NULL:
        level = map_add(&l3.levels, key)
        if level == NULL:
            return -1
    if level.c == 0:
        level.c = 1
        level.b = level.a
        if l3.touched_n == l3.touched_cap:
            l3.touched_cap = 2 * l3.touched_cap if l3.touched_cap else 1024
            wide = <int64_t *> realloc(l3.touched, l3.touched_cap * sizeof(int64_t))
            if wide == NULL:
                return -1
            l3.touched = wide
        l3.touched[l3.touched_n] = key
        l3.touched_n += 1
    level.a += change
    return 0


cdef inline int l3_refuse(
    Lines *lines, const OrderLine *o, const char *what, const char *right
) noexcept nogil:
    """Note that a whole line cannot be; return -1."""
    return lines_fail(lines, what, right, o.text, o.text + o.n)


cdef inline int l3_apply(L3 *l3, Lines *lines, const OrderLine *o) noexcept nogil:
    """Apply one line to orders and levels; a trade becomes a row at once. -1 when it cannot be.

    An order stays at the price of its `A` line: the price of an `M` or `D` line is that of the
    execution. Orders at price 0 (bids under one tick) stand in no level.
    """
    cdef Entry *order = map_find(&l3.orders, o.id)
    cdef Row *row
    cdef px_t px
    if o.kind == c"T":
        # within a millisecond a trade may stand before the line that adds its order
        if order != NULL and (order.a & 1) == o.side:
            return l3_refuse(lines, o, "trade", "on the other side than its resting order")
        row = l3_room(l3)
        if row == NULL:
            return l3_refuse(lines, o, "line", "fewer trades: no memory")
        l3.prints += 1
        row.kind = ROW_TRADE
        row.side = o.side
        row.px = o.px
        row.qty = o.qty
        row.id = l3.prints
        return 0
    if o.kind == c"A":
        if order != NULL:
            return l3_refuse(lines, o, "line", "of an order_id that was not added before")
        order = map_add(&l3.orders, o.id)
        if order == NULL or (o.px and l3_touch(l3, o.side, o.px, o.qty) < 0):
            return l3_refuse(lines, o, "line", "fewer orders: no memory")
        order.a = 2 * o.px + o.side
        order.b = o.qty
        return 0
    if order == NULL:
        return l3_refuse(lines, o, "line", "of an order_id that was added before")
    if (order.a & 1) != o.side:
        return l3_refuse(lines, o, "line", "on the side of its order")
    px = order.a >> 1
    if px and l3_touch(l3, o.side, px, (o.qty if o.kind == c"M" else 0) - order.b) < 0:
        return l3_refuse(lines, o, "line", "fewer levels: no memory")
    if o.kind == c"M":
        order.b = o.qty
    else:
        map_drop(&l3.orders, order)
    return 0


cdef inline int l3_moment(L3 *l3, Lines *lines, OrderLine *after) noexcept nogil:
    """Apply the held line and all that share its exch_ns; then the first of the moment after.

    Return 1 with that line in `after`, 0 at the end of the recording, -1 when a line cannot be.
    """
    cdef int more
    if l3_apply(l3, lines, &l3.held) < 0:
        return -1
    while True:
        more = order_read(lines, after)
        if more <= 0 or after.exch_ns != l3.held.exch_ns:
            return more
        if after.recv_ns > l3.held.recv_ns:
            l3.held.recv_ns = after.recv_ns
        if l3_apply(l3, lines, after) < 0:
            return -1


cdef inline int l3_levels(L3 *l3) noexcept nogil:
    """Add a row for each level that this moment changed; -1 when there is no memory.

    A level that comes back to its old size inside the moment yields no row. The first message of
    a recording is a snapshot.
    """
    cdef Entry *level
    cdef Row *row
    cdef int64_t i
    if l3.group == 1:
        row = l3_room(l3)
        if row == NULL:
            return -1
        row.kind = ROW_RESET
        row.flags = F_SNAPSHOT
        row.id = 1
    for i in range(l3.touched_n):
        level = map_find(&l3.levels, l3.touched[i])
        level.c = 0
        if level.a != level.b:
            row = l3_room(l3)
            if row == NULL:
                return -1
            row.kind = ROW_LEVEL
            row.side = <uint8_t> (l3.touched[i] & 1)
            row.px = l3.touched[i] >> 1
            row.qty = level.a
            row.id = l3.group
            row.flags = F_SNAPSHOT if l3.group == 1 else 0
        if level.a == 0:
            map_drop(&l3.levels, level)
    return 0


cdef inline int l3_fill(L3 *l3, Lines *lines, ns_t seen_ns) noexcept nogil:
    """Turn the lines of one exch_ns into its prints and then its level changes: 1 with rows.

    Return 0 at the end, -1 when a line cannot be. Two messages: prints first, as the venue reports
    them before the change of the order. No row is earlier than `seen_ns`.
    """
    cdef OrderLine line
    cdef int64_t i
    cdef int more
    memset(&line, 0, sizeof(OrderLine))
    while True:
        if not l3.has_held:
            more = order_read(lines, &l3.held)
            if more <= 0:
                return more
        l3.group += 1
        l3.has_held = 0
        l3.n = l3.touched_n = 0
        more = l3_moment(l3, lines, &line)
        if more < 0:
            return -1
        # the message is known when its last line has come, and the clock never steps back
        if l3.held.recv_ns < seen_ns:
            l3.held.recv_ns = seen_ns
        for i in range(l3.n):
            l3.rows[i].recv_ns = l3.held.recv_ns
        if l3.n:
            l3.rows[l3.n - 1].eom = 1
        if l3_levels(l3) < 0:
            return l3_refuse(lines, &l3.held, "line", "fewer levels: no memory")
        if more > 0:
            l3.held = line
            l3.has_held = 1
        if l3.n:
            l3.rows[l3.n - 1].eom = 1
            return 1
