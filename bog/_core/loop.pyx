"""The loop: one hot thread that turns over its lanes, always the one whose next event is first.

Lanes share the thread, the operators' level, the limit over all of them, and nothing else. Their
clocks are lined up at their first events: the order is that of the time since then, ties go to the
lane that was given first.
"""

import os

cimport cython
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free

from bog._core.atomic cimport pause as spin_pause
from bog._core.clock cimport mono_ns, nap
from bog._core.lane cimport LANE_LOOK, Lane
from bog._core.level cimport Control, level_follow_parent, level_get
from bog._core.memory cimport lines
from bog._core.portfolio cimport HELD_MAX, SHARES, Portfolio
from bog._core.types cimport NEVER, ns_t

cdef ns_t NAP_NS = 200_000LL  # an unpinned loop sleeps at most this long
cdef ns_t SPIN_NS = 50_000LL  # and spins this long before it sleeps
cdef ns_t STINT_NS = 900_000LL  # a real-time thread that spins rests after so long
cdef ns_t REST_NS = 60_000LL    # for this long: a twentieth of a core is for all others
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
    cdef int *code    # of each lane: its exit code, -1 while it runs
    cdef int64_t *unit  # of each lane: units of the portfolio in its quantum
    cdef Portfolio portfolio
    cdef int n, resting
    cdef bint spin, rests, live
    cdef int64_t speed_ppm
    cdef const Control *control
    cdef uint32_t level
    cdef ns_t wall_ns, seen_ns, rested_ns

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
        self.lanes, self.speed_ppm, self.spin, self.rests = lanes, speed_ppm, spin, rests
        self.lane = <void **> lines(self.n * sizeof(void *))
        self.due = <ns_t *> lines(self.n * sizeof(ns_t))
        self.code = <int *> lines(self.n * sizeof(int))
        self.unit = <int64_t *> lines(self.n * sizeof(int64_t))
        if not (self.lane and self.due and self.code and self.unit):
            raise MemoryError("no memory for a loop")
        for i, lane in enumerate(lanes):
            self.lane[i] = <void *> lane
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
                    self.due[i] = NEVER
        return max(self.code[i] for i in range(self.n))

    def codes(self):
        """Return each lane's exit code, -1 while it runs."""
        return [self.code[i] for i in range(self.n)]

    cdef void begin(self) noexcept nogil:
        cdef int i
        self.wall_ns = mono_ns()
        for i in range(self.n):
            (<Lane> self.lane[i]).begin(
                self.control, &self.portfolio if self.portfolio.limit else NULL, self.unit[i],
                self.wall_ns,
            )
        for i in range(self.n):
            self.look(i)

    cdef void look(self, int i) noexcept nogil:
        """Ask lane `i` what is due next."""
        (<Lane> self.lane[i]).look()
        self.due[i] = (<Lane> self.lane[i]).next_ns - (<Lane> self.lane[i]).first_ns

    cdef int attend(self, int i) noexcept nogil:
        """Let lane `i` obey, drain or end; return its answer, enum LaneAnswer."""
        cdef int answer = (<Lane> self.lane[i]).check()
        if answer == LANE_LOOK:
            self.look(i)
        elif answer >= 0:
            self.code[i] = answer
        return answer

    cdef ns_t bound(self) noexcept nogil:
        """Return up to which time since their first events the world has come."""
        cdef ns_t passed
        if self.speed_ppm == 0 and not self.live:
            return NEVER - 1
        passed = mono_ns() - self.wall_ns
        if self.live:
            return passed
        return <ns_t>(<double>passed * self.speed_ppm / 1_000_000)

    cdef void idle(self, ns_t ahead) noexcept nogil:
        """Nothing is due for `ahead` ns: a pinned loop spins, another naps after a short spin."""
        if self.rests and mono_ns() - self.rested_ns > STINT_NS:
            nap(REST_NS)
            self.rested_ns = mono_ns()
        elif self.spin or self.live and mono_ns() - self.seen_ns < SPIN_NS:
            spin_pause()
        else:
            nap(ahead if ahead < NAP_NS else NAP_NS)

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
            if self.live:
                for i in range(self.n):
                    if self.code[i] < 0 and (<Lane> self.lane[i]).live:
                        self.look(i)
            first = 0
            for i in range(1, self.n):
                if self.due[i] < self.due[first]:
                    first = i
            due = self.due[first]
            bound = self.bound()
            answer = self.attend(first)
            if answer >= 0:
                return
            if answer == LANE_LOOK:
                continue
            if due <= bound:
                (<Lane> self.lane[first]).act()
                if (<Lane> self.lane[first]).live:
                    self.seen_ns = (<Lane> self.lane[first]).seen_ns
                else:
                    self.look(first)
                continue
            # one at a time, so that a tick never waits for all of them
            self.resting = self.next_running(self.resting)
            (<Lane> self.lane[self.resting]).rest()
            if self.attend(self.resting) >= 0:
                return
            self.idle(due - bound)
