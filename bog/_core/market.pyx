"""The built-in market: an exchange on a virtual clock, the same on every machine for equal seeds.

Rows and reports come out of C-level verbs that lane.pyx calls without the GIL; the Python face
serves tests, tools and the frame stream. The model is the zero-intelligence flow of Cont, Stoikov
and Talreja (2010) with queue-reactive rates (Huang, Lehalle, Rosenbaum 2015) and self-exciting
takers (Bacry, Mastromatteo, Muzy 2015).
"""

cimport cython
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.market cimport (
    FACE_FRAME, FACE_ROW, RNG_CANCEL, RNG_LIMIT, RNG_TAKER, SIM_DIRTY, SIM_ORDERS,
    SIM_QUEUE, SIM_REQUESTS, SIM_ROWS, SIM_SCRIPT, SIM_STEP_NS, SIM_TRADES, Sim, SimLevel,
    SimOrder, SimOut, SimPending, SimTrade,
)
from bog._core.market_flow cimport sim_budget
from bog._core.market_match cimport sim_level, sim_next
from bog._core.market_send cimport sim_message, sim_push
from bog._core.market_step cimport sim_open, sim_step
from bog._core.market_venue cimport sim_send
from bog._core.memory cimport lines
from bog._core.rng cimport rng_exponential, rng_seed
from bog._core.types cimport (
    ASK, BID, CMD_AMEND, CMD_CANCEL, CMD_CANCEL_ALL, CMD_PLACE, NEVER, ROW_STATUS, STATUS_END,
    TIF_POST_ONLY, Command, Report, Row, ns_t, px_t,
)

from bog._core import market_frames
from bog._core.market_model import BTC_PX, PRESETS, scaled
from bog._core.market_script import parse_script

VENUE = {
    "net_ns": 40_000_000, "response_ns": 40_000_000, "maker_ns": 0, "cancel_ns": 0, "amend_ns": 0,
    "taker_ns": 140_000_000, "maker_ppm": 0, "taker_ppm": 0, "min_qty": 1, "min_notional": 0,
    "requests_per_min": 0, "max_open_orders": 64, "window_ns": 0, "model": 0, "through_full": 0,
    "shrink_keeps_place": 0, "pad": [0] * 5, "seed": 0,
}
ACCOUNT = {"balance": 0, "margin_ppm": 50_000, "feed_ns": 40_000_000, "feed_sigma_ppm": 250_000}


@cython.final
cdef class Market:
    """One simulated market: prices in ticks, sizes in lots, times in ns (Unix), money in quanta.

    `preset` is quiet, active or toxic. Decimals, `start_px` and `market_id` describe the market;
    distances scale in basis points of `start_px`, sizes by notional, from the BTC market that the
    model was fitted to. `venue` sets fields of VenueParams by name (the defaults stand for a
    premium account without fees), and beside them `balance` (collateral, 0: margin is not checked),
    `margin_ppm` (initial margin), `feed_ns` and `feed_sigma_ppm` (median and log-sigma of the feed
    latency). After `seconds` (0: never) an END status row is the last. ValueError says what is
    wrong.

    `script` holds one incident a line: the time in seconds after the start, a name, its arguments,
    separated by blanks; `#` starts a comment. Numbers are decimal; SIDE is bid or ask.

        T gap FRAMES            lose so many book frames; a snapshot follows half a second later
        T stall SECONDS         nothing arrives, then everything at once
        T reconnect SECONDS     the connection is lost for so long, then a snapshot, other offset
        T duplicate FRAMES      so many book frames arrive twice
        T malformed FRAMES      so many book frames arrive cut short
        T refuse ORDERS         our next orders are refused
        T lose-ack ORDERS       the outcome of our next orders is not learned
        T late-cancel SECONDS   our next cancel takes so much longer
        T one-sided SIDE SECONDS   nobody quotes on that side
        T locked FRAMES         book frames show the best bid at the best ask
        T crossed FRAMES        book frames show it two ticks above
        T jump PERCENT          the fair price moves (signed, within 20)
        T spread TIMES SECONDS  makers stand so many times wider
        T burst TIMES SECONDS   orders, cancels and frames come so many times as fast
        T cascade SIDE SECONDS  liquidations take from that side every 50 ms
        T halt SECONDS          the venue matches nothing and takes no orders
        T clock SECONDS         the host's clock steps (signed): the venue's times move against it
    """

    def __cinit__(
        self, seed, str preset="active", *, int price_decimals=1, int size_decimals=5,
        start_px=BTC_PX, start_ns=1_760_041_996_000_000_000, market_id=1, str symbol="BTC",
        venue=None, str script="", seconds=0,
    ):
        cdef Sim *m
        if preset not in PRESETS:
            raise ValueError(f"preset {preset!r} is not one of {', '.join(PRESETS)}")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed {seed} is not between 0 and 2**64 - 1")
        if not 10_000 <= start_px < 2**30:
            raise ValueError(f"start price {start_px} is not between 10000 and 2**30 - 1 ticks")
        if not (0 <= price_decimals <= 9 and 0 <= size_decimals <= 9):
            raise ValueError(f"decimals {price_decimals}, {size_decimals} are not between 0 and 9")
        if start_ns % SIM_STEP_NS:
            raise ValueError(f"start time {start_ns} is not a whole millisecond")
        incidents = parse_script(script)
        if len(incidents) > SIM_SCRIPT:
            raise ValueError(f"script has {len(incidents)} incidents, {SIM_SCRIPT} fit")
        m = self.sim = <Sim *> lines(sizeof(Sim))
        if m == NULL:
            raise MemoryError("no memory for a market")
        self.price_decimals, self.size_decimals, self.symbol = price_decimals, size_decimals, symbol
        m.market_id = market_id
        m.start_ns = m.clock_ns = m.last_recv_ns = m.next_frame_ns = start_ns
        self.end_ns = start_ns + int(seconds * 1_000_000_000) if seconds else NEVER
        feed = self._account({**VENUE, **ACCOUNT}, venue or {})
        m.par = scaled(preset, start_px, price_decimals + size_decimals, feed)
        m.window = m.par.window
        self._memory()
        for i, (at_ns, kind, a, b) in enumerate(incidents):
            m.script[i].time_ns = start_ns + at_ns
            m.script[i].kind, m.script[i].a, m.script[i].b = kind, a, b
        m.n_script = len(incidents)
        for i in range(5):
            rng_seed(&m.rng[i], seed, i + 1)
        m.budget_add = sim_budget(rng_exponential(&m.rng[RNG_LIMIT]))
        m.budget_cancel = sim_budget(rng_exponential(&m.rng[RNG_CANCEL]))
        m.budget_take = sim_budget(rng_exponential(&m.rng[RNG_TAKER]))
        m.x = start_px << 10
        m.index_x = m.x << 12
        m.mark = m.mark_last = start_px
        m.spread_times = m.burst_times = 1
        m.next_order_id = 1
        m.nonce = 1
        m.offset = 1
        m.next_stats_ns = start_ns + 1_000_000_000
        m.next_funding_ns = (start_ns // 3_600_000_000_000 + 1) * 3_600_000_000_000
        m.last_funding_ns = m.next_funding_ns - 3_600_000_000_000
        m.funding_ppm = m.funding_paid_ppm = 12
        sim_open(m)

    def __dealloc__(self):
        if self.sim != NULL:
            free(self.sim.level)
            free(self.sim.tree)
            free(self.sim.order)
            free(self.sim.dirty_px)
            free(self.sim.changed)
            free(self.sim.pending)
            free(self.sim.report)
            free(self.sim.request)
            free(self.sim.out)
            free(self.sim.trade)
            free(self.sim)

    def _account(self, known, given):
        """Set the venue's treatment of us, return (feed_ns, feed_sigma_ppm); no unknown names."""
        cdef Sim *m = self.sim
        for name in given:
            if name not in known:
                raise ValueError(f"venue field {name!r} is not one of {', '.join(known)}")
        v = {**known, **given}
        for name, value in given.items():
            if value < 0 and name not in ("maker_ppm", "taker_ppm"):
                raise ValueError(f"venue field {name} = {value} is negative")
        if v["requests_per_min"] > SIM_REQUESTS:
            raise ValueError(f"requests_per_min {v['requests_per_min']} is above {SIM_REQUESTS}")
        m.balance, m.margin_ppm = v.pop("balance"), v.pop("margin_ppm")
        feed = v.pop("feed_ns"), v.pop("feed_sigma_ppm")
        m.venue = v
        return feed

    def _memory(self):
        """Take all memory the market will ever use, and chain the free orders."""
        cdef Sim *m = self.sim
        cdef int64_t i
        m.level = <SimLevel *> lines(m.window * sizeof(SimLevel))
        m.tree = <int32_t *> lines((m.window + 1) * sizeof(int32_t))
        m.order = <SimOrder *> lines(SIM_ORDERS * sizeof(m.order[0]))
        m.dirty_px = <px_t *> lines(SIM_DIRTY * sizeof(px_t))
        m.changed = <px_t *> lines(2 * SIM_DIRTY * sizeof(px_t))
        m.pending = <SimPending *> lines(SIM_QUEUE * sizeof(m.pending[0]))
        m.report = <Report *> lines(SIM_QUEUE * sizeof(Report))
        m.request = <ns_t *> lines(SIM_REQUESTS * sizeof(ns_t))
        m.out = <SimOut *> lines(SIM_ROWS * sizeof(SimOut))
        m.trade = <SimTrade *> lines(SIM_TRADES * sizeof(m.trade[0]))
        if (m.level == NULL or m.tree == NULL or m.order == NULL or m.dirty_px == NULL
                or m.changed == NULL or m.pending == NULL or m.report == NULL
                or m.request == NULL or m.out == NULL or m.trade == NULL):
            raise MemoryError("no memory for a market")
        for i in range(SIM_ORDERS):
            m.order[i].next = <int>(i + 1) if i + 1 < SIM_ORDERS else -1
        for i in range(m.window):
            m.level[i].head = m.level[i].tail = -1

    # -- verbs for lane.pyx ------------------------------------------------------------------

    cdef int failed(self) noexcept nogil:
        """Return 1 when a reader that did not read made the market lose something."""
        return (self.sim.rows_lost or self.sim.reports_lost or self.sim.trades_lost) != 0

    cdef ns_t peek(self) noexcept nogil:
        """Return the receive time of the next row, NEVER when there is none; simulate as needed.

        Afterwards every report due at or before that time is known.
        """
        cdef Sim *m = self.sim
        cdef SimOut *head = NULL
        while True:
            while m.n_out:
                head = m.out + (m.out_head & (SIM_ROWS - 1))
                if head.face != FACE_FRAME:
                    break
                m.out_head += 1
                m.n_out -= 1
            if m.n_out:
                break
            if self.ended or self.failed():
                return NEVER
            self.advance(m.clock_ns + SIM_STEP_NS)
        self.advance(head.row.recv_ns - m.venue.response_ns)
        return head.row.recv_ns

    cdef int next(self, Row *row) noexcept nogil:
        """Copy the next row and return 1; 0 at the end, -1 when the market has failed."""
        cdef Sim *m = self.sim
        if self.peek() == NEVER:
            return -1 if self.failed() else 0
        row[0] = m.out[m.out_head & (SIM_ROWS - 1)].row
        m.out_head += 1
        m.n_out -= 1
        return 1

    cdef int command(self, const Command *command, ns_t now) noexcept nogil:
        """Send a command at `now`; return 0, or -1 when too many are under way."""
        return sim_send(self.sim, command, now)

    cdef void advance(self, ns_t now) noexcept nogil:
        """Simulate until the market's clock has reached `now`, in steps of 1 ms."""
        cdef Sim *m = self.sim
        cdef SimOut *out
        while m.clock_ns < now and not self.ended:
            sim_step(m)
            if m.clock_ns >= self.end_ns:
                self.ended = 1
                sim_message(m)
                out = sim_push(m, FACE_ROW, ROW_STATUS, BID, STATUS_END, 0, 0, 0)
                out.row.eom = 1

    cdef ns_t due(self) noexcept nogil:
        """Return when the next report arrives, NEVER when none is known."""
        return self.sim.report[self.sim.report_head].time_ns if self.sim.n_report else NEVER

    cdef int report(self, ns_t now, Report *report) noexcept nogil:
        """Take the next report that arrived at or before `now`; return 1, or 0 when none has."""
        cdef Sim *m = self.sim
        if m.n_report == 0 or m.report[m.report_head].time_ns > now:
            return 0
        report[0] = m.report[m.report_head]
        m.report_head = (m.report_head + 1) % SIM_QUEUE
        m.n_report -= 1
        return 1

    # -- Python face -------------------------------------------------------------------------

    def _check(self):
        if self.failed():
            raise RuntimeError(
                f"market lost {self.sim.rows_lost} rows, {self.sim.reports_lost} reports and "
                f"{self.sim.trades_lost} trades that nobody read in time"
            )

    def __iter__(self):
        return self

    def __next__(self):
        """Return the next row: (recv_ns, exch_ns, kind, side, px, qty, id, flags, eom)."""
        cdef Row row
        if self.next(&row) != 1:
            self._check()
            raise StopIteration
        return (row.recv_ns, row.exch_ns, row.kind, row.side, row.px, row.qty, row.id, row.flags,
                row.eom)

    def next_time(self):
        """Return the receive time of the next row, None after the end."""
        at = self.peek()
        return None if at == NEVER else at

    def run(self, ns_t until_ns):
        """Simulate until the clock has reached `until_ns` (absolute, ns)."""
        self.advance(until_ns)
        self._check()

    def rows(self):
        """Take every row that has left the venue so far, as tuples."""
        cdef Sim *m = self.sim
        cdef Row *row
        cdef list taken = []
        while m.n_out:
            if m.out[m.out_head & (SIM_ROWS - 1)].face != FACE_FRAME:
                row = &m.out[m.out_head & (SIM_ROWS - 1)].row
                taken.append((row.recv_ns, row.exch_ns, row.kind, row.side, row.px, row.qty,
                              row.id, row.flags, row.eom))
            m.out_head += 1
            m.n_out -= 1
        return taken

    def fills(self, after=0):
        """Return the fills above an id that the feed has yet to publish: (id, side, price, size).

        The side is the taker's. They are known when they happen, before their row leaves.
        """
        cdef Sim *m = self.sim
        cdef SimTrade *trade
        cdef int64_t i
        cdef list found = []
        for i in range(m.n_trade):
            trade = m.trade + ((m.trade_head + i) & (SIM_TRADES - 1))
            if trade.id > after:
                found.append((trade.id, trade.side, trade.px, trade.qty))
        return found

    def skip(self):
        """Forget every row that has left the venue so far; return how many."""
        n = self.sim.n_out
        self.sim.out_head += n
        self.sim.n_out = 0
        return n

    def frames(self, seconds):
        """Yield the venue's JSON frames that leave in the next `seconds`: (recv_ns, bytes).

        Takes the rows as it goes: one market serves either rows or frames.
        """
        cdef Sim *m = self.sim
        cdef SimOut *out
        cdef ns_t until = m.clock_ns + int(seconds * 1_000_000_000)
        rows = []
        while True:
            while m.n_out:
                out = m.out + (m.out_head & (SIM_ROWS - 1))
                m.out_head += 1
                m.n_out -= 1
                if out.face == FACE_ROW:
                    continue
                rows.append((chr(out.row.kind), out.row.side, out.row.px, out.row.qty, out.row.id,
                             out.row.flags, out.row.exch_ns, out.leave_ns, out.a, out.b, out.c,
                             out.d, out.e, out.f, out.own))
                if out.row.eom:
                    text = market_frames.frame(self, m.market_id, rows, m.venue.maker_ppm,
                                               m.venue.taker_ppm)
                    rows = []
                    yield out.row.recv_ns, text[: len(text) // 2] if out.malformed else text
            if m.clock_ns >= until or self.ended:
                return
            self.advance(m.clock_ns + SIM_STEP_NS)
            self._check()

    def send(self, kind, ns_t now, order_id=0, int side=BID, px_t px=0, int64_t qty=0,
             tif=TIF_POST_ONLY, expiry_ns=NEVER, reduce_only=False):
        """Send one command at `now` (ns); RuntimeError when too many are under way."""
        cdef Command command
        memset(&command, 0, sizeof(Command))
        if side not in (BID, ASK):
            raise ValueError(f"side {side} is neither 0 (bid) nor 1 (ask)")
        command.kind = kind
        command.order_id = order_id
        command.side = side
        command.px = px
        command.qty = qty
        command.tif = tif
        command.expiry_ns = expiry_ns
        command.reduce_only = reduce_only
        command.tick_ns = now
        command.market = self.sim.market_id
        if self.command(&command, now):
            raise RuntimeError(f"{SIM_QUEUE} commands are under way, no more fit")

    def place(self, ns_t now, order_id, int side, px, qty, tif=TIF_POST_ONLY, **more):
        """Send a new order."""
        self.send(CMD_PLACE, now, order_id, side, px, qty, tif, **more)

    def amend(self, ns_t now, order_id, px, qty):
        """Send a new price and total size for an order."""
        self.send(CMD_AMEND, now, order_id, BID, px, qty)

    def cancel(self, ns_t now, order_id):
        """Send a cancel."""
        self.send(CMD_CANCEL, now, order_id)

    def cancel_all(self, ns_t now):
        """Send a cancel of everything."""
        self.send(CMD_CANCEL_ALL, now)

    def reports(self, now=None):
        """Take the reports that arrived at or before `now`, all when None, as dicts."""
        cdef Report report
        taken = []
        while self.report(NEVER if now is None else now, &report):
            taken.append(report)
        return taken

    def levels(self, int side, int count=10):
        """Return the best levels of the true book: (price, size, orders, our size)."""
        cdef Sim *m = self.sim
        cdef px_t px = m.best[side]
        cdef SimLevel *level
        cdef int node
        found = []
        while px and len(found) < count:
            level = sim_level(m, px)
            ours = 0
            node = level.head
            while node >= 0:
                if m.order[node].own >= 0:
                    ours += m.order[node].qty
                node = m.order[node].next
            found.append((px, level.qty, level.n, ours))
            px = sim_next(m, side, px - 1 if side == BID else px + 1)
        return found

    def queue(self, int side, px_t px):
        """Return the orders at a price, first in the queue first: (id, size, ours or not)."""
        cdef Sim *m = self.sim
        cdef SimLevel *level = sim_level(m, px)
        cdef int node = level.head if level.n and level.side == side else -1
        found = []
        while node >= 0:
            found.append((m.order[node].id, m.order[node].qty, m.order[node].own >= 0))
            node = m.order[node].next
        return found

    @property
    def clock_ns(self):
        """Time of the market's clock, ns."""
        return self.sim.clock_ns

    @property
    def fair(self):
        """Fair price in 1/1024 tick."""
        return self.sim.x

    @property
    def account(self):
        """What the venue holds for us: position, cash, fees, funding, fills, open orders."""
        cdef Sim *m = self.sim
        return {"pos": m.pos, "cash": m.cash, "fees": m.fees, "funding": m.funding,
                "fills": m.own_fills, "open": m.n_own, "mark": m.mark}

    @property
    def counters(self):
        """Counters of the model since the start."""
        cdef Sim *m = self.sim
        return {"steps": m.steps, "adds": m.adds, "cancels": m.cancels, "takers": m.takers,
                "frames": m.frames, "live": m.live, "traded_qty": m.traded_qty,
                "printed_qty": m.printed_qty, "lost_prints_qty": m.lost_prints_qty,
                "waiting_trades": m.n_trade, "pool_full": m.pool_full,
                "commands_late": m.commands_late, "active": bool(m.active)}
