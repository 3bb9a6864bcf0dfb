"""A script of orders against a recording, through the paper venue: the row loop of bog-backtest."""

cimport cython
from libc.stdint cimport int64_t, int32_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.depth cimport Depth
from bog._core.memory cimport lines
from bog._core.paper cimport paper_report, paper_row, paper_send
from bog._core.paper_state cimport PAPER_PENDING, Paper, paper_new
from bog._core.source cimport Source
from bog._core.types cimport (
    CMD_CANCEL, CMD_PLACE, Command, NEVER, REP_FILL, Report, Row, TIF_POST_ONLY,
    VenueParams, ns_t,
)

MODELS = ("risk", "linear", "square", "front")
REASONS = ("", "queue", "through", "cross", "taker", "match")
WINDOW_NS = 250_000_000  # a depth change and its print are at most so far apart

cdef enum:
    STRETCH = 1 << 16  # rows between two looks at the progress


@cython.final
cdef class Backtest:
    """One run of a script. No fees, no latencies but the script's own, no refusals but post-only.

    `sends`: (side, px, qty, effective_ns, line) in send order, that is by age; the order's number
    is its place in this list. `cancels`: (order number, effective_ns, line). Among actions of one
    time the line decides.
    """

    cdef Paper *paper
    cdef Depth *depth
    cdef ns_t now

    def __cinit__(self, sends, cancels, str model="risk"):
        cdef VenueParams venue
        cdef Command command
        cdef int64_t n
        if model not in MODELS:
            raise ValueError(f"model {model!r} is none of {', '.join(MODELS)}")
        memset(&venue, 0, sizeof(VenueParams))
        venue.model = MODELS.index(model)
        venue.window_ns = WINDOW_NS
        self.depth = <Depth *> lines(sizeof(Depth))
        if self.depth != NULL:
            n = len(sends) + len(cancels) + 1
            self.paper = paper_new(&venue, self.depth, len(sends) + 1, n)
        if self.paper == NULL:
            raise MemoryError(f"no memory for {len(sends)} orders")
        self.paper.distinct = 1
        memset(&command, 0, sizeof(Command))
        command.expiry_ns = NEVER
        command.tif = TIF_POST_ONLY
        command.kind = CMD_PLACE
        for number, (side, px, qty, at_ns, line) in enumerate(sends):
            command.order_id = number
            command.side = side
            command.px = px
            command.qty = qty
            # a fresh venue hands out its slots in order: the slot is the order's number
            if paper_send(self.paper, &command, at_ns, number + 1, line, -1, 0) != number:
                raise AssertionError(f"order {number} did not get the slot of its number")
        command.kind = CMD_CANCEL
        for number, at_ns, line in cancels:
            if not 0 <= number < len(sends):
                raise ValueError(f"a cancel names order {number} of {len(sends)}")
            command.order_id = number
            paper_send(self.paper, &command, at_ns, 0, line, <int32_t> number, 0)

    def __dealloc__(self):
        free(self.paper)
        free(self.depth)

    cdef int64_t stretch(self, Source source) noexcept nogil:
        """Replay rows until a report is there; return STRETCH or less when none is, -1 at the end.

        -2 when the recording is damaged.
        """
        cdef Row row
        cdef int64_t rows = 0
        cdef int more
        while rows < STRETCH and self.paper.n_reports == 0:
            more = source.next(&row)
            if more != 1:
                return -1 if more == 0 else -2
            self.now = row.recv_ns
            paper_row(self.paper, &row)
            rows += 1
        return rows

    def run(self, Source source, progress=None):
        """Replay the recording and return its fills as (time_ns, order number, px, qty, reason).

        `progress(done, total)` is called now and then. Raise ValueError when the recording is
        damaged.
        """
        cdef int64_t rows = 0
        cdef Report report
        fills = []
        while rows >= 0:
            with nogil:
                rows = self.stretch(source)
            while self.paper.n_reports and paper_report(self.paper, self.now, &report):
                if report.kind == REP_FILL:
                    fills.append(
                        (report.venue_ns, report.order_id, report.px, report.qty,
                         REASONS[report.reason])
                    )
            if progress is not None and rows == STRETCH:
                progress(*source.progress)
        if rows == -2:
            raise ValueError(source.error())
        if self.paper.counts.unfilled:
            raise AssertionError("a fill was withheld although every report was taken at once")
        return fills

    def counts(self):
        """Return what the run counted: rejected, resting, filled by reason, doubts."""
        counts = self.paper.counts
        return {
            "rejected": counts.post_only,
            "resting": self.paper.n_open[0] + self.paper.n_open[1],
            "on_the_way": self.pending(),
            "fills": {REASONS[i]: counts.fills[i] for i in range(1, 4)},
            "unknown_ahead": counts.unknown_ahead,
            "notes_full": self.paper.notes.full,
        }

    cdef int64_t pending(self):
        """Return how many orders had not arrived when the recording ended."""
        cdef int64_t i, n = 0
        for i in range(self.paper.n_slots):
            n += self.paper.order[i].state == PAPER_PENDING
        return n
