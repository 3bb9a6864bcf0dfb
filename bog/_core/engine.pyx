"""A Python handle on the step: feed it events one by one, read what came out and what it knows."""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from bog._core.crc32c cimport crc32c_pick
from bog._core.engine cimport engine_init, engine_step
from bog._core.engine_ask cimport engine_keep_limit
from bog._core.engine_state cimport (
    EVENT_ASK, EVENT_CLEAR_HALT, EVENT_CONNECTION, EVENT_EPOCH, EVENT_GAP, EVENT_LEVEL, EVENT_MODEL,
    EVENT_RECORD,
    EVENT_REPORT, EVENT_TIMER, Calm, Engine, Event, Out, engine_mark2, engine_word,
)
from bog._core.inventory cimport MODEL_STEPS, Model
from bog._core.journal cimport Journal, Segment, journal_append_all
from bog._core.memory cimport lines
from bog._core.orders cimport ORDERS_CAP
from bog._core.position cimport position_daily2, position_equity2, position_holds
from bog._core.record cimport level_set
from bog._core.risk cimport limit_get
from bog._core.types cimport (
    CMD_AMEND, CMD_CANCEL, CMD_PLACE, DEPTH, LIMITS, REC_BOOK, REC_STATS, REC_STATUS, REP_ACK,
    REP_AMENDED, REP_CANCELED, STATE_WORDS, VERDICTS, Ask, Command, JournalRec, Limits, Record, Report,
    StrategyParams, ns_t,
)

cdef enum:
    SLOTS = 4096  # records of the journal that a turn is measured with

ctypedef void (*turn_fn)(Engine *, const Event *, Out *, Journal *) noexcept nogil


cdef void measured_turn(Engine *e, const Event *event, Out *out, Journal *journal) noexcept nogil:
    """Take one event as the loop does: step, then seal and store each record in the journal.

    Called by pointer only, so that it stays a function of its own: benchmarks/count.py counts the
    instructions from its entry to its return.
    """
    if engine_step(e, event, out):
        journal_append_all(journal, out.record, out.n_records)


cdef void quiet_turn(Engine *e, const Event *event, Out *out, Journal *journal) noexcept nogil:
    """Do the same, uncounted: a turn that only prepares the next one."""
    if engine_step(e, event, out):
        journal_append_all(journal, out.record, out.n_records)
    # also keeps the compiler from folding the two functions into one
    journal.page.durable = journal.written


@cython.final
cdef class EngineProbe:
    """One engine. Prices in ticks, sizes in lots, money in quanta, times in ns; side 0 buys, 1 sells.

    `limits` names every field of Limits, `strategy` those of StrategyParams that are not 0. Each
    event method returns (records, commands) of its turn, in order, as dictionaries of their fields.
    The feed counts as alive at `time_ns` unless `alive_ns` says otherwise.
    """

    cdef Engine *engine
    cdef Engine *before  # as it stood before the last event
    cdef Out *out
    cdef Record *record
    cdef Record *other
    cdef Report *told
    cdef Segment *page
    cdef Journal *journal
    cdef JournalRec *slots
    cdef Event event
    cdef Model numbers
    cdef Ask asks
    cdef turn_fn turn
    cdef turn_fn aside
    cdef uint64_t written  # the journal before the last event
    cdef uint32_t crc
    cdef public long long room  # of the events to come, quanta
    cdef public bint over
    cdef public bint long_way  # decide every turn the long way (engine_calm.pxd)

    def __cinit__(
        self, dict limits, dict strategy, uint32_t market=1, int price_decimals=1,
        int size_decimals=5,
    ):
        cdef Limits bounds = limits
        cdef StrategyParams params
        cdef int cap
        memset(&params, 0, sizeof(StrategyParams))
        params = {**params, **strategy}
        self.engine = <Engine *> lines(sizeof(Engine))
        self.before = <Engine *> lines(sizeof(Engine))
        self.out = <Out *> lines(sizeof(Out))
        self.record = <Record *> lines(sizeof(Record))
        self.other = <Record *> lines(sizeof(Record))
        self.told = <Report *> lines(sizeof(Report))
        self.page = <Segment *> lines(sizeof(Segment))
        self.journal = <Journal *> lines(sizeof(Journal))
        self.slots = <JournalRec *> lines(SLOTS * sizeof(JournalRec))
        if not (
            self.engine and self.before and self.out and self.record and self.other and self.told
            and self.page and self.journal and self.slots
        ):
            raise MemoryError("no memory for an engine")
        cap = engine_init(self.engine, &bounds, &params, market, price_decimals, size_decimals)
        if cap:
            raise ValueError(f"a limit exceeds the compiled caps (code {cap})")
        self.journal.slots = self.slots
        self.journal.page = self.page
        self.journal.capacity = SLOTS
        self.journal.crc32c = crc32c_pick()
        self.turn = measured_turn
        self.room = INT64_MAX
        self.aside = quiet_turn

    def __dealloc__(self):
        free(self.engine)
        free(self.before)
        free(self.out)
        free(self.record)
        free(self.other)
        free(self.told)
        free(self.page)
        free(self.journal)
        free(self.slots)

    cdef object take(self, int kind, ns_t time_ns, alive_ns, uint64_t arg):
        """Let the engine take one event; return its records and commands."""
        cdef int64_t i
        memset(&self.event, 0, sizeof(Event))
        self.event.kind = <uint64_t> kind
        self.event.time_ns = time_ns
        self.event.alive_ns = time_ns if alive_ns is None else alive_ns
        self.event.arg = arg
        self.event.room = self.room
        self.event.over = 1 if self.over else 0
        self.event.record = self.record
        self.event.report = self.told
        if kind == EVENT_ASK:
            self.event.ask = &self.asks
        else:
            self.event.model = &self.numbers
        if self.long_way:
            self.engine.calm.until_ns = 0
        memcpy(self.before, self.engine, sizeof(Engine))
        self.written = self.page.durable = self.journal.written
        self.crc = self.journal.crc
        self.turn(self.engine, &self.event, self.out, self.journal)
        return (
            [self.out.record[i] for i in range(self.out.n_records)],
            [self.out.command[i] for i in range(self.out.n_commands)],
        )

    cdef int fill_book(self, Record *record, bids, asks) except -1:
        """Write a book: up to ten (price, size) pairs a side, best first, taken as they are."""
        cdef int side, i
        memset(record, 0, sizeof(Record))
        record.kind = REC_BOOK
        for side, levels in enumerate((bids, asks)):
            if len(levels) > DEPTH:
                raise ValueError(f"{len(levels)} levels are more than {DEPTH}")
            for i, (px, qty) in enumerate(levels):
                level_set(record, side, i, px, qty)
        record.n_bids, record.n_asks = len(bids), len(asks)
        return 0

    # events

    def book(self, ns_t time_ns, bids, asks, alive_ns=None, ns_t exch_ns=0):
        """Show a whole book: up to ten (price, size) pairs a side, best first.

        `exch_ns` is the venue's own time of it, Unix; 0 when unknown.
        """
        self.fill_book(self.record, bids, asks)
        self.record.exch_ns = exch_ns
        return self.take(EVENT_RECORD, time_ns, alive_ns, 0)

    def stats(self, ns_t time_ns, long long mark_px, alive_ns=None):
        """Publish a mark price."""
        memset(self.record, 0, sizeof(Record))
        self.record.kind = REC_STATS
        self.record.mark_px = mark_px
        return self.take(EVENT_RECORD, time_ns, alive_ns, 0)

    def status(self, ns_t time_ns, long long status, alive_ns=None):
        """Say how the feed is: a member of Status."""
        memset(self.record, 0, sizeof(Record))
        self.record.kind = REC_STATUS
        self.record.status = status
        return self.take(EVENT_RECORD, time_ns, alive_ns, 0)

    def report(
        self, ns_t time_ns, int kind, unsigned long long order_id=0, int side=0, long long px=0,
        long long qty=0, long long fee=0, unsigned long long venue_id=0, int reason=0,
        alive_ns=None,
    ):
        """Bring the venue's word: a member of ReportKind about an order, or funding."""
        memset(self.told, 0, sizeof(Report))
        self.told.kind = <uint8_t> kind
        self.told.order_id = order_id
        self.told.side = <uint8_t> side
        self.told.px = px
        self.told.qty = qty
        self.told.fee = fee
        self.told.venue_id = venue_id
        self.told.reason = <uint8_t> reason
        self.told.time_ns = time_ns
        self.told.market = self.engine.market
        return self.take(EVENT_REPORT, time_ns, alive_ns, 0)

    def timer(self, ns_t time_ns, alive_ns=None):
        """Let time pass."""
        return self.take(EVENT_TIMER, time_ns, alive_ns, 0)

    def model(self, ns_t time_ns, long long half_q16, list shift_q16, list number_q16, alive_ns=None):
        """Hand over a model's numbers, Q16: half spread, 2 n + 1 shifts, and the six by ModelNumber."""
        steps = len(shift_q16) // 2
        if len(shift_q16) != 2 * steps + 1 or not 1 <= steps <= MODEL_STEPS:
            raise ValueError(f"{len(shift_q16)} shifts: want an odd number from 3 to 33")
        memset(&self.numbers, 0, sizeof(Model))
        self.numbers.half_q16 = half_q16
        self.numbers.steps = steps
        for i, shift in enumerate(shift_q16):
            self.numbers.shift_q16[i] = shift
        for i, number in enumerate(number_q16):
            self.numbers.number_q16[i] = number
        return self.take(EVENT_MODEL, time_ns, alive_ns, 0)

    def level(self, ns_t time_ns, unsigned long long level, alive_ns=None):
        """Ask for a run level; any number may be asked for."""
        return self.take(EVENT_LEVEL, time_ns, alive_ns, level)

    def clear_halt(self, ns_t time_ns, unsigned long long halt_id, alive_ns=None):
        """Clear a halt by its id."""
        return self.take(EVENT_CLEAR_HALT, time_ns, alive_ns, halt_id)

    def ask(
        self, ns_t time_ns, int kind, unsigned long long id=0, long long value=0,
        unsigned int uid=0, alive_ns=None,
    ):
        """Bring an operator's request: a member of Asked, `id` and `value` as it needs them."""
        self.asks.kind = <uint64_t> kind
        self.asks.id = id
        self.asks.value = value
        self.asks.uid = uid
        return self.take(EVENT_ASK, time_ns, alive_ns, 0)

    def gap(self, ns_t time_ns, unsigned long long lost, alive_ns=None):
        """Say that `lost` messages of the feed are missing."""
        return self.take(EVENT_GAP, time_ns, alive_ns, lost)

    def epoch(self, ns_t time_ns, unsigned long long epoch, alive_ns=None):
        """Say that the feed's writer began a new life."""
        return self.take(EVENT_EPOCH, time_ns, alive_ns, epoch)

    def connection(self, ns_t time_ns, unsigned long long attempt, alive_ns=None):
        """Say what became of an attempt to reach the venue: an Attempt."""
        return self.take(EVENT_CONNECTION, time_ns, alive_ns, attempt)

    # many turns in one call

    def again(self, long long n):
        """Take the last event `n` times more, each time from the state before it.

        Return (records, commands), each summed over the n turns.
        """
        cdef long long _, records = 0, commands = 0
        with nogil:
            for _ in range(n):
                memcpy(self.engine, self.before, sizeof(Engine))
                self.journal.written = self.page.durable = self.written
                self.journal.crc = self.crc
                self.turn(self.engine, &self.event, self.out, self.journal)
                records += self.out.n_records
                commands += self.out.n_commands
        return records, commands

    def alternate(self, long long n, ns_t time_ns, first, second):
        """Show books `first` and `second`, (bids, asks) each, in turn: `n` books, 1 us apart.

        Every command is answered at once by the word that it was done, in a turn of its own that
        is not measured. Return (records, commands) of the turns of the books.
        """
        cdef long long i, k, records = 0, commands = 0, n_commands
        cdef Command command[2]
        cdef Event event
        self.fill_book(self.record, first[0], first[1])
        self.fill_book(self.other, second[0], second[1])
        memset(&event, 0, sizeof(Event))
        event.room = self.room
        with nogil:
            for i in range(n):
                self.page.durable = self.journal.written
                event.kind = EVENT_RECORD
                event.time_ns = event.alive_ns = time_ns + i * 1000
                event.record = self.other if i & 1 else self.record
                self.turn(self.engine, &event, self.out, self.journal)
                records += self.out.n_records
                commands += self.out.n_commands
                n_commands = self.out.n_commands if self.out.n_commands < 2 else 2
                memcpy(command, self.out.command, n_commands * sizeof(Command))
                for k in range(n_commands):
                    self.answer(&command[k], event.time_ns)
                    event.kind = EVENT_REPORT
                    event.report = self.told
                    self.aside(self.engine, &event, self.out, self.journal)
        return records, commands

    cdef void answer(self, const Command *command, ns_t time_ns) noexcept nogil:
        """Write the word that a command was done."""
        memset(self.told, 0, sizeof(Report))
        if command.kind == CMD_PLACE:
            self.told.kind = REP_ACK
        elif command.kind == CMD_AMEND:
            self.told.kind = REP_AMENDED
        elif command.kind == CMD_CANCEL:
            self.told.kind = REP_CANCELED
        self.told.order_id = self.told.venue_id = command.order_id
        self.told.side = command.side
        self.told.px = command.px
        self.told.qty = command.qty
        self.told.time_ns = time_ns
        self.told.market = self.engine.market

    # what it knows

    def position(self):
        """Return the position's fields, and `equity2` and `daily2` at the mark, in half quanta."""
        cdef int64_t mark2 = engine_mark2(self.engine)
        found = dict(self.engine.position)
        del found["pad"]
        found["equity2"] = position_equity2(&self.engine.position, mark2)
        found["daily2"] = position_daily2(&self.engine.position, mark2)
        found["holds"] = bool(position_holds(&self.engine.position))
        return found

    def orders(self):
        """Return the orders that are not proven dead, by slot."""
        cdef int i
        cdef uint32_t live = self.engine.orders.live
        return [self.engine.orders.slot[i] for i in range(ORDERS_CAP) if live >> i & 1]

    def quote(self):
        """Return the last quote wanted: ((bid price, size), (ask price, size)); size 0 is none."""
        return (
            (self.engine.quote.bid_px, self.engine.quote.bid_qty),
            (self.engine.quote.ask_px, self.engine.quote.ask_qty),
        )

    def why(self):
        """Return why bid and ask are not quoted: 0 quoted, a Quiet, or 32 + a Verdict."""
        return self.engine.why[0], self.engine.why[1]

    def halted(self):
        """Return (reason, id of the newest halt)."""
        return self.engine.risk.halt, self.engine.risk.halt_id

    def denied(self):
        """Return how often each verdict was given, by verdict."""
        return [self.engine.risk.denied[i] for i in range(<int> VERDICTS)]

    def limits(self):
        """Return the limits in force that an operator may tighten, by enum Limit; the first is none."""
        return [limit_get(&self.engine.limits, i) for i in range(<int> LIMITS)]

    def tightened(self):
        """Return what was configured of each tightened limit, and who tightened it last, by enum Limit."""
        return {
            i: (self.engine.configured[i], self.engine.tightened_by[i])
            for i in range(<int> LIMITS) if self.engine.configured[i]
        }

    def keep_limit(self, int limit, long long value, long long configured, unsigned int uid=0):
        """Keep what a run before tightened, as a restart does; return whether it is kept."""
        return bool(engine_keep_limit(self.engine, limit, value, configured, uid))

    def under_way(self):
        """Return what sets the usual turn aside, bits: 1 what rests is judged anew, 2 flattening waits
        for an empty book, 4 quotes only reduce.
        """
        return self.engine.aside

    def counters(self):
        """Return what the step counted of its books and commands, and the flags of its book."""
        return {
            "books": self.engine.books, "unchanged": self.engine.unchanged,
            "crossed": self.engine.crossed, "refused": self.engine.refused,
            "commands": self.engine.commands, "level": self.engine.level,
            "stale": self.engine.stale, "book_ok": self.engine.book_ok,
            "pending": self.engine.pending, "invalid": self.engine.invalid,
            "violations": self.engine.breaker.count, "warm": self.engine.freshness.warm,
            "connection": self.engine.connection.state,
        }

    def strategy(self):
        """Return the strategy's state (StrategyState), its samples of 100 ms, and its quota's rest."""
        return (
            self.engine.memory.state, self.engine.memory.volatility.fast.samples,
            self.engine.memory.quota.left,
        )

    def calm(self):
        """Return until when the last decision stands, ns, while only the touch moves (0: it does not),
        and how many turns went the short way and how many orders were moved there.
        """
        return self.engine.calm.until_ns, self.engine.calm.turns, self.engine.calm.moves

    def words(self):
        """Return the words of state that outlive a run (enum StateWord)."""
        return [engine_word(self.engine, i, 0, False) for i in range(<int> STATE_WORDS)]

    def restore(self, int word, long long value):
        """Store one word of state, as a restart does."""
        engine_word(self.engine, word, value, True)

    def image(self):
        """Return the engine, then the records and commands of the last turn, byte for byte.

        What only says which way the next turn goes reads as zeros.
        """
        cdef char *engine = <char *> self.engine
        cdef size_t calm = <char *> &self.engine.calm - engine
        return (
            engine[:calm] + bytes(sizeof(Calm)) + engine[calm + sizeof(Calm):sizeof(Engine)]
            + (<char *> self.out.record)[:self.out.n_records * sizeof(JournalRec)]
            + (<char *> self.out.command)[:self.out.n_commands * sizeof(Command)]
        )
