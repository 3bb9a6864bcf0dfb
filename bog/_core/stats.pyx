"""The stats page from Python: made by the shell, written by the engine, read by anyone of ours."""

import mmap
import os
import signal
import stat

cimport cython
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from bog._core.hist cimport HIST_BUCKETS, Hist, hist_floor, hist_index, hist_quantile
from bog._core.level cimport (
    level_ask, level_get, level_install, level_lock_memory, level_lock_range, level_raise,
    level_resume, level_toggle, level_withdraw, process_name,
)
from bog._core.measure cimport HORIZONS, REASONS, WHYS, measure_horizon
from bog._core.stats cimport (
    STAGES, STATS_FILLS, STATS_MAGIC, STATS_ORDERS, STATS_VERSION, Stats,
)
from bog._core.types cimport ASKED_BUSY, ASKED_NONE, ORDER_FREE, Order, Position, Report


STAGE_NAMES = ("read", "book", "strategy", "risk", "execution")  # by enum Stage


def name_process(str name):
    """Name this process as ps and pkill see it; at most 15 characters count."""
    if process_name(name.encode()):
        raise OSError(f"cannot name this process {name!r}")


def lock_memory(bint later=False):
    """Keep this process's pages in memory once they are there; return whether the host allows it.

    Those that are mapped `later`, too: at a limit such a mapping fails.
    """
    return level_lock_memory(later) == 0


def lock_range(uint64_t start, uint64_t end):
    """Fetch the pages from address `start` to `end` and keep them; return whether the host allows it."""
    return level_lock_range(start, end) == 0


@cython.final
cdef class StatsPage:
    """One mapped stats page. `create` makes it (0600, never over an existing file), `open` reads it."""

    def __cinit__(self):
        self.stats = NULL

    @staticmethod
    def create(str path, int market):
        """Return a new writable page at `path`; FileExistsError when something is there.

        The name appears when the page is whole: nobody finds half of one.
        """
        cdef StatsPage page = StatsPage()
        folder, name = os.path.split(path)
        unnamed = os.path.join(folder, f".{name}.new")
        fd = os.open(
            unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            os.ftruncate(fd, sizeof(Stats))
            page.attach(fd, path, True)
            page.stats.magic = STATS_MAGIC
            page.stats.version = STATS_VERSION
            page.stats.market = market
            os.link(unnamed, path)
        finally:
            os.close(fd)
            os.unlink(unnamed)
        return page

    @staticmethod
    def open(str path, bint writable=False):
        """Return the page at `path`; ValueError when it is not a stats page of this version."""
        cdef StatsPage page = StatsPage()
        mode = os.O_RDWR if writable else os.O_RDONLY
        fd = os.open(path, mode | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
                raise ValueError(f"stats page {path} is not a file of ours")
            if info.st_size != sizeof(Stats):
                raise ValueError(
                    f"stats page {path} has {info.st_size} bytes, not {sizeof(Stats)}: another version"
                )
            page.attach(fd, path, writable)
        finally:
            os.close(fd)
        if page.stats.magic != STATS_MAGIC or page.stats.version != STATS_VERSION:
            raise ValueError(f"stats page {path} is not of version {STATS_VERSION}")
        return page

    cdef attach(self, int fd, str path, bint writable):
        self.path = path
        self.map = mmap.mmap(
            fd, sizeof(Stats), prot=mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        )
        self.view = self.map
        self.stats = <Stats *> <void *> &self.view[0]

    def install_signals(self, bint whole):
        """Give signals their meaning in this process (level.h): `whole` for bog-live, not for a child.

        The page stays mapped for the rest of the process: a signal may come after the last reader.
        """
        Py_INCREF(self)
        # Python gives SIGINT back to the system when it shuts down, unless it never had it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if level_install(&self.stats.control, whole):
            raise OSError("cannot install the signal handlers")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def raise_level(self, int level):
        """Raise the run level to at least `level`; it never falls this way."""
        level_raise(&self.stats.control, level)

    def toggle_pause(self):
        """Toggle RUN <-> PAUSED; nothing happens at DRAIN or KILLED."""
        level_toggle(&self.stats.control)

    def resume(self):
        """Take back a pause; return whether the level is RUN now. DRAIN and KILLED stay."""
        return level_resume(&self.stats.control) != 0

    def ask(self, int kind, unsigned long long id=0, long long value=0, unsigned int uid=0):
        """Ask the engine for what it then journals: a member of Asked, `id` and `value` as it needs them.

        `uid` is the user who asks. Return False while another request waits.
        """
        if not ASKED_NONE < kind < ASKED_BUSY:
            raise ValueError(f"request {kind}: want a member of Asked")
        return level_ask(&self.stats.control, kind, id, value, uid) != 0

    def withdraw(self, int kind):
        """Take back a request that the engine has not taken; return whether there was one of this kind."""
        return ASKED_NONE < kind < ASKED_BUSY and level_withdraw(&self.stats.control, kind) != 0

    def shell_beat(self, long long mono_ns):
        """Tell the engine that the shell is alive."""
        self.stats.control.shell_beat_ns = mono_ns

    @property
    def level(self):
        """The run level that operators and signals ask for."""
        return level_get(&self.stats.control)

    def snapshot(self):
        """Return everything on the page as a dict of integers, lists and dicts, in the core's units."""
        cdef Stats copy
        cdef unsigned long long beat
        cdef size_t whole = <char *> &copy.stage - <char *> &copy.now_ns
        cdef int _
        # what is outside is of plain stores, and too long to be copied between two beats
        memcpy(&copy, self.stats, sizeof(Stats))
        for _ in range(1000):
            beat = (<volatile Stats *> self.stats).beat
            memcpy(&copy.now_ns, &self.stats.now_ns, whole)
            if beat == (<volatile Stats *> self.stats).beat and not beat & 1:
                break
        return stats_dict(&copy)

    def histograms(self):
        """Return the latency histograms by name: turn, order_turn, and the sampled stages.

        Each is a dict: `sum`, `max` and the quantiles p50, p95, p99, p999 in ns, and `below`, for each
        power of two from 2**4 to 2**34 ns how many samples were shorter, then how many there are.
        """
        cdef int i
        out = {
            "turn": buckets_dict(&self.stats.turn), "order_turn": buckets_dict(&self.stats.order_turn),
        }
        for i in range(STAGES):
            out[STAGE_NAMES[i]] = buckets_dict(&self.stats.stage[i])
        return out

    def samples(self, str name):
        """Return the samples of one of those histograms by the least ns of their bucket, which is at
        most an eighth wider than that; KeyError for another name."""
        cdef Hist hist
        cdef int i
        if name == "turn" or name == "order_turn":
            memcpy(&hist, &self.stats.turn if name == "turn" else &self.stats.order_turn, sizeof(Hist))
        elif name in STAGE_NAMES:
            i = STAGE_NAMES.index(name)
            memcpy(&hist, &self.stats.stage[i], sizeof(Hist))
        else:
            raise KeyError(name)
        return {hist_floor(i): hist.bucket[i] for i in range(HIST_BUCKETS) if hist.bucket[i]}


cdef dict buckets_dict(const Hist *shown):
    # a copy: a writer goes on while it is added up, and the count must be that of the buckets
    cdef Hist hist
    cdef unsigned long long seen = 0
    cdef int octave, i = 0
    memcpy(&hist, shown, sizeof(Hist))
    below = []
    for octave in range(4, 35):
        while i < hist_index(1ULL << octave):
            seen += hist.bucket[i]
            i += 1
        below.append(seen)
    while i < HIST_BUCKETS:
        seen += hist.bucket[i]
        i += 1
    below.append(seen)
    hist.count = seen
    return {
        "below": below, "sum": hist.sum_ns, "max": hist.max_ns,
        "p50": hist_quantile(&hist, 500_000), "p95": hist_quantile(&hist, 950_000),
        "p99": hist_quantile(&hist, 990_000), "p999": hist_quantile(&hist, 999_000),
    }


cdef dict order_dict(const Order *order):
    return {
        "id": order.id, "side": order.side, "state": order.state, "px": order.px, "qty": order.qty,
        "filled": order.filled, "sent_ns": order.sent_ns, "acked_ns": order.acked_ns,
    }


cdef dict fill_dict(const Report *fill):
    return {
        "order_id": fill.order_id, "trade_id": fill.venue_id, "side": fill.side, "px": fill.px,
        "qty": fill.qty, "fee": fill.fee, "reason": fill.reason, "time_ns": fill.time_ns,
        "venue_ns": fill.venue_ns,
    }


cdef dict position_dict(const Position *position):
    return {
        "pos": position.pos, "cost": position.cost, "cash": position.cash,
        "realized": position.realized, "fees": position.fees, "funding": position.funding,
        "volume": position.volume, "fills": position.fills, "day": position.day,
        "day_open": position.day_open, "peak": position.peak, "mark2": position.mark2,
        "trade": position.trade, "funded": position.funded,
    }


cdef dict hist_dict(const Hist *hist):
    return {
        "count": hist.count, "p50": hist_quantile(hist, 500_000), "p99": hist_quantile(hist, 990_000),
        "p999": hist_quantile(hist, 999_000), "max": hist.max_ns,
    }


cdef dict stats_dict(Stats *stats):
    cdef int i, side, h, reason
    cdef long long newest = <long long> stats.fills, first
    first = newest - STATS_FILLS if newest > STATS_FILLS else 0
    out = {
        "market": stats.market, "pid": stats.pid, "state": stats.state, "run": stats.run,
        "now_ns": stats.now_ns, "start_ns": stats.start_ns, "alive_ns": stats.alive_ns,
        "beat_mono": stats.beat_mono,
        "bid": stats.bid, "bid_qty": stats.bid_qty, "ask": stats.ask, "ask_qty": stats.ask_qty,
        "mark2": stats.mark2,
        "quote_px": [stats.quote_px[0], stats.quote_px[1]],
        "quote_qty": [stats.quote_qty[0], stats.quote_qty[1]],
        "why": [stats.why[0], stats.why[1]],
        "level": stats.level, "halt": stats.halt, "halt_id": stats.halt_id, "stale": stats.stale,
        "strategy": stats.strategy, "connection": stats.connection, "quota": stats.quota,
        "asks": stats.asks, "aside": stats.aside, "limit": list(stats.limit),
        "configured": list(stats.configured), "tightened_by": list(stats.tightened_by),
        "sigma_q8": list(stats.sigma_q8),
        "number_q16": list(stats.number_q16),
        "equity2": stats.equity2, "daily2": stats.daily2, "peak2": stats.peak2,
        "unrealized2": stats.unrealized2,
        "position": position_dict(&stats.position),
        "orders": [
            order_dict(&stats.order[i]) for i in range(STATS_ORDERS)
            if stats.order[i].state != ORDER_FREE
        ],
        "recent_fills": [fill_dict(&stats.fill[i % STATS_FILLS]) for i in range(first, newest)],
        "order_states": list(stats.order_states), "reports_due": stats.reports_due,
        "creates": [list(stats.creates[0]), list(stats.creates[1])], "amends": list(stats.amends),
        "denied": list(stats.denied), "rejected": list(stats.rejected),
        "turn": hist_dict(&stats.turn), "order_turn": hist_dict(&stats.order_turn),
    }
    for name, value in (
        ("rows", stats.rows), ("books", stats.books), ("unchanged", stats.unchanged),
        ("trades", stats.trades), ("stats", stats.stats), ("statuses", stats.statuses),
        ("gaps", stats.gaps), ("laps", stats.laps), ("crossed", stats.crossed),
        ("invalid", stats.invalid), ("turns", stats.turns), ("reports", stats.reports),
        ("timers", stats.timers), ("placed", stats.placed), ("amended", stats.amended),
        ("canceled", stats.canceled), ("cancel_all", stats.cancel_all), ("acks", stats.acks),
        ("rejects", stats.rejects), ("fills", stats.fills), ("cancels_done", stats.cancels_done),
        ("expired", stats.expired), ("unknown", stats.unknown), ("violations", stats.violations),
        ("journal_seq", stats.journal_seq), ("journal_durable", stats.journal_durable),
        ("journal_waits", stats.journal_waits), ("no_prints", stats.no_prints),
        ("pessimistic", stats.pessimistic), ("progress", stats.progress),
        ("progress_of", stats.progress_of), ("turned_ns", stats.turned_ns),
    ):
        out[name] = value
    measure = &stats.measure
    out["measure"] = {
        "capture": measure.capture, "inventory": measure.inventory, "fees": measure.fees,
        "funding": measure.funding, "pos": measure.pos, "mid2": measure.mid2,
        "start": measure.start, "drawdown": measure.drawdown, "volume": measure.volume,
        "fills": list(measure.fills), "filled": list(measure.filled), "sent": list(measure.sent),
        "by_reason": list(measure.by_reason),
        "markouts": [
            {
                "horizon_ns": measure_horizon(h), "side": side, "reason": reason,
                "value": measure.markout[h][side][reason].value,
                "notional": measure.markout[h][side][reason].notional,
                "fills": measure.markout[h][side][reason].fills,
            }
            for h in range(HORIZONS) for side in range(2) for reason in range(REASONS)
            if measure.markout[h][side][reason].fills
        ],
        "markout_excluded": list(measure.markout_excluded),
        "first_ns": measure.first_ns, "last_ns": measure.last_ns, "both_ns": measure.both_ns,
        "touch_ns": list(measure.touch_ns),
        "idle_ns": [
            {i: measure.idle_ns[side][i] for i in range(WHYS) if measure.idle_ns[side][i]}
            for side in range(2)
        ],
        "limit_ns": measure.limit_ns,
        "pos_dt": measure.pos_dt, "abs_dt": measure.abs_dt, "sq_dt": measure.sq_dt,
    }
    return out
