"""The paper venue's memory: what it holds, the reports it queues, the list of resting orders."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove, memset

from bog._core.depth cimport Depth
from bog._core.memory cimport lines
from bog._core.notes cimport Notes
from bog._core.types cimport (
    BID, NEVER, REP_AMEND_REJECT, REP_CANCEL_REJECT, REP_REJECT, Report, VenueParams, ns_t, px_t,
    qty_t,
)

cdef extern from "paper_state.h" nogil:
    const int64_t HOUR_NS "BOG_HOUR_NS"
    const int64_t MINUTE_NS "BOG_MINUTE_NS"

    enum PaperState "bog_paper_state":
        PAPER_FREE "BOG_PAPER_FREE"
        PAPER_PENDING "BOG_PAPER_PENDING"
        PAPER_OPEN "BOG_PAPER_OPEN"
        PAPER_DEAD "BOG_PAPER_DEAD"

    ctypedef struct PaperOrder "bog_paper_order_t":
        uint64_t id
        uint64_t venue_id
        px_t px
        qty_t qty
        qty_t rem
        qty_t ahead
        qty_t credit
        ns_t credit_until
        uint64_t age
        ns_t expiry_ns
        uint8_t side
        uint8_t state
        uint8_t tif
        uint8_t reduce_only
        uint8_t unknown

    ctypedef struct PaperAction "bog_paper_action_t":
        ns_t at_ns
        uint64_t seq
        uint64_t id
        px_t px
        qty_t qty
        int32_t slot
        uint8_t kind
        uint8_t side
        uint8_t reason

    ctypedef struct PaperCounts "bog_paper_counts_t":
        uint64_t requests
        uint64_t refused
        uint64_t post_only
        uint64_t overloaded
        uint64_t fills[6]
        uint64_t unfilled
        uint64_t unknown_ahead
        uint64_t own_prints
        uint64_t resets
        uint64_t funding
        uint64_t funding_skipped

    ctypedef struct Paper "bog_paper_t":
        VenueParams params
        Depth *depth
        Notes *notes
        PaperOrder *order
        int32_t *open[2]
        int32_t *spare
        PaperAction *action
        Report *report
        ns_t *request
        int64_t n_slots
        int64_t n_open[2]
        int64_t n_spare
        int64_t cap_actions
        int64_t n_actions
        int64_t cap_reports
        int64_t first_report
        int64_t n_reports
        int64_t first_request
        int64_t n_requests
        uint64_t next_seq
        uint64_t next_venue_id
        uint64_t next_trade
        ns_t next_expiry
        ns_t blind_until
        qty_t pos
        px_t mark
        int64_t rate_ppm
        int64_t stats_hour
        int64_t hour
        uint32_t market
        uint8_t rebuilding
        uint8_t rebuilt_rows
        uint8_t partial
        uint8_t halted
        uint8_t distinct
        PaperCounts counts


# ---- memory: before the start and after the end ------------------------------------------------

cdef inline size_t paper_whole(int64_t n, size_t size) noexcept nogil:
    """Return how many bytes of whole cache lines hold `n` of a size."""
    return (<size_t> n * size + 63) // 64 * 64


cdef inline void *paper_take(char **at, int64_t n, size_t size) noexcept nogil:
    """Return where `n` of a size begin, and move `at` behind them."""
    cdef void *here = at[0]
    at[0] += paper_whole(n, size)
    return here


cdef inline int64_t paper_reports(int64_t orders, int64_t actions) noexcept nogil:
    """Return room for what the orders and the commands in flight can still cause, and as many fills
    again."""
    return 4 * (orders + actions) + 64


cdef inline size_t paper_size(
    const VenueParams *params, int64_t orders, int64_t actions,
) noexcept nogil:
    """Return the bytes of a venue with room for so many live orders and commands in flight."""
    return (
        paper_whole(1, sizeof(Paper)) + paper_whole(orders, sizeof(PaperOrder))
        + 3 * paper_whole(orders, sizeof(int32_t)) + paper_whole(actions, sizeof(PaperAction))
        + paper_whole(paper_reports(orders, actions), sizeof(Report))
        + paper_whole(params.requests_per_min + 1, sizeof(ns_t)) + paper_whole(1, sizeof(Notes))
    )


cdef inline Paper *paper_init(
    void *memory, const VenueParams *params, Depth *depth, int64_t orders, int64_t actions,
) noexcept nogil:
    """Make a venue of `memory`, paper_size zeroed bytes on a cache line: one stretch, so that what a
    turn touches stands close together. `depth` is the book that paper_row keeps; both must outlive
    the venue."""
    cdef char *at = <char *> memory
    cdef Paper *paper = <Paper *> paper_take(&at, 1, sizeof(Paper))
    cdef int64_t i
    paper.params = params[0]
    paper.depth = depth
    paper.n_slots = paper.n_spare = orders
    paper.cap_actions = actions
    paper.cap_reports = paper_reports(orders, actions)
    paper.order = <PaperOrder *> paper_take(&at, orders, sizeof(PaperOrder))
    paper.open[0] = <int32_t *> paper_take(&at, orders, sizeof(int32_t))
    paper.open[1] = <int32_t *> paper_take(&at, orders, sizeof(int32_t))
    paper.spare = <int32_t *> paper_take(&at, orders, sizeof(int32_t))
    paper.action = <PaperAction *> paper_take(&at, actions, sizeof(PaperAction))
    paper.report = <Report *> paper_take(&at, paper.cap_reports, sizeof(Report))
    paper.request = <ns_t *> paper_take(&at, params.requests_per_min + 1, sizeof(ns_t))
    paper.notes = <Notes *> paper_take(&at, 1, sizeof(Notes))
    for i in range(orders):
        paper.spare[i] = <int32_t> (orders - 1 - i)
    paper.next_seq = paper.next_venue_id = paper.next_trade = 1
    paper.blind_until = -1
    paper.next_expiry = NEVER
    return paper


cdef inline Paper *paper_new(
    const VenueParams *params, Depth *depth, int64_t orders, int64_t actions,
) noexcept nogil:
    """Return a venue in memory of its own, which free() gives back, or NULL; see paper_init."""
    cdef void *memory = lines(paper_size(params, orders, actions))
    return NULL if memory == NULL else paper_init(memory, params, depth, orders, actions)


# ---- reports -----------------------------------------------------------------------------------

cdef inline Report *paper_tell(
    Paper *paper, int kind, uint64_t order_id, int side, int reason, ns_t now,
) noexcept nogil:
    """Queue a report of what happens at venue time `now` and return it, NULL when there is no room.

    paper_command and paper_fill keep enough room free, so that only a fill ever meets NULL.
    """
    cdef Report *report
    cdef int64_t at
    if paper.n_reports == paper.cap_reports:
        return NULL
    at = paper.first_report + paper.n_reports
    if at >= paper.cap_reports:
        at -= paper.cap_reports
    paper.n_reports += 1
    report = &paper.report[at]
    memset(report, 0, sizeof(Report))
    report.kind = <uint8_t> kind
    report.order_id = order_id
    report.side = <uint8_t> side
    report.reason = <uint8_t> reason
    report.venue_ns = now
    report.time_ns = now + paper.params.response_ns
    report.market = paper.market
    if kind == REP_REJECT or kind == REP_CANCEL_REJECT or kind == REP_AMEND_REJECT:
        paper.counts.refused += 1
    return report


cdef inline int64_t paper_reserve(const Paper *paper) noexcept nogil:
    """Return how many report slots the live orders and the commands in flight may still need."""
    return 2 * (paper.n_slots - paper.n_spare + paper.n_actions)


# ---- the list of resting orders ----------------------------------------------------------------

cdef inline int paper_better(int side, px_t px, px_t than) noexcept nogil:
    """Return 1 when `px` stands in front of `than` on a side."""
    return px > than if side == BID else px < than


cdef inline int64_t paper_place_of(
    const Paper *paper, int side, px_t px, uint64_t age,
) noexcept nogil:
    """Return where an order of this price and age stands, or would stand, among the resting."""
    cdef int64_t low = 0, high = paper.n_open[side], mid
    cdef const PaperOrder *order
    while low < high:
        mid = (low + high) >> 1
        order = &paper.order[paper.open[side][mid]]
        if paper_better(side, order.px, px) or (order.px == px and order.age < age):
            low = mid + 1
        else:
            high = mid
    return low


cdef inline void paper_enter(Paper *paper, int32_t slot) noexcept nogil:
    """Put an order among the resting ones."""
    cdef PaperOrder *order = &paper.order[slot]
    cdef int side = order.side
    cdef int64_t at = paper_place_of(paper, side, order.px, order.age), n = paper.n_open[side]
    cdef int32_t *list = paper.open[side]
    memmove(list + at + 1, list + at, <size_t> (n - at) * sizeof(int32_t))
    list[at] = slot
    paper.n_open[side] = n + 1


cdef inline void paper_leave(Paper *paper, int32_t slot) noexcept nogil:
    """Take an order out of the resting ones."""
    cdef PaperOrder *order = &paper.order[slot]
    cdef int side = order.side
    cdef int64_t at = paper_place_of(paper, side, order.px, order.age), n = paper.n_open[side]
    cdef int32_t *list = paper.open[side]
    memmove(list + at, list + at + 1, <size_t> (n - at - 1) * sizeof(int32_t))
    paper.n_open[side] = n - 1


cdef inline void paper_spare(Paper *paper, int32_t slot) noexcept nogil:
    """Give a slot back."""
    paper.order[slot].state = PAPER_FREE
    paper.spare[paper.n_spare] = slot
    paper.n_spare += 1


cdef inline int32_t paper_open_slot(const Paper *paper, uint64_t order_id) noexcept nogil:
    """Return the slot of the resting order with this id, -1 when none rests."""
    cdef int side
    cdef int64_t i
    for side in range(2):
        for i in range(paper.n_open[side]):
            if paper.order[paper.open[side][i]].id == order_id:
                return paper.open[side][i]
    return -1


cdef inline int32_t paper_pending_slot(
    const Paper *paper, uint64_t order_id, uint64_t before,
) noexcept nogil:
    """Return the slot of the oldest order on its way with this id, sent before a command, or -1."""
    cdef int64_t i
    cdef int32_t found = -1
    cdef const PaperOrder *order
    for i in range(paper.n_slots):
        order = &paper.order[i]
        if order.state == PAPER_PENDING and order.id == order_id and order.age < before:
            if found < 0 or order.age < paper.order[found].age:
                found = <int32_t> i
    return found
