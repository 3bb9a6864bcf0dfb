"""What the benchmarks time where Python would be in the way: turns in blocks, and two processes that meet.

A probe, as each room has one: it drives the step, the journal and the two ends of the feed as they are,
and nothing that trades knows of it. Times are ticks of the processor's time stamp (`ticks`).
"""

cimport cython
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

from bog._core.atomic cimport load_acquire, store_release
from bog._core.clock cimport Clock, clock_done, mono_ns
from bog._core.crc32c cimport crc32c_pick
from bog._core.engine cimport engine_step
from bog._core.engine_state cimport EVENT_RECORD, EVENT_REPORT, Engine, Event, Out
from bog._core.huginn cimport HG_RECORDS
from bog._core.journal cimport Journal, Segment, journal_append_all
from bog._core.link cimport LINK_NOTHING, LINK_TAKEN, Link, link_push_report, link_take_command
from bog._core.memory cimport lines
from bog._core.publisher cimport Publisher
from bog._core.record cimport level_set
from bog._core.stats cimport StatsPage
from bog._core.strategy cimport Quote
from bog._core.types cimport (
    CMD_AMEND, CMD_CANCEL, CMD_PLACE, DEPTH, REC_BOOK, REP_ACK, REP_AMENDED, REP_CANCELED, VERDICTS,
    Command, JournalRec, Order, Position, Record, Report, Row, ns_t,
)

cdef extern from "bench.h" nogil:
    ctypedef struct MeetingPage "bog_meeting_t":
        uint64_t ping
        uint64_t pong

    uint64_t ticks_done "bog_ticks"()
    uint64_t ticks_now "bog_ticks_now"()
    uint64_t reference "bog_reference"(uint64_t y, int64_t n)

cdef extern from "lane.h" nogil:
    enum: LANE_BYTES "sizeof(bog_lane_memory_t)"

cdef enum:
    MESSAGE = 64   # rows of a message at most
    SLOTS = 4096   # records of the journal that blocks are timed with
    INPUTS = 16    # books that are shown in turn, as many as the short ring has
    ENGINES = 8    # that take a turn each before their commands are answered

MEETING_BYTES = sizeof(MeetingPage)
# bytes of what a turn works with
SIZES = {
    "book": sizeof(Record), "position": sizeof(Position), "signal": sizeof(Quote),
    "order": sizeof(Order), "command": sizeof(Command), "journal record": sizeof(JournalRec),
    "engine": sizeof(Engine), "lane": LANE_BYTES, "short ring": sizeof(Record) * HG_RECORDS,
}

ctypedef void (*turn_fn)(Engine *, const Event *, Out *, Journal *) noexcept nogil


def ticks():
    """Return the processor's time stamp."""
    return ticks_done()


cdef void timed_turn(Engine *e, const Event *event, Out *out, Journal *journal) noexcept nogil:
    """Take one event as the loop does: step, then seal and store each record in the journal."""
    if engine_step(e, event, out):
        journal_append_all(journal, out.record, out.n_records)


cdef void answer(const Command *command, ns_t time_ns, uint32_t market, Report *told) noexcept nogil:
    """Write the venue's word that a command was done."""
    memset(told, 0, sizeof(Report))
    if command.kind == CMD_PLACE:
        told.kind = REP_ACK
    elif command.kind == CMD_AMEND:
        told.kind = REP_AMENDED
    elif command.kind == CMD_CANCEL:
        told.kind = REP_CANCELED
    told.order_id = told.venue_id = command.order_id
    told.side = command.side
    told.px = command.px
    told.qty = command.qty
    told.time_ns = time_ns
    told.market = market


cdef void answer_all(
    Engine *e, const Command *command, int64_t n, ns_t time_ns, Out *out, Journal *journal, turn_fn turn
) noexcept nogil:
    """Let the engine hear that each of its last `n` commands was done."""
    cdef Command sent[4]
    cdef Report told
    cdef Event event
    cdef int64_t i
    n = n if n < 4 else 4
    memcpy(sent, command, n * sizeof(Command))
    memset(&event, 0, sizeof(Event))
    event.kind = EVENT_REPORT
    event.time_ns = event.alive_ns = time_ns
    event.room = INT64_MAX
    event.report = &told
    for i in range(n):
        answer(&sent[i], time_ns, e.market, &told)
        turn(e, &event, out, journal)


cdef int load_engine(Engine *e, const unsigned char[::1] image) except -1:
    """Take an engine from EngineProbe.image()."""
    if image.shape[0] < <Py_ssize_t> sizeof(Engine):
        raise ValueError(f"{image.shape[0]} bytes are no engine: want {sizeof(Engine)} or more")
    memcpy(e, &image[0], sizeof(Engine))
    return 0


@cython.final
cdef class Blocks:
    """Turns of one engine, timed in blocks beside a reference kernel.

    `image` is EngineProbe.image() of the engine before its first turn, `even` and `odd` the books
    (bids, asks) that it is shown in turn. Sixteen records hold them, each with other sizes behind the
    touch. `commands`, `records` and `turns` count over all blocks.
    """

    cdef Engine *engine
    cdef Out *out
    cdef Record *record
    cdef Segment *page
    cdef Journal *journal
    cdef JournalRec *slots
    cdef turn_fn turn
    cdef ns_t now_ns
    cdef uint64_t first[29]  # what was refused before
    cdef readonly long long commands, records, turns
    cdef readonly uint64_t y  # so that nobody leaves the reference out

    def __cinit__(self, const unsigned char[::1] image, even, odd):
        cdef int i, k
        self.engine = <Engine *> lines(ENGINES * sizeof(Engine))
        self.out = <Out *> lines(ENGINES * sizeof(Out))
        self.record = <Record *> lines(INPUTS * sizeof(Record))
        self.page = <Segment *> lines(sizeof(Segment))
        self.journal = <Journal *> lines(sizeof(Journal))
        self.slots = <JournalRec *> lines(SLOTS * sizeof(JournalRec))
        if not (
            self.engine and self.out and self.record and self.page and self.journal and self.slots
        ):
            raise MemoryError("no memory for an engine")
        for k in range(ENGINES):
            load_engine(&self.engine[k], image)
        for k in range(VERDICTS):
            self.first[k] = self.engine.risk.denied[k]
        for i in range(INPUTS):
            self.fill(&self.record[i], odd if i & 1 else even, i)
        self.journal.slots = self.slots
        self.journal.page = self.page
        self.journal.capacity = SLOTS
        self.journal.crc32c = crc32c_pick()
        self.now_ns = self.engine.now_ns
        self.turn = timed_turn

    def __dealloc__(self):
        free(self.engine)
        free(self.out)
        free(self.record)
        free(self.page)
        free(self.journal)
        free(self.slots)

    cdef int fill(self, Record *record, book, int more) except -1:
        """Write a book whose sizes behind the touch are larger by `more`."""
        cdef int side, i
        record.kind = REC_BOOK
        for side, levels in enumerate(book):
            if len(levels) > DEPTH:
                raise ValueError(f"{len(levels)} levels are more than {DEPTH}")
            for i, (px, qty) in enumerate(levels):
                level_set(record, side, i, px, qty + (more if i else 0))
        record.n_bids, record.n_asks = len(book[0]), len(book[1])
        return 0

    def repeated(self):
        """Return how many inputs say what the one before them said, times apart."""
        cdef int i, found = 0
        for i in range(INPUTS):
            found += memcmp(&self.record[i], &self.record[(i + 1) % INPUTS], sizeof(Record)) == 0
        return found

    def moved(self):
        """Return how many inputs have another touch than the one before them."""
        cdef int i, found = 0
        for i in range(INPUTS):
            found += memcmp(
                &self.record[i].bid, &self.record[(i + 1) % INPUTS].bid, 4 * sizeof(int64_t)
            ) != 0
        return found

    def denied(self):
        """Return how often each verdict was given since the beginning, by verdict."""
        cdef int k
        return [
            sum(self.engine[k].risk.denied[i] - self.first[i] for k in range(ENGINES))
            for i in range(<int> VERDICTS)
        ]

    cdef inline void look(self, int k, int64_t turn) noexcept nogil:
        """Let engine `k` take input `turn`, as old as it is new: received now."""
        cdef Event event
        cdef Record *record = &self.record[turn & (INPUTS - 1)]
        memset(&event, 0, sizeof(Event))
        self.now_ns += 1000
        record.recv_ns = record.exch_ns = self.now_ns
        event.kind = EVENT_RECORD
        event.time_ns = event.alive_ns = self.now_ns
        event.room = INT64_MAX
        event.record = record
        self.turn(&self.engine[k], &event, &self.out[k], self.journal)
        self.commands += self.out[k].n_commands
        self.records += self.out[k].n_records

    cdef uint64_t quiet_block(self, int n) noexcept nogil:
        """Return the ticks of `n` turns of one engine that need no answer."""
        cdef uint64_t begun = ticks_done()
        cdef int i
        for i in range(n):
            self.look(0, i)
        return ticks_done() - begun

    cdef uint64_t loud_block(self, int n) noexcept nogil:
        """Return the ticks of `n` turns in rounds of eight engines; answers come between rounds."""
        cdef uint64_t spent = 0, begun
        cdef int i, k
        for i in range(n // ENGINES):
            begun = ticks_done()
            for k in range(ENGINES):
                self.look(k, i)
            spent += ticks_done() - begun
            for k in range(ENGINES):
                answer_all(
                    &self.engine[k], self.out[k].command, self.out[k].n_commands, self.now_ns,
                    &self.out[k], self.journal, self.turn,
                )
        return spent

    def pairs(self, int n, bint loud, int references=128, int turns=256):
        """Return `n` pairs (ticks of the references, ticks of the turns), block by block in turn.

        `loud` turns give commands, which are answered outside of the block.
        """
        cdef uint64_t begun, between, spent
        cdef int _
        if turns % (2 * ENGINES) or turns <= 0 or references <= 0:
            raise ValueError(f"{turns} turns, {references} references: want a multiple of 16, and some")
        found = []
        for _ in range(n):
            with nogil:
                self.page.durable = self.journal.written
                begun = ticks_done()
                self.y = reference(self.y, references)
                between = ticks_done() - begun
                spent = self.loud_block(turns) if loud else self.quiet_block(turns)
                self.turns += turns
            found.append((between, spent))
        return found

    def once(self, *, ns_t exch_ns=0, ns_t alive_ns=-1, long long room=INT64_MAX):
        """Show the first book alone; return how many commands came of it. Not timed.

        `exch_ns` and `alive_ns` are the times of venue and feed, by default that of the event.
        """
        cdef Event event
        memset(&event, 0, sizeof(Event))
        self.now_ns += 1000
        self.record.recv_ns = self.now_ns
        self.record.exch_ns = exch_ns if exch_ns else self.now_ns
        event.kind = EVENT_RECORD
        event.time_ns = self.now_ns
        event.alive_ns = self.now_ns if alive_ns < 0 else alive_ns
        event.room = room
        event.record = self.record
        self.turn(self.engine, &event, self.out, self.journal)
        return self.out.n_commands


@cython.final
cdef class Meeting:
    """Where a feed's process and an engine's meet; `page` is a shared map of MEETING_BYTES.

    Whoever waits gives up after `patience_ns` and raises TimeoutError: a peer that died must not leave
    a spinning process behind.
    """

    cdef object page
    cdef unsigned char[::1] view
    cdef MeetingPage *at

    def __cinit__(self, page):
        self.page = page
        self.view = page
        if self.view.shape[0] < <Py_ssize_t> sizeof(MeetingPage):
            raise ValueError(f"a page of {self.view.shape[0]} bytes: want {sizeof(MeetingPage)}")
        self.at = <MeetingPage *> &self.view[0]

    def ping(self, uint64_t[::1] out not None, ns_t patience_ns=2_000_000_000):
        """Send a word there and back as often as `out` is long; write the ticks of each round trip."""
        cdef uint64_t begun, first = self.at.ping
        cdef Py_ssize_t i, n = out.shape[0]
        cdef bint there = True
        with nogil:
            for i in range(n):
                begun = ticks_now()
                store_release(&self.at.ping, first + i + 1)
                there = reached(&self.at.pong, first + i + 1, patience_ns)
                if not there:
                    break
                out[i] = ticks_done() - begun
        if not there:
            raise TimeoutError("the other process answers no more")

    def pong(self, long long n, ns_t patience_ns=2_000_000_000):
        """Send `n` words back."""
        cdef uint64_t first = self.at.pong
        cdef long long i
        cdef bint there = True
        with nogil:
            for i in range(n):
                there = reached(&self.at.ping, first + i + 1, patience_ns)
                if not there:
                    break
                store_release(&self.at.pong, first + i + 1)
        if not there:
            raise TimeoutError("the other process asks no more")


cdef bint reached(const uint64_t *word, uint64_t value, ns_t patience_ns) noexcept nogil:
    """Spin until `word` has reached `value`; return whether it did in time."""
    cdef ns_t until = 0
    cdef int spins = 0
    while load_acquire(word) < value:
        spins += 1
        if spins & 0xFFFF == 0:
            if until == 0:
                until = mono_ns() + patience_ns
            elif mono_ns() > until:
                return False
    return True


cdef int taken(Link link, Command *out, int n, ns_t patience_ns) noexcept nogil:
    """Take `n` commands, as a gateway does; return how many came in time."""
    cdef ns_t until = 0
    cdef int spins = 0, done = 0, got
    while done < n:
        got = link_take_command(link.link, &out[done])
        if got == LINK_TAKEN:
            done += 1
            continue
        spins += 1
        if got != LINK_NOTHING:
            break
        if spins & 0xFFFF == 0:
            link.link.gateway.beat_ns = mono_ns()
            if until == 0:
                until = mono_ns() + patience_ns
            elif mono_ns() > until:
                break
    return done


def cross(
    Publisher publisher not None, Link link not None, StatsPage page not None, even, odd,
    int64_t[:, ::1] out not None, *, int commands, ns_t spacing_ns, ns_t patience_ns=2_000_000_000,
):
    """Publish messages `even` and `odd`, rows (side, price, size), in turn, one for each row of `out`.

    This side is the feed and the gateway of an engine on another core, whose page is `page`. Written
    into `out`, in ns since the moment before the last row was given to the publisher: when that
    returned, when the engine had stored its commands by its own look at the same clock, and when the
    last of them was taken here. Each message is answered by `commands` amends, each of them by the
    venue's word; the next message follows when the engine has heard it, after `spacing_ns` to twice as
    much. Raise TimeoutError for a message that was answered by fewer amends, or by no turn.
    """
    cdef Row rows[2][64]
    cdef Command command[4]
    cdef Report told
    cdef int count[2]
    cdef uint64_t dice = 1, turned
    cdef const uint64_t *stamp = <const uint64_t *> &page.stats.turned_ns
    cdef Clock clock
    cdef Py_ssize_t i = 0, n = out.shape[0]
    cdef int k, which, came = commands
    cdef bint there = True
    cdef ns_t now, begun, given, seen, due = 0, offset = publisher.page.header.unix_offset_ns
    if not 0 <= commands <= 4:
        raise ValueError(f"{commands} commands a message: want 0 to 4")
    memset(rows, 0, sizeof(rows))
    memset(&clock, 0, sizeof(Clock))
    for which, message in enumerate((even, odd)):
        count[which] = len(message)
        if not 1 <= len(message) <= MESSAGE:
            raise ValueError(f"a message of {len(message)} rows: want 1 to {MESSAGE}")
        for k, (side, px, qty) in enumerate(message):
            rows[which][k].kind, rows[which][k].side = b"L", side
            rows[which][k].px, rows[which][k].qty = px, qty
            rows[which][k].eom = k + 1 == count[which]
    with nogil:
        for i in range(n):
            which = i & 1
            now = mono_ns()
            publisher.beat(now)
            link.link.gateway.beat_ns = now
            for k in range(count[which]):
                rows[which][k].recv_ns = now
                rows[which][k].exch_ns = now + offset
            for k in range(count[which] - 1):
                publisher.row(&rows[which][k])
            turned = load_acquire(stamp)
            while clock_done(&clock) < due:
                pass
            begun = clock_done(&clock)
            publisher.row(&rows[which][count[which] - 1])
            given = clock_done(&clock)
            came = taken(link, command, commands, patience_ns)
            seen = clock_done(&clock)
            for k in range(came):
                if command[k].kind != CMD_AMEND:
                    came = k  # quotes that are pulled are no answer
                    break
            if came < commands:
                break
            there = reached(stamp, turned + 1, patience_ns)
            if not there:
                break
            out[i, 0], out[i, 1] = given - begun, <ns_t> load_acquire(stamp) - begun
            out[i, 2] = seen - begun
            for k in range(commands):
                answer(&command[k], seen, command[k].market, &told)
                if link_push_report(link.link, &told) != LINK_TAKEN:
                    there = False
            there = there and reached(
                &link.link.report_tail.value, link.link.report_head.value, patience_ns
            )
            if not there:
                break
            dice = dice * 6364136223846793005ULL + 1442695040888963407ULL
            due = mono_ns() + spacing_ns + <ns_t> (dice >> 40) * spacing_ns // (1 << 24)
    if came < commands:
        raise TimeoutError(f"message {i} was answered by {came} commands, not {commands}")
    if not there:
        raise TimeoutError(f"message {i} was answered by no turn of the engine")
