"""One engine with its plugs: feed, clock, executor, journal and stats page, event by event.

Three plugs, chosen before the first turn: a feed of rows (built-in market, recording, or shared
memory), a clock (the feed's own, or the host's), and an executor (the paper venue, the built-in
market's true queues, or a gateway behind its link). Below them one step serves every way to run.
Lanes share nothing; loop.pyx says whose turn it is.
"""

import os
from decimal import Decimal

from bog._core.link import first_order_id
from bog.errors import BogError

cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from bog._core.atomic cimport (
    load_acquire, load_relaxed, pause as spin_pause, prefetch, store_release,
)
from bog._core.calibrate cimport calibrate_print
from bog._core.clock cimport Clock, clock_done, clock_now, mono_ns, nap
from bog._core.coefficients cimport coefficients_due
from bog._core.connection cimport (
    ATTEMPT_DONE, ATTEMPT_FAILED, ATTEMPT_FOUND, ATTEMPT_LOST,
)
from bog._core.depth cimport depth_apply, depth_top
from bog._core.engine cimport engine_init, engine_step
from bog._core.engine_ask cimport engine_keep_limit, engine_limit_record
from bog._core.engine_state cimport (
    EVENT_ASK, EVENT_CLEAR_HALT, EVENT_CONNECTION, EVENT_EPOCH, EVENT_GAP, EVENT_LEVEL, EVENT_MODEL,
    EVENT_RECORD, EVENT_REPORT, EVENT_TIMER,
    Engine, Event, engine_halt, engine_word,
)
from bog._core.exposure cimport Exposure
from bog._core.fixed cimport ceil_div
from bog._core.hist cimport hist_add
from bog._core.huginn cimport (
    HG_MARKETS, HG_ROWS, READ_EPOCH, READ_GARBAGE, READ_GONE, READ_NOTHING, READ_ROW,
)
from bog._core.inventory cimport Model
from bog._core.journal cimport (
    JournalFile, journal_append, journal_append_all, journal_append_last, journal_durable,
    journal_fits, journal_turn,
)
from bog._core.level cimport Control, level_get, level_take
from bog._core.link cimport (
    LINK_BROKEN, LINK_COMMANDS, LINK_TAKEN, Link, link_beat, link_next_report,
    link_push_command, link_take_report, link_up, link_waiting,
)
from bog._core.market cimport Market
from bog._core.measure cimport measure_end, measure_fill, measure_mid
from bog._core.memory cimport lines
from bog._core.orders cimport (
    ORDERS_CAP, OrderEffect, orders_exposure, orders_find, orders_on_report, orders_restore, orders_size,
)
from bog._core.paper cimport paper_command, paper_due, paper_report, paper_row
from bog._core.paper_state cimport paper_init, paper_size
from bog._core.portfolio cimport (
    Portfolio, portfolio_hold, portfolio_room, portfolio_worst,
)
from bog._core.position cimport position_adopt
from bog._core.publisher cimport Publisher
from bog._core.reader cimport Reader
from bog._core.risk cimport CAP_DAILY_LOSS, CAP_DECIMALS, CAP_LONG, CAP_ORDER, CAP_SHORT
from bog._core.show cimport show_engine, show_standing, show_time
from bog._core.source cimport Source
from bog._core.stages cimport stages_add, stages_commands_due, stages_due, stages_think
from bog._core.stats cimport (
    RUN_DONE, RUN_DRAINING, RUN_TRADING, STAGE_BOOK, STAGE_EXECUTION, STAGE_READ, STATS_FILLS,
    StatsPage,
)
from bog._core.types cimport (
    ASKED_CLEAR_HALT, BID, CMD_AMEND, CMD_CANCEL, CMD_PLACE, HALT_JOURNAL, J_ADOPT, J_AMEND,
    J_CANCELED, J_END, J_LIMIT, J_ORDER, J_PLACE, J_READY, J_RUN, J_STATE, LEVEL_DRAIN, LIMITS,
    NEVER, REC_STATS, REC_STATUS, REJ_OTHER, REJ_RESTART, REP_ACK, REP_AMEND_REJECT, REP_CANCELED,
    REP_CANCEL_REJECT, REP_EXPIRED, REP_FILL, REP_FUNDING, REP_REJECT, REP_UNKNOWN, ROW_LEVEL,
    ROW_RESET, ROW_STATS, ROW_STATUS, ROW_TRADE, STATE_WORDS, STATUS_END, STATUS_GAP,
    STRATEGY_INVENTORY, W_NEXT_ORDER_ID, Ask, Command, JournalRec, Limits, Order, Record, Report,
    Row, StrategyParams, VenueParams, ns_t, px_t,
)

cdef ns_t TIMER_NS = 100_000_000LL    # event time between two timer events
cdef ns_t LATE_NS = 20_000_000LL      # an older book is decided on only when it is the newest
cdef ns_t ALIVE_NS = 1_000_000LL      # a row that was received within this is a sign of life
cdef ns_t WATCH_NS = 50_000LL         # between two looks at whether the gateway lives
cdef ns_t REST_NS = 5_000_000LL       # the rest of a message is there within this, or never
cdef ns_t SKEW_NS = 1_000_000LL       # a row from further in the future is of no clock of ours
cdef ns_t DRAIN_NS = 30_000_000_000LL  # proof of the last cancel comes within this, or exit code 3
cdef uint64_t ROOM = 256               # records that one turn may need

cdef int made = 0                      # lanes of this process

cdef enum:
    LANES_APART = 256  # that begin at places of their own,
    APART = 512        # so many bytes from one to the next
    GLANCES = 512      # at a row that is on its way, between two looks at the clock


cdef fill_venue(VenueParams *out, dict values):
    """Copy the integers of `values` by field name; KeyError names a missing one."""
    memset(out, 0, sizeof(VenueParams))
    out.net_ns = values["net_ns"]
    out.response_ns = values["response_ns"]
    out.maker_ns = values["maker_ns"]
    out.cancel_ns = values["cancel_ns"]
    out.amend_ns = values["amend_ns"]
    out.taker_ns = values["taker_ns"]
    out.window_ns = values["window_ns"]
    out.maker_ppm = values["maker_ppm"]
    out.taker_ppm = values["taker_ppm"]
    out.min_qty = values["min_qty"]
    out.min_notional = values["min_notional"]
    out.requests_per_min = values["requests_per_min"]
    out.max_open_orders = values["max_open_orders"]
    out.model = values["model"]
    out.through_full = values["through_full"]
    out.shrink_keeps_place = values["shrink_keeps_place"]
    out.seed = values["seed"]


cdef str over_cap(int cap, dict spec):
    """Return in one line which limit is above the caps of this build, and what would be right."""
    if cap == CAP_DECIMALS:
        return f"decimals {spec['price_decimals']} and {spec['size_decimals']}: want 0 to 9 of each"
    size, money = spec["size_decimals"], spec["price_decimals"] + spec["size_decimals"]
    key, name, decimals, most = {
        CAP_LONG: ("max_position", "max_long", size, "0.5"),
        CAP_SHORT: ("max_short", "max_short", size, "0.5"),
        CAP_ORDER: ("max_order_size", "max_order", size, "0.1"),
        CAP_DAILY_LOSS: ("max_daily_loss", "max_daily_loss", money, "100"),
    }[cap]
    value = Decimal(spec["limits"][name]).scaleb(-decimals)
    return f"risk.{key} = {value:f}: this build has BOG_CAPS=conservative: want at most {most}"


@cython.final
cdef class Lane:
    """One engine with its plugs, from the head of its run to the last proven cancel.

    `spec` holds integers in the core's units: market, run, limits, strategy, venue, speed_ppm (0: as
    fast as possible), duration_ns (0: no end), price_decimals, size_decimals, mode. Of `market`,
    `source` and `reader` exactly one is given; `publisher` republishes what is read. With `link` the
    gateway behind it is the executor, and the feed is a reader. Raise ValueError for a limit above
    the caps of this build.
    """

    def __cinit__(
        self, dict spec, StatsPage page, JournalFile file, Market market=None, Source source=None,
        Reader reader=None, Publisher publisher=None, Link link=None,
    ):
        if (market is not None) + (source is not None) + (reader is not None) != 1:
            raise ValueError("a lane has exactly one feed: market, source or reader")
        if link is not None and (reader is None or link.link.market != spec["market"]):
            raise ValueError("a link serves the market of a feed in shared memory")
        global made
        cdef VenueParams venue
        cdef size_t paper = 0
        cdef char *at
        if market is None and link is None:
            fill_venue(&venue, spec["venue"])
            paper = paper_size(&venue, ORDERS_CAP, 4 * ORDERS_CAP)
        self.block = lines(paper + sizeof(LaneMemory) + LANES_APART * APART)
        if self.block == NULL:
            raise MemoryError("no memory for an engine")
        # huge pages begin at the same sets of a cache: each lane begins elsewhere in its own
        at = <char *> self.block + made % LANES_APART * APART
        made += 1
        self.memory = <LaneMemory *> (at + paper)
        self.engine = &self.memory.engine
        self.out = &self.memory.out
        self.depth = &self.memory.depth
        if paper:
            self.paper = paper_init(at, &venue, self.depth, ORDERS_CAP, 4 * ORDERS_CAP)
        self.record = &self.memory.record
        self.row = &self.memory.row
        self.spec, self.page, self.file = spec, page, file
        self.market, self.source, self.reader, self.publisher = market, source, reader, publisher
        self.link = link
        self.wire = NULL
        if link is not None:
            self.wire = link.link
            link_beat(self.wire, mono_ns(), 0)
            self.wire.engine.pid = os.getpid()
        self.stats = page.stats
        self.control = &page.stats.control
        self.journal = file.journal
        self.market_id = spec["market"]
        self.speed_ppm = spec["speed_ppm"]
        self.mode = spec["mode"]
        self.duration_ns = spec["duration_ns"]
        self.live = reader is not None
        self.end_ns = self.timer_ns = self.drain_until_ns = NEVER

    def __init__(self, dict spec, *_args, **_plugs):
        # every field by its name: a missing one is a ValueError that says which
        cdef Limits limits = spec["limits"]
        cdef StrategyParams params = spec["strategy"]
        cdef int cap
        cap = engine_init(
            self.engine, &limits, &params, self.market_id, spec["price_decimals"],
            spec["size_decimals"],
        )
        if cap:
            raise ValueError(over_cap(cap, spec))

    def __dealloc__(self):
        free(self.block)

    # the start: what was carried over, in the journal before anything new

    def start(self, object recovered, unsigned long long clear_halt=0, tuple adopt=None):
        """Write the head of the run: what it starts from, and what did not survive the last one.

        `recovered` gives `words` (by StateWord), `open_orders` and `limits`; None begins an account. Orders
        that were alive are gone with the process that simulated their venue: they are journaled as
        canceled. At a real venue they live on: they are unknown until the gateway says what became
        of each. `limits` that an operator tightened stay while the same is configured. Clears halt
        `clear_halt` when that is the one that stands. `adopt` is the side, lots and cost that a person
        has taken the venue's word for, in place of the position carried over.
        """
        cdef Event event
        cdef int i
        words = list(recovered.words) if recovered is not None else [0] * STATE_WORDS
        if len(words) != STATE_WORDS:
            raise ValueError(f"{len(words)} state words, not {STATE_WORDS}")
        if self.wire != NULL:
            words[<int> W_NEXT_ORDER_ID] = first_order_id(
                self.market_id % HG_MARKETS, words[<int> W_NEXT_ORDER_ID]
            )
        for i in range(STATE_WORDS):
            engine_word(self.engine, i, words[i], True)
        self.stats.run = self.spec["run"]
        self.put(J_RUN, self.spec["run"], self.spec["limits"]["unix_offset_ns"], 0, 0, self.spec["mode"])
        for i in range(STATE_WORDS):
            self.put(J_STATE, 0, engine_word(self.engine, i, 0, False), i, 0, 0)
        for limit in (recovered.limits if recovered is not None else ()):
            engine_keep_limit(
                self.engine, limit.limit, limit.value, limit.configured, limit.uid
            )
        self.put_limits()
        for order in (recovered.open_orders if recovered is not None else ()):
            if self.wire != NULL:
                self.take_over(order)
            else:
                self.put(J_CANCELED, order.id, 0, REJ_RESTART, order.side, 0)
        self.put(J_READY, 0, 0, 0, 0, 0)
        if adopt is not None:
            side, lots, cost = adopt
            if position_adopt(&self.engine.position, side, lots, cost):
                raise ValueError(f"a position of {lots} lots that cost {cost} quanta cannot be")
            self.put(J_ADOPT, lots, cost, 0, side, 0)
        if clear_halt:
            memset(&event, 0, sizeof(Event))
            event.kind = EVENT_CLEAR_HALT
            event.time_ns = self.engine.now_ns
            event.arg = clear_halt
            engine_step(self.engine, &event, self.out)
            self.emit()
        # the venue holds what we hold, for funding and margin; measuring begins with it
        self.stats.measure.pos = self.engine.position.pos
        self.stats.measure.start = 2 * self.engine.position.cash
        if self.market is not None:
            self.market.sim.pos = self.engine.position.pos
        elif self.paper != NULL:
            self.paper.pos = self.engine.position.pos
        self.show()

    cdef take_over(self, object order):
        """Take over an order of the last run that may still rest at the venue."""
        px, qty = order.worst()
        if orders_restore(
            &self.engine.orders, order.id, order.side, px, qty, order.filled, self.engine.now_ns,
        ):
            raise ValueError(f"{order!r} of the last run cannot be taken over: the journal is wrong")
        self.put_order(&self.engine.orders.slot[orders_find(&self.engine.orders, order.id)])

    cdef int put_order(self, const Order *order) noexcept nogil:
        """Append an order alive to the head of a file; nonzero when the journal refuses it."""
        cdef JournalRec rec
        memset(&rec, 0, sizeof(JournalRec))
        rec.kind = J_ORDER
        rec.time_ns = self.engine.now_ns
        rec.id = order.id
        rec.side = order.side
        rec.state = order.state
        rec.px = order.px
        rec.qty = order.qty
        if self.wire != NULL and order.amend_qty > 0:
            # whoever recovers this file must count with either
            rec.px = max(order.px, order.amend_px) if order.side == BID else min(order.px, order.amend_px)
            rec.qty = orders_size(order)
        rec.val = order.filled
        return journal_append(self.journal, &rec)

    cdef void put_limits(self) noexcept nogil:
        """Append the limits that an operator tightened to the head of a file."""
        cdef JournalRec rec
        cdef int i
        for i in range(1, LIMITS):
            if self.engine.configured[i] > 0:
                memset(&rec, 0, sizeof(JournalRec))
                rec.kind = J_LIMIT
                rec.time_ns = self.engine.now_ns
                rec.state = 1
                engine_limit_record(self.engine, i, 0, &rec)
                journal_append(self.journal, &rec)

    cdef put(self, int kind, unsigned long long id, long long val, int reason, int side, int aux):
        if self.mark(kind, id, val, reason, side, aux):
            raise BogError("the journal does not take the head of the run: its disk is full or failing")

    cdef int mark(
        self, int kind, uint64_t id, int64_t val, int reason, int side, int aux
    ) noexcept nogil:
        """Append a record about the run itself; nonzero when the journal refuses it."""
        cdef JournalRec rec
        memset(&rec, 0, sizeof(JournalRec))
        rec.kind = kind
        rec.time_ns = self.engine.now_ns
        rec.id = id
        rec.val = val
        rec.reason = reason
        rec.side = side
        rec.aux = aux
        return journal_append(self.journal, &rec)

    cdef void turn_over(self) noexcept nogil:
        """Go on in the next file of the journal, with the state and the orders alive in its head.

        A replay waits for the file, so that equal runs turn at the same record; live, the next turn
        tries again.
        """
        cdef int i
        while not journal_turn(self.journal, self.file.next):
            if self.live or self.journal.page.failed:
                return
            nap(100_000)
        self.stats.run = self.journal.page.run
        self.mark(J_RUN, self.stats.run, self.engine.limits.unix_offset_ns, 0, 0, self.mode)
        for i in range(STATE_WORDS):
            self.mark(J_STATE, 0, engine_word(self.engine, i, 0, False), i, 0, 0)
        self.put_limits()
        for i in range(ORDERS_CAP):
            if self.engine.orders.live >> i & 1:
                self.put_order(&self.engine.orders.slot[i])
        self.mark(J_READY, 0, 0, 0, 0, 0)

    # the plugs

    cdef ns_t peek(self) noexcept nogil:
        """Return the time of the next row, NEVER when there is none yet or none any more."""
        cdef ns_t begun = 0
        cdef int got
        if self.have_row:
            return self.row.recv_ns
        if self.market is not None:
            return self.market.peek()
        if self.source is not None:
            return self.source.peek()
        if stages_due(self.turns):
            begun = mono_ns()
        got = self.reader.next_row(self.row)
        if got == READ_ROW:
            if begun:
                stages_add(self.stats, STAGE_READ, begun)
            self.have_row = True
            return self.row.recv_ns
        if got != READ_NOTHING:
            self.trouble(got)
        return NEVER

    cdef int take(self, Row *row) noexcept nogil:
        """Take the next row: 1, or 0 at the end of the data, or -1 when it is damaged."""
        if self.have_row:
            memcpy(row, self.row, sizeof(Row))
            self.have_row = False
            return 1
        if self.market is not None:
            return self.market.next(row)
        if self.source is not None:
            return self.source.next(row)
        return self.reader.next_row(row) == READ_ROW

    cdef ns_t venue_due(self) noexcept nogil:
        if self.wire != NULL:
            return self.now_ns if link_next_report(self.wire) != NULL else NEVER
        return self.market.due() if self.market is not None else paper_due(self.paper)

    cdef int venue_report(self, ns_t now, Report *out) noexcept nogil:
        if self.wire != NULL:
            return self.wire_report(out)
        if self.market is not None:
            return self.market.report(now, out)
        return paper_report(self.paper, now, out)

    cdef int venue_command(self, const Command *command) noexcept nogil:
        """Hand a command over; nonzero when the executor has no room for it."""
        if self.wire != NULL:
            return self.wire_command(command)
        if self.market is not None:
            return self.market.command(command, self.now_ns)
        return paper_command(self.paper, command, self.now_ns)

    cdef int wire_report(self, Report *out) noexcept nogil:
        """Take the next report of the gateway; it is told now, whenever it was written."""
        cdef int got = link_take_report(self.wire, out)
        cdef ns_t now = mono_ns()
        if got == LINK_BROKEN:
            self.failure = FAILED_EXECUTOR
        if got != LINK_TAKEN:
            return 0
        self.now_ns = now if now > self.now_ns else self.now_ns
        if out.time_ns <= 0 or out.time_ns > self.now_ns:
            out.time_ns = self.now_ns
        return 1

    cdef int wire_command(self, const Command *command) noexcept nogil:
        """Hand a command to the gateway; nonzero when it does not take any more."""
        if command.kind == CMD_CANCEL and (
            link_waiting(self.wire, &self.taken) >= LINK_COMMANDS // 2
        ):
            # nobody takes them: the order room asks again after two seconds
            return 0
        return link_push_command(self.wire, command, &self.taken) != LINK_TAKEN

    cdef bint watch(self, ns_t now) noexcept nogil:
        """Beat, and tell the engine what became of the gateway; return whether that was news."""
        cdef bint up = link_up(self.wire, now), news = up != self.reached
        cdef uint64_t failed = load_acquire(&self.wire.gateway.failed)
        cdef uint64_t done = load_acquire(&self.wire.gateway.done)
        cdef uint64_t _
        self.watched_ns = now
        link_beat(self.wire, now, self.stats.state)
        if self.link.lost:
            self.failure = FAILED_EXECUTOR
        if not news and failed == self.seen_failed and done == self.seen_done:
            return False
        self.now_ns = now if now > self.now_ns else self.now_ns
        if news:
            self.reached = up
            self.attempt(ATTEMPT_FOUND if up else ATTEMPT_LOST)
        # more than the breaker counts say nothing more; failures last, because which came last is lost
        for _ in range(min(done - self.seen_done, 2)):
            self.attempt(ATTEMPT_DONE)
        for _ in range(min(failed - self.seen_failed, 5)):
            self.attempt(ATTEMPT_FAILED)
        self.seen_done, self.seen_failed = done, failed
        return True

    cdef void attempt(self, uint64_t word) noexcept nogil:
        """Tell the engine what became of an attempt, or of the gateway (enum Attempt)."""
        cdef Event event
        memset(&event, 0, sizeof(Event))
        event.kind = EVENT_CONNECTION
        event.time_ns = self.now_ns
        event.arg = word
        self.step(&event)

    cdef void trouble(self, int code) noexcept nogil:
        """Take the book anew after lost rows, or after the writer began a new life; tell the engine.

        Until a whole book could be taken the feed says so again at every look.
        """
        cdef Event event
        cdef ns_t now = mono_ns()
        if now > self.now_ns:
            self.now_ns = now
        memset(&event, 0, sizeof(Event))
        event.time_ns = self.now_ns
        if code == READ_EPOCH or code == READ_GONE:
            if self.reader.follow() <= 0:
                # nothing to follow yet: the feed goes stale by its heartbeat
                return
            self.have_row = False  # one that waits is of the life before
            event.kind = EVENT_EPOCH
            event.arg = self.reader.epoch
            self.holed = False
            self.step(&event)
            self.attach()
            return
        if not self.attach():
            # nothing may rest on the book before, however long the whole one is in coming
            if self.engine.book_ok:
                self.void_book()
            return
        self.holed = False
        if not self.engine.book_ok and self.reader.lost_rows == self.stats.laps:
            # a feed that says only nonsense is told of once
            return
        # how many were lost is known once the book was taken
        event.kind = EVENT_GAP
        event.arg = self.reader.lost_rows - self.stats.laps
        self.stats.laps = self.reader.lost_rows
        self.stats.gaps += 1
        self.step(&event)

    cdef void void_book(self) noexcept nogil:
        """Tell the engine that its book is not the market's any more."""
        cdef Event event
        memset(&event, 0, sizeof(Event))
        memset(self.record, 0, sizeof(Record))
        self.record.kind = REC_STATUS
        self.record.status = STATUS_GAP
        self.record.recv_ns = self.now_ns
        event.kind = EVENT_RECORD
        event.time_ns = self.now_ns
        event.record = self.record
        self.step(&event)

    cdef bint attach(self) noexcept nogil:
        """Take the whole book of the feed's page, as one that attaches mid-stream must."""
        if self.reader.snapshot(self.depth) != READ_ROW:
            return False
        self.book_moved = self.depth.n[0] + self.depth.n[1] > 0
        return True

    # one event

    cdef ns_t alive(self) noexcept nogil:
        """Return the last sign of life of a live feed's writer.

        A row that was just received is one: then its heartbeat, a line that it writes with each
        message, is left where it is.
        """
        if self.now_ns - self.row_ns < ALIVE_NS:
            return self.row_ns
        return self.reader.heartbeat()

    cdef void step(self, Event *event) noexcept nogil:
        """Let the engine take one event, then journal, then act."""
        cdef ns_t begun = 0
        self.stepped = True
        if self.live:
            event.alive_ns = self.alive()
        elif self.market is not None:
            event.alive_ns = self.row_ns
        elif not self.ended:
            # a recording has no heartbeat: its silence may be a quiet market
            event.alive_ns = event.time_ns
        if not journal_fits(self.journal, ROOM) and not self.sealed:
            self.wait_for_disk()
        event.room = INT64_MAX
        if self.portfolio != NULL:
            event.room = portfolio_room(self.portfolio, &self.memory.share)
            event.over = self.portfolio.sum > self.portfolio.limit
        engine_step(self.engine, event, self.out)
        if self.portfolio != NULL and (
            self.out.n_records or self.engine.mid2 != self.held_mid2 or event.kind == EVENT_TIMER
        ):
            self.hold()
        if self.out.n_commands and stages_commands_due(self.engine.commands, self.out.n_commands):
            begun = mono_ns()
        self.emit()
        if begun:
            stages_add(self.stats, STAGE_EXECUTION, begun)

    cdef void hold(self) noexcept nogil:
        """Count in the portfolio what this lane may come to hold at worst.

        A position that was carried over counts at its last mark, else at its cost, until there is
        a book.
        """
        cdef const Engine *e = self.engine
        cdef Exposure open
        cdef px_t mid2 = e.mid2 if e.mid2 > 0 else e.position.mark2
        if mid2 <= 0 and e.position.pos != 0:
            mid2 = 2 * ceil_div(
                e.position.cost if e.position.pos > 0 else -e.position.cost,
                e.position.pos if e.position.pos > 0 else -e.position.pos,
            )
        orders_exposure(&e.orders, e.now_ns, -1, &open)
        portfolio_hold(
            self.portfolio, &self.memory.share, portfolio_worst(e.position.pos, &open, mid2)
        )
        self.held_mid2 = e.mid2

    cdef void wait_for_disk(self) noexcept nogil:
        """Let the flusher catch up: a replay waits, and a disk that fails ends the run."""
        cdef int64_t tries = 0
        while not journal_fits(self.journal, ROOM) and not self.failure:
            self.stats.journal_waits += 1
            nap(100_000)
            tries += 1
            if self.journal.capacity == 0 or self.journal.page.failed or tries > 300_000:
                self.failure = FAILED_JOURNAL

    cdef void emit(self) noexcept nogil:
        """Journal what the turn says, then hand its commands to the executor."""
        cdef int64_t i, taken = 0
        cdef const Command *command
        if not self.sealed:
            taken = journal_append_all(self.journal, self.out.record, self.out.n_records)
            if taken < self.out.n_records:
                self.failure = FAILED_JOURNAL
                self.sealed = True
        for i in range(taken, self.out.n_records):
            if self.out.record[i].kind != J_PLACE and self.out.record[i].kind != J_AMEND:
                journal_append_last(self.journal, &self.out.record[i])
        for i in range(self.out.n_commands):
            command = &self.out.command[i]
            if self.sealed and (command.kind == CMD_PLACE or command.kind == CMD_AMEND):
                # nothing leaves that the journal does not hold
                self.withhold(command)
                continue
            if command.kind == CMD_PLACE:
                self.stats.placed += 1
                self.stats.creates[command.side & 1][command.tif & 3] += 1
                self.stats.measure.sent[command.side] += command.qty
            elif command.kind == CMD_AMEND:
                self.stats.amended += 1
                self.stats.amends[command.side & 1] += 1
            elif command.kind == CMD_CANCEL:
                self.stats.canceled += 1
            else:
                self.stats.cancel_all += 1
            if self.venue_command(command):
                self.failure = FAILED_EXECUTOR
        if self.file.rotate_at and self.journal.written >= self.file.rotate_at and not self.sealed:
            if self.out.n_records:
                self.turn_over()

    cdef void withhold(self, const Command *command) noexcept nogil:
        """Tell the order room that a command never left: its order is as it was before."""
        cdef Report report
        cdef OrderEffect effect
        memset(&report, 0, sizeof(Report))
        report.kind = REP_REJECT if command.kind == CMD_PLACE else REP_AMEND_REJECT
        report.reason = REJ_OTHER
        report.order_id = command.order_id
        report.side = command.side
        report.market = self.market_id
        orders_on_report(&self.engine.orders, &report, &effect)
        self.engine.calm.until_ns = 0  # behind the step's back: nothing that it settled stands

    cdef void seal(self) noexcept nogil:
        """The journal has failed: halt, pull what rests, wait for proof, end."""
        self.failure = FAILED_JOURNAL
        self.sealed = True
        self.out.n_records = self.out.n_commands = 0
        engine_halt(self.engine, self.out, HALT_JOURNAL, self.journal.page.failed)
        self.emit()
        self.begin_drain(LEVEL_DRAIN)

    cdef void on_report(self) noexcept nogil:
        """Deliver the next report that is due."""
        cdef Report report
        cdef Event event
        cdef uint64_t known = self.engine.position.fills
        cdef int64_t funding = self.engine.position.funding
        if not self.venue_report(self.now_ns, &report):
            return
        report.market = self.market_id
        memset(&event, 0, sizeof(Event))
        event.kind = EVENT_REPORT
        event.time_ns = self.now_ns
        event.report = &report
        self.step(&event)
        self.stats.reports += 1
        if report.kind == REP_FILL:
            if self.engine.position.fills != known:
                measure_fill(&self.stats.measure, &self.memory.measure, &report)
                memcpy(&self.stats.fill[self.stats.fills % STATS_FILLS], &report, sizeof(Report))
                self.stats.fills += 1
        elif report.kind == REP_FUNDING:
            self.stats.measure.funding += self.engine.position.funding - funding
        elif report.kind == REP_ACK:
            self.stats.acks += 1
        elif report.kind == REP_REJECT:
            self.stats.rejects += 1
            self.stats.rejected[report.reason & 15] += 1
        elif report.kind == REP_CANCEL_REJECT or report.kind == REP_AMEND_REJECT:
            self.stats.rejected[report.reason & 15] += 1
        elif report.kind == REP_CANCELED:
            self.stats.cancels_done += 1
            if report.reason:
                self.stats.rejected[report.reason & 15] += 1
        elif report.kind == REP_EXPIRED:
            self.stats.expired += 1
        elif report.kind == REP_UNKNOWN:
            self.stats.unknown += 1

    cdef void on_timer(self) noexcept nogil:
        cdef Event event
        memset(&event, 0, sizeof(Event))
        event.kind = EVENT_TIMER
        event.time_ns = self.now_ns
        self.step(&event)
        self.stats.timers += 1
        self.timer_ns = self.now_ns + TIMER_NS
        if self.live:
            # an object that was unlinked and made again has another inode under the same name, and
            # its old writer may go on: two system calls ten times a second
            self.trouble(READ_GONE)
        if self.journal.page.failed and not self.sealed:
            self.failure = FAILED_JOURNAL
        if self.engine.params.kind == STRATEGY_INVENTORY:
            self.model()

    cdef void model(self) noexcept nogil:
        """Give the strategy its numbers anew when they are due: off the path of a tick, in double."""
        cdef Engine *e = self.engine
        cdef Model model
        cdef Event event
        if not coefficients_due(
            &e.params, &e.memory, &self.memory.calibration, e.mid2 if e.book_ok else 0, self.now_ns,
            &model,
        ):
            return
        memset(&event, 0, sizeof(Event))
        event.kind = EVENT_MODEL
        event.time_ns = self.now_ns
        event.model = &model
        self.step(&event)

    cdef int on_message(self, ns_t clock) noexcept nogil:
        """Take rows up to the end of a message, then let the engine look.

        Return 0, or -1 at the end of the data, or -2 where it is damaged.
        """
        cdef Row row
        cdef Event event
        cdef ns_t begun = clock if self.live else clock_now(self.clock)
        cdef int got
        memset(&event, 0, sizeof(Event))
        while True:
            got = self.take(&row)
            if got <= 0:
                return got - 1
            if self.live and row.recv_ns > begun + SKEW_NS and row.recv_ns > mono_ns() + SKEW_NS:
                self.trouble(READ_GARBAGE)
                return 0
            self.stats.rows += 1
            row.market = self.market_id
            if self.paper != NULL:
                paper_row(self.paper, &row)
            else:
                depth_apply(self.depth, &row)
            if self.publisher is not None:
                self.publish(&row)
            self.row_ns = row.recv_ns
            self.now_ns = row.recv_ns if row.recv_ns > self.now_ns else self.now_ns
            if row.kind == ROW_LEVEL or row.kind == ROW_RESET:
                self.holed = self.holed and row.kind != ROW_RESET
                self.book_moved = True
                self.book_flags |= row.flags
            elif row.kind == ROW_TRADE:
                self.stats.trades += 1
                calibrate_print(&self.memory.calibration, row.side, row.px)
            elif row.kind == ROW_STATS or row.kind == ROW_STATUS:
                memset(self.record, 0, sizeof(Record))
                self.record.recv_ns = row.recv_ns
                self.record.exch_ns = row.exch_ns
                if row.kind == ROW_STATS:
                    self.stats.stats += 1
                    self.record.kind = REC_STATS
                    self.record.mark_px = row.px
                    self.record.index_px = row.qty
                    self.record.funding_ppm = row.id
                else:
                    self.stats.statuses += 1
                    self.record.kind = REC_STATUS
                    self.record.status = row.px
                    # changes to a book with a hole in it make no whole one
                    self.holed = self.holed or row.px == STATUS_GAP
                    if row.px == STATUS_END:
                        self.ended = True
                event.kind = EVENT_RECORD
                event.time_ns = self.now_ns
                event.record = self.record
                self.step(&event)
            if row.eom:
                break
            if self.live and not self.have_row and self.peek() == NEVER:
                # the writer is between two rows of a message: they are there within microseconds
                while not self.have_row and not self.failure and mono_ns() - begun < REST_NS:
                    self.await_row()
                    self.peek()
                if not self.have_row:
                    # it died between them: the book is shown when somebody ends the message
                    return 0
        if self.live and begun - row.recv_ns > LATE_NS:
            # we were stopped or starved: that book is history, and newer ones may wait
            self.now_ns = begun if begun > self.now_ns else self.now_ns
            if self.peek() != NEVER:
                return 0
        if self.book_moved and not self.holed:
            self.on_book(&row, begun)
        return 0

    cdef void await_row(self) noexcept nogil:
        """Watch the feed's word alone until it changes, or for about a microsecond."""
        cdef const uint64_t *word = self.feed_word()
        cdef uint64_t seen = load_relaxed(word)
        cdef int _
        for _ in range(GLANCES):
            # twice the number of a row is its word once it is whole
            if seen == 2 * (self.reader.next + 1) or load_relaxed(word) != seen:
                return
        spin_pause()

    cdef void publish(self, const Row *row) noexcept nogil:
        """Show the row to whoever reads the feed in shared memory, received now on their clock."""
        cdef Row now
        memcpy(&now, row, sizeof(Row))
        self.publisher.restamp(&now, mono_ns())
        # here, too: at a high speed the loop never has time to idle
        self.publisher.beat(now.recv_ns)
        self.publisher.row(&now)

    cdef void on_book(self, const Row *row, ns_t begun) noexcept nogil:
        """Show the engine the ten best levels after a message."""
        cdef Event event
        cdef ns_t ended, took, sample
        cdef bint sampled = stages_due(self.turns)
        memset(&event, 0, sizeof(Event))
        # its first line: depth_top writes all others
        memset(self.record, 0, 64)
        self.record.flags = self.book_flags
        self.record.recv_ns = row.recv_ns
        self.record.exch_ns = row.exch_ns
        if self.live and begun - row.recv_ns > self.engine.limits.max_feed_delay_ns:
            # received long ago is as late as sent long ago
            self.record.exch_ns = row.recv_ns + self.engine.limits.unix_offset_ns
        sample = mono_ns() if sampled else 0
        depth_top(self.depth, self.record)
        if sampled:
            stages_add(self.stats, STAGE_BOOK, sample)
        self.book_moved = False
        self.book_flags = 0
        event.kind = EVENT_RECORD
        event.time_ns = self.now_ns
        event.record = self.record
        self.step(&event)
        ended = clock_done(self.clock)
        store_release(<uint64_t *> &self.stats.turned_ns, <uint64_t> ended)
        # what a report would say of money and time waits until the commands are out
        if self.record.bid > 0 and self.record.ask > self.record.bid:
            measure_mid(
                &self.stats.measure, &self.memory.measure, self.now_ns,
                self.record.bid + self.record.ask,
            )
        took = ended - begun if ended > begun else 0
        hist_add(&self.stats.turn, took)
        if self.out.n_commands > 0:
            hist_add(&self.stats.order_turn, took)
        if sampled:
            stages_think(self.engine, self.stats)

    # what the loop asks

    cdef void begin(
        self, const Control *control, Portfolio *portfolio, int64_t unit, Clock *clock, ns_t now
    ) noexcept nogil:
        """Enter the loop, whose `clock` it uses, at `now` of the host's clock.

        `control` has the level of the process, `portfolio` the limit over all lanes (NULL: none),
        in which a quantum of this lane is `unit` units.
        """
        self.control = control
        self.clock = clock
        self.portfolio = portfolio
        self.memory.share.unit = unit
        if portfolio != NULL:
            self.hold()
        self.stats.state = RUN_TRADING
        self.stepped = True  # what the start restored has not been looked at
        # the journal's head carries the last life's time; this life has a clock of its own
        self.engine.now_ns = self.engine.alive_ns = 0
        if self.live:
            self.now_ns = now
            self.attach()
        if self.wire != NULL:
            # nothing is quoted before the gateway says that it is up
            self.attempt(ATTEMPT_LOST)

    cdef const uint64_t *feed_word(self) noexcept nogil:
        """Return the word that changes when a feed in shared memory has another row; NULL: no such feed.

        Good until the next look, check or act: an object that was made again is mapped anew.
        """
        if self.reader is None:
            return NULL
        return &self.reader.page.rows[self.reader.next & (HG_ROWS - 1)].gen

    cdef const uint64_t *told_word(self) noexcept nogil:
        """Return the word that changes when a gateway has said something; NULL: there is none."""
        return &self.wire.report_head.value if self.wire != NULL else NULL

    cdef void warm(self) noexcept nogil:
        """Ask for the lines that the next turn will write: the journal's and the link's."""
        cdef uint64_t i
        for i in range(2):
            prefetch(&self.journal.slots[(self.journal.written + i) & (self.journal.capacity - 1)])
            if self.wire != NULL:
                prefetch(&self.wire.command[(self.wire.engine.commands + i) % LINK_COMMANDS])

    cdef void look(self) noexcept nogil:
        """Find what is due next and when: a row, a report, or the timer."""
        self.row_due_ns = self.peek()
        if self.first_ns == 0 and (self.live or self.row_due_ns != NEVER):
            # the clock starts with the first row
            self.first_ns = self.now_ns if self.live else self.row_due_ns
            if self.now_ns == 0:
                self.now_ns = self.first_ns
            self.stats.start_ns = self.first_ns
            self.timer_ns = self.first_ns + TIMER_NS
            if self.duration_ns > 0:
                self.end_ns = self.first_ns + self.duration_ns
        self.report_due_ns = self.venue_due()
        self.next_ns = self.timer_ns
        if self.report_due_ns < self.next_ns:
            self.next_ns = self.report_due_ns
        if self.row_due_ns < self.next_ns:
            self.next_ns = self.row_due_ns

    cdef int check(self, ns_t clock) noexcept nogil:
        """Obey the operator, begin the drain, notice the end; after every look, due or not.

        `clock` is the host's, looked at a moment ago.

        Return an exit code when this lane has ended, else LANE_GOES_ON, or LANE_LOOK when a drain
        began.
        """
        if self.first_ns == 0:
            return 0
        # not at each look: the gateway writes its line all the time, and reading takes it away
        if self.wire != NULL and clock - self.watched_ns >= WATCH_NS and self.watch(clock):
            return LANE_LOOK
        if (
            self.live and self.have_row and self.row.recv_ns > clock + SKEW_NS
            and self.row.recv_ns > mono_ns() + SKEW_NS
        ):
            self.have_row = False
            self.trouble(READ_GARBAGE)
            return LANE_LOOK
        self.operator()
        if self.failure == FAILED_JOURNAL and not self.drain_begun:
            self.seal()
            return LANE_LOOK
        if self.failure and (self.failure != FAILED_JOURNAL or self.live_orders() == 0):
            return 3 if self.live_orders() else 1
        if not self.drain_begun and (
            self.next_ns >= self.end_ns or self.ended
            or (self.row_due_ns == NEVER and not self.live)
        ):
            # the end of the data or of the time: what rests is pulled and proven dead
            self.why_ended = END_DURATION if self.next_ns >= self.end_ns else END_DATA
            self.begin_drain(LEVEL_DRAIN)
            return LANE_LOOK
        if self.drain_begun and self.live_orders() == 0:
            return 0
        if self.next_ns >= self.drain_until_ns:
            return 3
        return LANE_GOES_ON

    cdef void act(self, ns_t clock) noexcept nogil:
        """Take what is due: a report first, then the timer, then a message of the feed.

        `clock` is the host's, looked at a moment ago; only a live lane knows it.
        """
        cdef int got
        cdef ns_t since = 0
        cdef Standing was
        if self.stepped:
            self.stepped = False
            show_standing(self.engine, &self.standing)
        was = self.standing
        if self.wire != NULL and self.report_due_ns <= self.next_ns and self.next_ns < clock:
            self.next_ns = clock  # a gateway's word is heard now, whenever it was written
        if self.next_ns > self.now_ns:
            self.now_ns = since = self.next_ns
        if self.report_due_ns <= self.next_ns:
            if since:
                show_time(&was, since, &self.stats.measure)
            self.on_report()
        elif self.timer_ns <= self.next_ns:
            if since:
                show_time(&was, since, &self.stats.measure)
            self.on_timer()
        else:
            self.seen_ns = clock
            got = self.on_message(clock)
            if since:
                # no message changes what is held, so the time before it can be counted after it
                show_time(&was, since, &self.stats.measure)
            if got < 0:
                self.ended = True
                if got == -2:
                    self.failure = FAILED_FEED
        self.turns += 1
        # a live lane is shown by the loop while nothing is due: a tick does not wait for that
        if self.turns & 1023 == 0 or self.speed_ppm != 0 and not self.live and self.turns & 63 == 0:
            self.show()
        self.warm()
        if self.stepped:
            self.stepped = False
            show_standing(self.engine, &self.standing)

    cdef int live_orders(self) noexcept nogil:
        return __builtin_popcount(self.engine.orders.live)

    cdef void begin_drain(self, uint32_t level) noexcept nogil:
        cdef Event event
        memset(&event, 0, sizeof(Event))
        event.kind = EVENT_LEVEL
        event.time_ns = self.now_ns
        event.arg = level
        if not self.drain_begun:  # an emergency during a drain gets no second 30 s
            self.drain_until_ns = self.now_ns + DRAIN_NS
        self.drain_begun = True
        self.stats.state = RUN_DRAINING
        self.step(&event)

    cdef void operator(self) noexcept nogil:
        """Take the level that operators ask for; a drain that began is not undone."""
        cdef Event event
        cdef uint32_t level = level_get(&self.stats.control), all = level_get(self.control)
        cdef Ask ask
        if all > level:
            level = all
        if level_take(&self.stats.control, &ask):
            memset(&event, 0, sizeof(Event))
            event.kind = EVENT_CLEAR_HALT if ask.kind == ASKED_CLEAR_HALT else EVENT_ASK
            event.time_ns = self.now_ns
            event.arg = ask.id
            event.ask = &ask
            self.step(&event)
            self.asks += 1
        if level == self.engine.level or (self.drain_begun and level <= self.engine.level):
            return
        if level >= LEVEL_DRAIN:
            if not self.drain_begun:
                self.why_ended = END_SIGNAL
            self.begin_drain(level)
            return
        memset(&event, 0, sizeof(Event))
        event.kind = EVENT_LEVEL
        event.time_ns = self.now_ns
        event.arg = level
        self.step(&event)

    cdef void rest(self) noexcept nogil:
        """Nothing is due: show that we live, to the readers of our feed and to the shell."""
        if self.publisher is not None:
            self.publisher.beat(mono_ns())
        self.show()

    cdef void show(self) noexcept nogil:
        """Show the shell where we are. `beat` is odd while the copy is under way."""
        cdef Stats *s = self.stats
        (<volatile Stats *> s).beat += 1
        show_engine(self.engine, self.now_ns, mono_ns(), s)
        s.turns = self.turns
        s.asks = self.asks
        s.journal_seq = self.journal.written
        s.journal_durable = journal_durable(self.journal)
        s.no_prints = s.trades == 0
        if self.paper != NULL:
            s.pessimistic = self.paper.counts.unknown_ahead
        if self.wire != NULL:
            s.reports_due = self.wire.report_head.value - self.wire.report_tail.value
        else:
            s.reports_due = (
                self.market.sim.n_report if self.market is not None else self.paper.n_reports
            )
        if self.source is not None:
            s.progress = self.source.lines.at
            s.progress_of = self.source.lines.size
        (<volatile Stats *> s).beat += 1

    cdef finish(self, int code):
        """Write the run's last record and the last page; `code` is this lane's exit code."""
        measure_end(&self.stats.measure, &self.memory.measure, self.now_ns)
        if not self.failure:
            self.put(J_END, 0, code, 0, 0, 0)
        self.show()
        self.stats.state = RUN_DONE
        if self.wire != NULL:
            link_beat(self.wire, mono_ns(), RUN_DONE)

    # how it went, for the process that started it

    def failed(self):
        """Return what ended the run early, or None."""
        if self.failure == FAILED_JOURNAL:
            return "the journal failed: its disk is full or refuses writes"
        if self.failure == FAILED_FEED:
            return self.source.error() if self.source is not None else "the built-in market failed"
        if self.failure == FAILED_EXECUTOR:
            return "the executor's queue is full or broken: a command did not leave"
        return None

    def ended_by(self):
        """Return why the run ended: "end of data", "duration" or "signal"."""
        return ("end of data", "duration", "signal")[self.why_ended]

    def words(self):
        """Return the 19 words of state that a restart would carry over (enum StateWord)."""
        return [engine_word(self.engine, i, 0, False) for i in range(STATE_WORDS)]

    def paper_counts(self):
        """Return what the paper venue counted, {} with another executor."""
        return dict(self.paper.counts) if self.paper != NULL else {}


cdef extern from *:
    int __builtin_popcount(unsigned int bits) nogil
