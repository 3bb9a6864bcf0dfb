"""The loop: one hot thread that turns over its lanes, always the one whose next event is first.

Lanes share the thread, the operators' level, the limit over all of them, and nothing else. Their
clocks are lined up at their first events: the order is that of the time since then, ties go to the
lane that was given first. A tree over those times has the first lane on its top. While nothing is due
the loop watches two words a lane, one of its feed and one of its executor, and looks at a lane when
one of them has changed.
"""

import os

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free

from bog._core.atomic cimport load_relaxed, pause as spin_pause
from bog._core.clock cimport Clock, clock_now, mono_ns, nap
from bog._core.lane cimport LANE_LOOK, Lane
from bog._core.level cimport Control, level_follow_parent, level_get
from bog._core.memory cimport lines
from bog._core.portfolio cimport HELD_MAX, SHARES, Portfolio
from bog._core.types cimport NEVER, ns_t

cdef ns_t NAP_NS = 200_000LL  # an unpinned loop sleeps at most this long
cdef ns_t SPIN_NS = 50_000LL  # and spins this long before it sleeps
cdef ns_t STINT_NS = 900_000LL  # a real-time thread that spins takes a break after so long
cdef ns_t BREAK_NS = 60_000LL   # of this length: a twentieth of a core is for all others

cdef ns_t REST_NS = 1_000_000  # a spinning loop shows each page about so often, one at a time,
cdef ns_t APART_NS = 20_000    # and never two within this

cdef enum:
    GLANCES = 512  # glances at a lane between two looks at the clock while nothing is due

cdef struct Watch:
    const uint64_t *feed  # changes when the lane's feed has more, or never
    const uint64_t *told  # changes when its executor has said something, or never
    uint64_t feed_seen    # what they were before the last look
    uint64_t told_seen

cdef uint64_t STILL = 0  # a word that never changes

LANES = SHARES


cdef int64_t units(list lanes, Lane lane) except -1:
    """Return how many quanta of the lane with the most decimals make one of `lane`, exactly."""
    most = max(decimals((<Lane> each).spec) for each in lanes)
    spread = most - decimals(lane.spec)
    if spread > 18:
        raise ValueError(f"markets whose money differs by {spread} decimals: want 18 at most")
    return 10 ** spread


cdef decimals(dict spec):
    return spec["price_decimals"] + spec["size_decimals"]


def follow_parent():
    """Take the parent's death as a request to drain."""
    if level_follow_parent():
        raise OSError("cannot follow the parent process")


@cython.final
cdef class Session:
    """The lanes of one thread, from their first rows to the last proven cancel.

    `lanes` have made their start; the first one's page has the level that operators ask of all.
    `speed_ppm` is the pace of what is not live (0: as fast as possible), `spin` keeps the thread
    busy while nothing is due; `rests` lets it sleep a sixteenth of that. `limit` bounds the worst-case
    exposure of all lanes together, in quanta of the lane with the most decimals (0: no such limit).
    Raise ValueError for no lane, too many, two of one market, or a live one beside others that do not
    run in real time.
    """

    cdef list lanes
    cdef void **lane  # the same, for the loop
    cdef ns_t *due    # of each lane: its next event, since its first; NEVER when it has ended
    cdef Watch *watch  # of each lane
    cdef int *sooner  # a tree over `due`: sooner[1] is the lane that is due first
    cdef int *code    # of each lane: its exit code, -1 while it runs
    cdef int64_t *unit  # of each lane: units of the portfolio in its quantum
    cdef Portfolio portfolio
    cdef Clock clock
    cdef int n, leaves, resting, turns
    cdef bint spin, breaks, live
    cdef int64_t speed_ppm
    cdef const Control *control
    cdef uint32_t level
    cdef ns_t wall_ns, seen_ns, clock_ns, rested_ns, broke_ns

    def __cinit__(
        self, list lanes, long long speed_ppm=0, bint spin=False, long long limit=0,
        bint rests=False,
    ):
        cdef Lane lane
        cdef int i
        self.n = len(lanes)
        if not 1 <= self.n <= LANES:
            raise ValueError(f"{self.n} lanes: want 1 to {LANES}")
        markets = [(<Lane?> each).market_id for each in lanes]
        if len(set(markets)) != self.n:
            raise ValueError(f"markets {markets}: want each once")
        self.live = any((<Lane> each).live for each in lanes)
        if self.live and speed_ppm != 1_000_000 and not all((<Lane> each).live for each in lanes):
            raise ValueError("a live feed runs in real time: want speed 1 for the others, too")
        self.lanes, self.speed_ppm, self.spin, self.breaks = lanes, speed_ppm, spin, rests
        self.lane = <void **> lines(self.n * sizeof(void *))
        self.leaves = 1
        while self.leaves < self.n:
            self.leaves *= 2
        self.due = <ns_t *> lines(self.leaves * sizeof(ns_t))
        self.watch = <Watch *> lines(self.n * sizeof(Watch))
        self.sooner = <int *> lines(2 * self.leaves * sizeof(int))
        self.code = <int *> lines(self.n * sizeof(int))
        self.unit = <int64_t *> lines(self.n * sizeof(int64_t))
        if not (
            self.lane and self.due and self.watch and self.sooner and self.code and self.unit
        ):
            raise MemoryError("no memory for a loop")
        for i in range(self.leaves):
            self.due[i] = NEVER
            self.sooner[self.leaves + i] = i
        for i in range(self.leaves - 1, 0, -1):
            self.sooner[i] = self.sooner[2 * i]
        for i, lane in enumerate(lanes):
            self.lane[i] = <void *> lane
            self.watch[i].feed = self.watch[i].told = &STILL
            self.code[i] = -1
            self.unit[i] = units(lanes, lane)
        if not 0 <= limit <= HELD_MAX:
            raise ValueError(f"a limit of {limit} units over all markets: want 0 to {HELD_MAX}")
        self.portfolio.limit = limit
        lane = lanes[0]
        self.control = &lane.stats.control

    def __dealloc__(self):
        free(self.lane)
        free(self.due)
        free(self.watch)
        free(self.sooner)
        free(self.code)
        free(self.unit)

    def run(self):
        """Trade until every lane has ended; return the worst of their exit codes.

        A lane ends when its feed or the duration does, when an operator says so, or when it fails;
        the others go on. 0: every order is proven dead. 3: orders may be open. 1: a journal or a
        feed failed; the lane's page and `failed()` say which.
        """
        cdef Lane lane
        cdef int i
        finished = set()
        for lane in self.lanes:
            lane.stats.pid = os.getpid()
        with nogil:
            self.begin()
        while len(finished) < self.n:
            with nogil:
                self.turn_until_one_ends()
            for i, lane in enumerate(self.lanes):
                if self.code[i] >= 0 and i not in finished:
                    lane.finish(self.code[i])
                    finished.add(i)
                    self.watch[i].feed = self.watch[i].told = &STILL
                    self.watch[i].feed_seen = self.watch[i].told_seen = STILL
                    self.put(i, NEVER)
        return max(self.code[i] for i in range(self.n))

    def codes(self):
        """Return each lane's exit code, -1 while it runs."""
        return [self.code[i] for i in range(self.n)]

    cdef void begin(self) noexcept nogil:
        cdef int i
        self.wall_ns = self.clock_ns = mono_ns()
        for i in range(self.n):
            (<Lane> self.lane[i]).begin(
                self.control, &self.portfolio if self.portfolio.limit else NULL, self.unit[i],
                &self.clock, self.wall_ns,
            )
        for i in range(self.n):
            self.look(i)

    cdef void put(self, int i, ns_t due) noexcept nogil:
        """Lane `i` is due then: the earliest stays on top of the tree, the one given first on ties."""
        cdef int at = (self.leaves + i) >> 1, left, right, first
        self.due[i] = due
        while at > 0:
            left, right = self.sooner[2 * at], self.sooner[2 * at + 1]
            first = right if self.due[right] < self.due[left] else left
            if first != i and first == self.sooner[at]:
                return  # nothing changes further up
            self.sooner[at] = first
            at >>= 1

    cdef void look(self, int i) noexcept nogil:
        """Ask lane `i` what is due next, and what to watch until then."""
        cdef Watch *watch = &self.watch[i]
        cdef const uint64_t *feed = (<Lane> self.lane[i]).feed_word()
        cdef uint64_t seen
        cdef ns_t due
        feed = feed if feed != NULL else &STILL
        seen = load_relaxed(feed)
        watch.told = (<Lane> self.lane[i]).told_word()
        watch.told = watch.told if watch.told != NULL else &STILL
        watch.told_seen = load_relaxed(watch.told)
        (<Lane> self.lane[i]).look()
        due = (<Lane> self.lane[i]).next_ns - (<Lane> self.lane[i]).first_ns
        # one that has nothing at all still comes before those that have ended
        self.put(i, due if due < NEVER else NEVER - 1)
        watch.feed = (<Lane> self.lane[i]).feed_word()
        watch.feed = watch.feed if watch.feed != NULL else &STILL
        # a feed that moved on during the look is looked at again: no slot holds this number
        watch.feed_seen = seen if watch.feed == feed else <uint64_t> -1

    cdef bint stirs(self, int i) noexcept nogil:
        """Return whether lane `i` may have more than at the last look."""
        cdef const Watch *watch = &self.watch[i]
        return (
            load_relaxed(watch.feed) != watch.feed_seen
            or load_relaxed(watch.told) != watch.told_seen
        )

    cdef void listen(self) noexcept nogil:
        """Look at the lanes whose feed or executor may have more."""
        cdef int i
        for i in range(self.n):
            if self.stirs(i):
                self.look(i)

    cdef bint stirred(self) noexcept nogil:
        """Watch the words alone for a while, so that a tick that comes now waits for nothing else."""
        cdef int i, _
        for _ in range(1 + GLANCES // self.n):
            for i in range(self.n):
                if self.stirs(i):
                    return True
        return False

    cdef int attend(self, int i) noexcept nogil:
        """Let lane `i` obey, drain or end; return its answer, enum LaneAnswer."""
        cdef int answer = (<Lane> self.lane[i]).check(self.clock_ns)
        if answer == LANE_LOOK:
            self.look(i)
        elif answer >= 0:
            self.code[i] = answer
        return answer

    cdef ns_t bound(self) noexcept nogil:
        """Return up to which time since their first events the world has come: the turn's one look
        at the clock, which a replay as fast as possible has no use for."""
        cdef ns_t passed
        if self.speed_ppm == 0 and not self.live:
            return NEVER - 1
        self.clock_ns = clock_now(&self.clock)
        passed = self.clock_ns - self.wall_ns
        if self.live:
            return passed
        return <ns_t>(<double>passed * self.speed_ppm / 1_000_000)

    cdef void idle(self, ns_t ahead) noexcept nogil:
        """Nothing is due for `ahead` ns: a pinned loop spins, another naps after a short spin."""
        cdef int i
        if self.breaks and self.clock_ns - self.broke_ns > STINT_NS:
            nap(BREAK_NS)
            self.broke_ns = mono_ns()
            return
        if self.spin or self.live and self.clock_ns - self.seen_ns < SPIN_NS:
            if not self.stirred():
                spin_pause()
            return
        nap(ahead if ahead < NAP_NS else NAP_NS)
        if self.live:
            for i in range(self.n):
                if self.code[i] < 0 and (<Lane> self.lane[i]).live:
                    self.look(i)

    cdef bint rests(self) noexcept nogil:
        """Return whether a lane may show its page now; a loop that naps between has the time."""
        cdef ns_t apart = REST_NS // self.n
        if not self.spin:
            return True
        if self.clock_ns - self.rested_ns < (apart if apart > APART_NS else APART_NS):
            return False
        self.rested_ns = self.clock_ns
        return True

    cdef int next_running(self, int i) noexcept nogil:
        """Return the lane after `i` that runs, around the end; -1 when none does."""
        cdef int _
        for _ in range(self.n):
            i = i + 1 if i + 1 < self.n else 0
            if self.code[i] < 0:
                return i
        return -1

    cdef void turn_until_one_ends(self) noexcept nogil:
        cdef int i, first, answer
        cdef ns_t bound, due
        cdef uint32_t level
        while True:
            level = level_get(self.control)
            if level != self.level:
                # what operators ask of all reaches all at once, due or not
                self.level = level
                for i in range(self.n):
                    if self.code[i] < 0 and self.attend(i) >= 0:
                        return
            # what was found is worked off before the many words are looked at again
            self.turns -= 1
            if self.live and self.turns <= 0:
                self.listen()
                self.turns = self.n // 16
            first = self.sooner[1]
            due = self.due[first]
            bound = self.bound()
            answer = self.attend(first)
            if answer >= 0:
                return
            if answer == LANE_LOOK:
                continue
            if due <= bound:
                (<Lane> self.lane[first]).act(self.clock_ns)
                if (<Lane> self.lane[first]).live:
                    self.seen_ns = (<Lane> self.lane[first]).seen_ns
                self.look(first)
                continue
            self.turns = 0
            if self.rests():
                # one at a time, so that a tick never waits for all of them
                self.resting = self.next_running(self.resting)
                (<Lane> self.lane[self.resting]).rest()
                self.look(self.resting)
                if self.attend(self.resting) >= 0:
                    return
            self.idle(due - bound)
