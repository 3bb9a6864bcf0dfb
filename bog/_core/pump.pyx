"""The loop of bog-feed: rows from sources into publishers, each at its time."""

cimport cython
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, timespec

from bog._core.atomic cimport pause
from bog._core.clock cimport mono_ns
from bog._core.fixed cimport mul_div
from bog._core.market cimport Market
from bog._core.publisher cimport Publisher
from bog._core.recorder cimport CsvWriter, TapeWriter
from bog._core.types cimport NEVER, Row, ns_t

cdef extern from "time.h" nogil:
    enum: TIMER_ABSTIME
    int clock_nanosleep(int clock, int flags, const timespec *until, timespec *left)

cdef enum:
    BEAT_NS = 20000000  # between two signs of life, ns


cdef void wait_until(ns_t due, int spin) noexcept nogil:
    """Return at `due` of CLOCK_MONOTONIC, or soon after a signal."""
    cdef timespec until
    if spin:
        while mono_ns() < due:
            pause()
        return
    until.tv_sec = due // 1000000000
    until.tv_nsec = due % 1000000000
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)


@cython.final
cdef class Lane:
    """One market: its source, its publisher, and the files that get its rows besides.

    `source` is a Source or a Market. The files get each row as the source gave it, with its own
    receive time; the publisher gets it stamped with CLOCK_MONOTONIC. `duration_ns` is in the
    source's time, 0 for all of it.
    """

    def __cinit__(self, Publisher publisher not None, source not None, *, TapeWriter tape=None,
                  CsvWriter dump=None, long long duration_ns=0):
        if isinstance(source, Market):
            self.market = source
        else:
            self.source = source
        if duration_ns < 0:
            raise ValueError(f"duration {duration_ns} ns is negative")
        self.publisher, self.tape, self.dump = publisher, tape, dump
        self.duration_ns = duration_ns if duration_ns else NEVER

    cdef ns_t peek(self) noexcept nogil:
        """Return the source's time of the next row, NEVER when this lane is done."""
        cdef ns_t at
        cdef Row row
        if self.state:
            return NEVER
        at = self.market.peek() if self.market is not None else self.source.peek()
        if at == NEVER:
            # a source that is at its end says so again; one that is damaged says that
            self.state = LANE_DAMAGED if self.take(&row) < 0 else LANE_ENDED
            return NEVER
        if not self.started:
            self.started = 1
            self.first_ns = self.last_ns = at
        if at - self.first_ns >= self.duration_ns:
            self.state = LANE_ENDED
            return NEVER
        return at

    cdef int take(self, Row *row) noexcept nogil:
        """Take the next row: 1, 0 at the end, -1 when the source is damaged."""
        return self.market.next(row) if self.market is not None else self.source.next(row)

    cdef void keep(self, const Row *row) noexcept nogil:
        """Write a row to the files; a file that fails is left alone from then on."""
        cdef int failed = 0
        if self.file_error:
            return
        if self.tape is not None:
            failed = self.tape.write(row)
        if failed == 0 and self.dump is not None:
            failed = self.dump.write(row)
        self.file_error = failed

    cdef void message(self, ns_t origin, ns_t now, int64_t num, int64_t den) noexcept nogil:
        """Publish one message at `now`.

        A row's stamp is `origin` plus the source's time since its first row times den / num,
        rounded down; as fast as possible (num 0) it is `now`.
        """
        cdef Row row
        cdef ns_t at
        cdef int got
        self.publisher.beat(now)
        while True:
            got = self.take(&row)
            if got <= 0:
                self.state = LANE_DAMAGED if got < 0 else LANE_ENDED
                return
            self.keep(&row)
            self.rows += 1
            self.last_ns = row.recv_ns
            at = row.recv_ns - self.first_ns
            self.publisher.restamp(&row, origin + mul_div(at, den, num) if num else now)
            got = self.publisher.row(&row)
            if got:
                self.state = LANE_DAMAGED if got == -1 else LANE_LOST
                return
            if row.eom:
                self.messages += 1
                return

    @property
    def trouble(self):
        """Say in one line what ended this lane; empty when it was the end or nothing."""
        if self.state == LANE_LOST:
            return f"{self.publisher.path} was truncated"
        if self.state != LANE_DAMAGED:
            return ""
        if self.publisher.refused:
            return f"market {self.publisher.market}: row {self.rows} of the source is impossible"
        if self.source is not None:
            return self.source.error()
        return f"market {self.publisher.market}: the built-in market lost rows that nobody read"

    @property
    def progress(self):
        """Return the part of the source that is read, 0 to 1; None for a market without end."""
        if self.duration_ns != NEVER:
            return min(1.0, <double> (self.last_ns - self.first_ns) / self.duration_ns)
        if self.source is None:
            return None
        done, whole = self.source.progress
        return done / whole if whole else 1.0


@cython.final
cdef class Pump:
    """Runs lanes side by side. `num / den` times real time; num 0 is as fast as possible.

    All lanes begin at the start of the first `run`. `spin` waits busily instead of napping.
    """

    def __cinit__(self, lanes, *, int64_t num=1, int64_t den=1, bint spin=False):
        if num < 0 or den < 1:
            raise ValueError(f"speed {num}/{den} is not a positive ratio, nor 0 for the fastest")
        self.lanes = list(lanes)
        if not self.lanes:
            raise ValueError("a pump needs at least one lane")
        self.num, self.den, self.spin = num, den, spin

    def run(self, int64_t slice_ns):
        """Publish for `slice_ns` of real time; return True while any lane has more to say."""
        cdef ns_t now = mono_ns()
        if self.origin == 0:
            self.origin = now
        return self.turn(tuple(self.lanes), now + slice_ns) == 1

    cdef int turn(self, tuple lanes, ns_t end) except -1:
        """Deliver what is due until `end`; return 1 while there is more, 0 when all lanes ended.

        Every lane's publisher beats at least each 20 ms, its source quiet or not.
        """
        cdef Lane lane, next_lane
        cdef ns_t at, now, due, best
        while True:
            now = mono_ns()
            if now - self.beat_ns >= BEAT_NS:
                self.beat_ns = now
                for lane in lanes:
                    lane.publisher.beat(now)
            if now >= end:
                return 1
            best = NEVER
            next_lane = None
            for lane in lanes:
                at = lane.peek()
                if at != NEVER and at - lane.first_ns < best:
                    best = at - lane.first_ns
                    next_lane = lane
            if next_lane is None:
                return 0
            due = self.origin + mul_div(best, self.den, self.num) if self.num else now
            if due > now:
                with nogil:
                    wait_until(min(due, end, self.beat_ns + BEAT_NS), self.spin)
                continue
            with nogil:
                next_lane.message(self.origin, now, self.num, self.den)
