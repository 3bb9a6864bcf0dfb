"""A Python handle on the paper venue, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.depth cimport Depth
from bog._core.memory cimport lines
from bog._core.notes cimport Note, notes_find, sum_at
from bog._core.paper cimport (
    paper_advance, paper_command, paper_due, paper_end, paper_report, paper_row, paper_send,
)
from bog._core.paper_state cimport (
    PAPER_OPEN, PAPER_PENDING, Paper, PaperOrder, paper_new,
)
from bog._core.types cimport (
    ASK, BID, CMD_AMEND, CMD_CANCEL, CMD_CANCEL_ALL, CMD_PLACE, Command, NEVER,
    Report, Row, TIF_POST_ONLY, VenueParams, ns_t,
)

MODELS = ("risk", "linear", "square", "front")
REASONS = ("", "queue", "through", "cross", "taker", "match")


@cython.final
cdef class PaperProbe:
    """One paper venue with its own book.

    Prices in ticks, sizes in lots, times in ns; side 0 is the bid, 1 the ask, of a print the
    aggressor. Venue parameters are those of `VenueParams` by name; what is not named is 0, but the
    window, which is 250 ms.
    """

    cdef Paper *paper
    cdef Depth *depth
    cdef ns_t now

    def __cinit__(self, *, str model="risk", bint through_full=False, int64_t orders=64,
                  int64_t actions=256, int64_t window_ns=250_000_000, **params):
        cdef VenueParams venue
        if model not in MODELS:
            raise ValueError(f"model {model!r} is none of {', '.join(MODELS)}")
        if not 0 < orders < 1 << 24 or not 0 < actions < 1 << 24:
            raise ValueError(f"room for {orders} orders and {actions} commands is not in 1..2**24")
        memset(&venue, 0, sizeof(VenueParams))
        venue.model = MODELS.index(model)
        venue.through_full = through_full
        venue.window_ns = window_ns
        venue.net_ns = params.pop("net_ns", 0)
        venue.response_ns = params.pop("response_ns", 0)
        venue.maker_ns = params.pop("maker_ns", 0)
        venue.cancel_ns = params.pop("cancel_ns", 0)
        venue.amend_ns = params.pop("amend_ns", 0)
        venue.taker_ns = params.pop("taker_ns", 0)
        venue.maker_ppm = params.pop("maker_ppm", 0)
        venue.taker_ppm = params.pop("taker_ppm", 0)
        venue.min_qty = params.pop("min_qty", 0)
        venue.min_notional = params.pop("min_notional", 0)
        venue.requests_per_min = params.pop("requests_per_min", 0)
        venue.max_open_orders = params.pop("max_open_orders", 0)
        venue.shrink_keeps_place = params.pop("shrink_keeps_place", False)
        if params:
            raise ValueError(f"no such venue parameter: {', '.join(sorted(params))}")
        self.depth = <Depth *> lines(sizeof(Depth))
        if self.depth != NULL:
            self.paper = paper_new(&venue, self.depth, orders, actions)
        if self.paper == NULL:
            raise MemoryError(f"no memory for a venue of {orders} orders")

    def __dealloc__(self):
        free(self.paper)
        free(self.depth)

    def row(self, str kind, int64_t now, int side=0, int64_t px=0, int64_t qty=0, *,
            int64_t id=0, int64_t exch_ns=0, bint eom=False, int flags=0):
        """Give the venue one row of market data; `kind` is the letter of the file."""
        cdef Row row
        if len(kind) != 1 or kind not in "RLTBSX":
            raise ValueError(f"row kind {kind!r} is none of R, L, T, B, S, X")
        if side not in (BID, ASK):
            raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
        memset(&row, 0, sizeof(Row))
        row.kind = ord(kind)
        row.recv_ns = now
        row.exch_ns = exch_ns
        row.side = side
        row.px = px
        row.qty = qty
        row.id = id
        row.eom = eom
        row.flags = flags
        self.now = now
        paper_row(self.paper, &row)

    def end(self, int64_t now):
        """End a message at `now` without a row."""
        self.now = now
        paper_advance(self.paper, now)
        paper_end(self.paper, now)

    def send(self, long long id, int side, int64_t px, int64_t qty, int64_t now,
             int64_t latency_ns=0, int tif=TIF_POST_ONLY):
        """Send an order that arrives `latency_ns` after `now`, whatever the venue's own delays."""
        self._direct(CMD_PLACE, id, side, px, qty, now, latency_ns, tif)

    def cancel(self, long long id, int64_t now, int64_t latency_ns=0):
        """Send a cancel that takes effect `latency_ns` after `now`."""
        self._direct(CMD_CANCEL, id, 0, 0, 0, now, latency_ns, 0)

    def amend(self, long long id, int64_t px, int64_t qty, int64_t now, int64_t latency_ns=0):
        """Send an amend to a new price and total size; it takes effect `latency_ns` after `now`."""
        self._direct(CMD_AMEND, id, 0, px, qty, now, latency_ns, 0)

    def cancel_all(self, int64_t now, int64_t latency_ns=0):
        """Send a cancel of all orders that takes effect `latency_ns` after `now`."""
        self._direct(CMD_CANCEL_ALL, 0, 0, 0, 0, now, latency_ns, 0)

    cdef _direct(self, int kind, long long id, int side, int64_t px, int64_t qty, int64_t now,
                 int64_t latency_ns, int tif):
        """Queue a command at its own latency and let what is due take effect."""
        cdef Command command
        cdef int32_t slot
        self._fill(&command, kind, id, side, px, qty, tif, NEVER, False)
        slot = paper_send(
            self.paper, &command, now + latency_ns, self.paper.next_seq, self.paper.next_seq, -1, 0,
        )
        if slot == -2:
            raise OverflowError("the venue's queue of commands or orders is full")
        self.paper.next_seq += 1
        self.now = now
        paper_advance(self.paper, now)

    cdef _fill(self, Command *command, int kind, long long id, int side, int64_t px, int64_t qty,
               int tif, int64_t expiry_ns, bint reduce_only):
        memset(command, 0, sizeof(Command))
        command.kind = kind
        command.order_id = id
        command.side = side
        command.px = px
        command.qty = qty
        command.tif = tif
        command.expiry_ns = expiry_ns
        command.reduce_only = reduce_only

    def command(self, int kind, long long id, int side, int64_t px, int64_t qty, int64_t now, *,
                int tif=TIF_POST_ONLY, int64_t expiry_ns=NEVER, bint reduce_only=False):
        """Send a command through the venue's plug; return whether it was taken."""
        cdef Command command
        self._fill(&command, kind, id, side, px, qty, tif, expiry_ns, reduce_only)
        self.now = now
        return paper_command(self.paper, &command, now) == 0

    def advance(self, int64_t now):
        """Let what is due at or before `now` take effect."""
        self.now = now
        paper_advance(self.paper, now)

    def due(self):
        """Return when the next report may be known, None when none is on its way."""
        cdef ns_t at = paper_due(self.paper)
        return None if at == NEVER else at

    def report(self, int64_t now):
        """Pop the next report known at `now` as a dict, None when there is none."""
        cdef Report report
        if not paper_report(self.paper, now, &report):
            return None
        return {
            "kind": report.kind, "order": report.order_id, "side": report.side,
            "px": report.px, "qty": report.qty, "fee": report.fee, "reason": report.reason,
            "venue_id": report.venue_id, "time_ns": report.time_ns, "venue_ns": report.venue_ns,
        }

    def reports(self):
        """Pop every report that is queued, known yet or not."""
        found = []
        while self.paper.n_reports:
            found.append(self.report(self.paper.report[self.paper.first_report].time_ns))
        return found

    def orders(self):
        """Return id -> (state, side, px, qty, rem, ahead, credit) of all orders alive.

        state is "pending" or "open"; ahead of an order still on its way is 0; credit is what counts
        at the last event.
        """
        cdef int64_t i
        cdef PaperOrder *order
        alive = {}
        for i in range(self.paper.n_slots):
            order = &self.paper.order[i]
            if order.state in (PAPER_PENDING, PAPER_OPEN):
                alive[order.id] = (
                    "open" if order.state == PAPER_OPEN else "pending",
                    order.side, order.px, order.qty, order.rem, order.ahead,
                    sum_at(order.credit, order.credit_until, self.now),
                )
        return alive

    def note(self, int side, int64_t px):
        """Return (unexplained, seen, used, taken) of a level as they count at the last event."""
        cdef Note *note = notes_find(self.paper.notes, side, px)
        if note == NULL:
            return 0, 0, 0, 0
        return (
            sum_at(note.unexplained, note.unexplained_until, self.now),
            sum_at(note.seen, note.seen_until, self.now),
            note.used,
            sum_at(note.taken, note.taken_until, self.now),
        )

    def notes(self):
        """Return how many levels are remembered and how often there was no room for one."""
        return self.paper.notes.count, self.paper.notes.full

    def levels(self, int side):
        """Return every level of the displayed book's side as (price, size), best first."""
        cdef int64_t i, n = self.depth.n[side]
        return [(self.depth.px[side][n - 1 - i], self.depth.qty[side][n - 1 - i]) for i in range(n)]

    @property
    def position(self):
        """What the fills of this venue add up to, lots."""
        return self.paper.pos

    @position.setter
    def position(self, int64_t pos):
        self.paper.pos = pos

    def counts(self):
        """Return what the venue counted, by name; fills by reason."""
        counts = dict(self.paper.counts)
        fills = counts.pop("fills")
        counts["fills"] = {REASONS[i]: fills[i] for i in range(1, len(REASONS))}
        return counts
