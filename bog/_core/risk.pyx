"""A Python handle on the gate, for tests, benchmarks and notebooks."""

cimport cython
from libc.stdlib cimport free
from libc.string cimport memset

from bog._core.exposure cimport Exposure
from bog._core.memory cimport lines
from bog._core.risk cimport (
    HARD_CAPS, Caps, Moment, Risk, risk_caps, risk_check, risk_clear_halt, risk_halt, risk_init,
    risk_judge, risk_over_caps, risk_refill, risk_restore, risk_room, risk_standing, risk_take,
    risk_weigh,
)
from bog._core.types cimport BID, VERDICTS, Limits, Record, ns_t


cdef int fill_limits(Limits *limits, dict fields) except -1:
    """Set fields of `limits` by name; a name that is no limit raises ValueError."""
    for name, value in fields.items():
        if name == "max_long":
            limits.max_long = value
        elif name == "max_short":
            limits.max_short = value
        elif name == "min_order":
            limits.min_order = value
        elif name == "max_order":
            limits.max_order = value
        elif name == "min_notional":
            limits.min_notional = value
        elif name == "max_notional":
            limits.max_notional = value
        elif name == "max_exposure":
            limits.max_exposure = value
        elif name == "min_px":
            limits.min_px = value
        elif name == "max_px":
            limits.max_px = value
        elif name == "px_step":
            limits.px_step = value
        elif name == "qty_step":
            limits.qty_step = value
        elif name == "collar_ppm":
            limits.collar_ppm = value
        elif name == "drawdown_ppm":
            limits.drawdown_ppm = value
        elif name == "drawdown_min_peak":
            limits.drawdown_min_peak = value
        elif name == "max_daily_loss":
            limits.max_daily_loss = value
        elif name == "balance":
            limits.balance = value
        elif name == "max_leverage_ppm":
            limits.max_leverage_ppm = value
        elif name == "max_open_orders":
            limits.max_open_orders = value
        elif name == "rate_per_min":
            limits.rate_per_min = value
        elif name == "rate_burst":
            limits.rate_burst = value
        elif name == "rate_reserve":
            limits.rate_reserve = value
        elif name == "stale_after_ns":
            limits.stale_after_ns = value
        else:
            raise ValueError(f"{name!r} is not a limit of the gate")
    return 0


cdef dict caps_dict(const Caps *caps):
    return {"position": caps.position, "order": caps.order, "loss": caps.loss}


def caps(int px_decimals, int qty_decimals):
    """Return the caps compiled into this build for a market's decimals; None without any.

    position and order in lots, loss in quanta. A build with BOG_CAPS=conservative has them.
    """
    return conservative_caps(px_decimals, qty_decimals) if HARD_CAPS else None


def conservative_caps(int px_decimals, int qty_decimals):
    """Return the caps of BOG_CAPS=conservative for a market's decimals, in any build."""
    cdef Caps found
    if risk_caps(px_decimals, qty_decimals, &found):
        raise ValueError(f"decimals {px_decimals} and {qty_decimals} are not between 0 and 9")
    return caps_dict(&found)


def over_caps(limits, int px_decimals, int qty_decimals):
    """Return which of `limits` passes the conservative caps: a member of Cap, 0 for none."""
    cdef Caps found
    cdef Limits given
    cdef int code = risk_caps(px_decimals, qty_decimals, &found)
    memset(&given, 0, sizeof(Limits))
    fill_limits(&given, limits)
    return code if code else risk_over_caps(&given, &found)


@cython.final
cdef class RiskProbe:
    """The gate over limits, a book, a moment and an exposure that the caller sets by name.

    Prices in ticks, sizes in lots, money in quanta, equity2, daily2 and peak2 in half quanta.
    """

    cdef Risk *r
    cdef Limits *limits
    cdef Record *book
    cdef Moment m
    cdef Exposure x

    def __cinit__(self, int px_decimals=1, int qty_decimals=5, ns_t now=0, **limits):
        cdef int over
        self.r = <Risk *> lines(sizeof(Risk))
        self.limits = <Limits *> lines(sizeof(Limits))
        self.book = <Record *> lines(sizeof(Record))
        if self.r == NULL or self.limits == NULL or self.book == NULL:
            raise MemoryError("no memory for a gate")
        fill_limits(self.limits, limits)
        over = risk_init(self.r, self.limits, px_decimals, qty_decimals, now)
        if over:
            raise ValueError(f"limits pass a compiled cap: {over}")
        memset(&self.m, 0, sizeof(Moment))
        memset(&self.x, 0, sizeof(Exposure))
        self.m.now = now

    def __dealloc__(self):
        free(self.r)
        free(self.limits)
        free(self.book)

    def limit(self, **fields):
        """Change limits by name."""
        fill_limits(self.limits, fields)

    def touch(self, long long bid, long long ask, long long bid_qty=1, long long ask_qty=1):
        """Set the touch of the book."""
        self.book.bid, self.book.ask = bid, ask
        self.book.bid_qty, self.book.ask_qty = bid_qty, ask_qty

    def moment(self, **fields):
        """Set fields of the moment by name."""
        for name, value in fields.items():
            if name == "now":
                self.m.now = value
            elif name == "alive_ns":
                self.m.alive_ns = value
            elif name == "equity2":
                self.m.equity2 = value
            elif name == "daily2":
                self.m.daily2 = value
            elif name == "peak2":
                self.m.peak2 = value
            elif name == "pos":
                self.m.pos = value
            elif name == "level":
                self.m.level = value
            elif name == "connected":
                self.m.connected = value
            elif name == "room":
                self.m.room = value
            elif name == "watch":
                self.m.watch = value
            else:
                raise ValueError(f"{name!r} is not a field of the moment")

    def exposure(
        self, rem=(0, 0), live=0, best=(0, 0), top=(0, 0), own_rem=0, own_filled=0, own_top=0,
    ):
        """Set what our orders can still do, as OrdersProbe.exposure returns it."""
        cdef int side
        for side in range(2):
            self.x.rem[side], self.x.best[side] = rem[side], best[side]
            self.x.top[side] = top[side]
        self.x.live = live
        self.x.own_rem, self.x.own_filled, self.x.own_top = own_rem, own_filled, own_top

    def check(self, int side, long long px, long long qty, bint is_amend=False):
        """Return the verdict on a create or amend, and count it."""
        return risk_check(
            self.limits, self.r, self.book, &self.m, &self.x, side, px, qty, is_amend)

    def weigh(self, int side, long long px, long long qty, bint is_amend=False):
        """Return what the engine asks where `standing` allows, and what risk_judge and risk_room say."""
        cdef int weighed, judged
        weighed = risk_weigh(
            self.limits, self.r, self.book, &self.m, &self.x, side, px, qty, is_amend)
        judged = risk_judge(
            self.limits, self.r, self.book, &self.m, &self.x, side, px, qty, is_amend)
        if judged == ALLOW:
            judged = risk_room(
                self.book, &self.m, &self.x, side, px,
                qty - self.x.own_filled if is_amend else qty, is_amend)
        return weighed, judged

    def standing(self):
        """Return the verdict on whether anything may rest now."""
        return risk_standing(self.limits, self.r, self.book, &self.m)

    def take(self, ns_t now, long long live_after=0, bint is_cancel=False):
        """Take a token; return the verdict."""
        return risk_take(self.r, self.limits, now, live_after, is_cancel)

    def tokens(self, ns_t now):
        """Return the tokens in the bucket at `now`, in 1 / TOKEN."""
        risk_refill(self.r, self.limits, now)
        return self.r.tokens

    def halt(self, int reason):
        """Halt; return the new id, 0 when that reason stands already."""
        return risk_halt(self.r, reason)

    def clear_halt(self, unsigned long long halt_id):
        """Clear the halt by the newest id; return whether one was cleared."""
        return bool(risk_clear_halt(self.r, halt_id))

    def restore(self, long long halt, unsigned long long halt_id):
        """Go on with the halt of the run before."""
        risk_restore(self.r, halt, halt_id)

    def halted(self):
        """Return (newest reason, id of the last halt)."""
        return self.r.halt, self.r.halt_id

    def denied(self):
        """Return how often each verdict was given, by verdict."""
        return [self.r.denied[i] for i in range(<int>VERDICTS)]

    def churn(self, long long rounds):
        """Judge `rounds` bids at moving prices and take no token; return how many passed."""
        cdef long long i, passed = 0
        with nogil:
            for i in range(rounds):
                passed += risk_check(
                    self.limits, self.r, self.book, &self.m, &self.x, BID,
                    self.book.bid - (i & 63), 1 + (i & 7), 0) == 0
        return passed
