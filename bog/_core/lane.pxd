"""One engine with its plugs, as the loop turns it: says what lane.h says, and the class."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from bog._core.calibrate cimport Calibration
from bog._core.clock cimport Clock
from bog._core.depth cimport Depth
from bog._core.engine_state cimport Engine, Event, Out
from bog._core.journal cimport Journal, JournalFile
from bog._core.level cimport Control
from bog._core.link cimport Link, LinkObject
from bog._core.market cimport Market
from bog._core.measure cimport MeasureMemory
from bog._core.paper_state cimport Paper
from bog._core.portfolio cimport Portfolio, Share
from bog._core.publisher cimport Publisher
from bog._core.reader cimport Reader
from bog._core.show cimport Standing
from bog._core.source cimport Source
from bog._core.stats cimport Stats, StatsPage
from bog._core.types cimport Command, Order, Record, Report, Row, ns_t, px_t

cdef extern from "lane.h" nogil:
    ctypedef struct LaneMemory "bog_lane_memory_t":
        Row row
        Record record
        Engine engine
        Out out
        Share share
        Depth depth
        MeasureMemory measure
        Calibration calibration

    cdef enum LaneAnswer "bog_lane_answer":
        LANE_GOES_ON "BOG_LANE_GOES_ON"
        LANE_LOOK "BOG_LANE_LOOK"

    cdef enum LaneEnd "bog_lane_end":
        END_DATA "BOG_END_DATA"
        END_DURATION "BOG_END_DURATION"
        END_SIGNAL "BOG_END_SIGNAL"

    cdef enum LaneFailure "bog_lane_failure":
        FAILED_NOTHING "BOG_FAILED_NOTHING"
        FAILED_JOURNAL "BOG_FAILED_JOURNAL"
        FAILED_FEED "BOG_FAILED_FEED"
        FAILED_EXECUTOR "BOG_FAILED_EXECUTOR"


cdef class Lane:
    cdef void *block         # holds `memory`, and `paper` in front of it
    cdef LaneMemory *memory
    cdef Engine *engine  # this and the next four are parts of `memory`
    cdef Out *out
    cdef Depth *depth
    cdef Record *record
    cdef Row *row
    cdef Stats *stats
    cdef Paper *paper
    cdef Journal *journal
    cdef Portfolio *portfolio    # of all lanes; NULL: none
    cdef LinkObject *wire        # to the gateway; NULL on paper
    cdef Clock *clock            # of the loop
    cdef const Control *control  # the level that operators ask of the whole process
    cdef Market market
    cdef Source source
    cdef Reader reader
    cdef Publisher publisher
    cdef Link link
    cdef JournalFile file
    cdef StatsPage page
    cdef object spec
    cdef bint have_row, ended, drain_begun, book_moved, live
    cdef bint stepped  # since `standing` was written
    cdef Standing standing  # what is true while nothing happens
    cdef bint holed   # the feed said that its book has a hole
    cdef bint sealed  # the journal failed: nothing more may grow
    cdef bint reached  # the gateway was up when we last looked
    cdef int failure, why_ended, mode
    cdef uint32_t market_id
    cdef uint8_t book_flags
    cdef ns_t now_ns, first_ns, end_ns, drain_until_ns, seen_ns, row_ns, duration_ns
    cdef px_t held_mid2  # that the share was counted at
    cdef ns_t timer_ns, report_due_ns, row_due_ns, next_ns  # the last is the first of the others
    cdef int64_t speed_ppm
    cdef uint64_t asks  # requests of operators that were taken
    cdef uint64_t turns, seen_failed, seen_done  # the last two: attempts of the gateway that were told
    cdef uint64_t taken  # commands that the gateway had taken when we last looked
    cdef ns_t watched_ns  # when we last looked whether it lives

    # the plugs
    cdef ns_t peek(self) noexcept nogil
    cdef int take(self, Row *row) noexcept nogil
    cdef ns_t venue_due(self) noexcept nogil
    cdef int venue_report(self, ns_t now, Report *out) noexcept nogil
    cdef int venue_command(self, const Command *command) noexcept nogil
    cdef int wire_report(self, Report *out) noexcept nogil
    cdef int wire_command(self, const Command *command) noexcept nogil
    cdef bint watch(self, ns_t now) noexcept nogil
    cdef void attempt(self, uint64_t word) noexcept nogil
    cdef void trouble(self, int code) noexcept nogil
    cdef void void_book(self) noexcept nogil
    cdef bint attach(self) noexcept nogil

    # one event
    cdef ns_t alive(self) noexcept nogil
    cdef void step(self, Event *event) noexcept nogil
    cdef void wait_for_disk(self) noexcept nogil
    cdef void emit(self) noexcept nogil
    cdef void withhold(self, const Command *command) noexcept nogil
    cdef void seal(self) noexcept nogil
    cdef void turn_over(self) noexcept nogil
    cdef void on_report(self) noexcept nogil
    cdef void on_timer(self) noexcept nogil
    cdef void model(self) noexcept nogil
    cdef int on_message(self, ns_t clock) noexcept nogil
    cdef void await_row(self) noexcept nogil
    cdef void publish(self, const Row *row) noexcept nogil
    cdef void on_book(self, const Row *row, ns_t begun) noexcept nogil

    # what the loop asks of it
    cdef void begin(
        self, const Control *control, Portfolio *portfolio, int64_t unit, Clock *clock, ns_t now
    ) noexcept nogil
    cdef void hold(self) noexcept nogil
    cdef const uint64_t *feed_word(self) noexcept nogil
    cdef const uint64_t *told_word(self) noexcept nogil
    cdef void look(self) noexcept nogil
    cdef int check(self, ns_t clock) noexcept nogil
    cdef void act(self, ns_t clock) noexcept nogil
    cdef void warm(self) noexcept nogil
    cdef void operator(self) noexcept nogil
    cdef void begin_drain(self, uint32_t level) noexcept nogil
    cdef int live_orders(self) noexcept nogil
    cdef void rest(self) noexcept nogil
    cdef void show(self) noexcept nogil
    cdef int mark(
        self, int kind, uint64_t id, int64_t val, int reason, int side, int aux
    ) noexcept nogil
    cdef void put_limits(self) noexcept nogil
    cdef take_over(self, object order)
    cdef int put_order(self, const Order *order) noexcept nogil
    cdef put(self, int kind, unsigned long long id, long long val, int reason, int side, int aux)
    cdef finish(self, int code)
