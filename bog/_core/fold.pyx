"""The fold of a journal: its records back into the account, exactly as the engine had it.

The position is booked by the engine's own verbs, and an order is in the state that the engine wrote
into the record, so that this file holds no second rule of either.
"""

cimport cython
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from bog._core.memory cimport lines
from bog._core.position cimport (
    position_adopt, position_fill, position_funding, position_funding_is_new, position_holds,
    position_trade,
)
from bog._core.types cimport (
    BID, HALT_NONE, J_ACK, J_ADOPT, J_AMEND, J_AMENDED, J_AMEND_REJECT, J_ASKED, J_CANCEL,
    J_CANCELED, J_CANCEL_ALL, J_CLEAR_HALT, J_CONNECTION, J_DAY, J_DENIED, J_FILL, J_FLATTENED,
    J_FUNDING, J_HALT, J_LEVEL, J_LIMIT, J_ORDER, J_PEAK, J_PLACE, J_READY, J_RUN, J_STATE,
    J_UNKNOWN, LIMITS, ORDER_AMEND_SENT, ORDER_CANCEL_SENT, ORDER_FILLED, ORDER_IN_FLIGHT,
    REJ_RESTART, STATE_WORDS, W_CASH, W_COMMANDS, W_COST, W_DAY, W_DAY_OPEN, W_FEES, W_FILLS,
    W_FUNDED, W_FUNDING, W_HALT, W_HALT_ID, W_LAST_NS, W_LEVEL, W_MARK2, W_NEXT_ORDER_ID, W_PEAK,
    W_POS, W_REALIZED, W_TRADE, W_VOLUME, JournalRec, Position,
)


@cython.final
cdef class OpenOrder:
    """An order not proven dead: price in ticks, sizes in lots, `state` of enum OrderState."""

    cdef readonly uint64_t id
    cdef readonly int side
    cdef readonly int64_t px
    cdef readonly int64_t qty
    cdef readonly int64_t filled
    cdef readonly int state
    cdef readonly int64_t amend_px   # wanted by an amend that nobody answered; 0 when none
    cdef readonly int64_t amend_qty

    def worst(self):
        """Return the price and the total size that the order may have at worst."""
        if not self.amend_qty:
            return self.px, self.qty
        best = max if self.side == BID else min
        return best(self.px, self.amend_px), max(self.qty, self.amend_qty)

    def __repr__(self):
        return (
            f"OpenOrder(id={self.id}, side={self.side}, px={self.px}, qty={self.qty}, "
            f"filled={self.filled}, state={self.state})"
        )

    def __eq__(self, other):
        return isinstance(other, OpenOrder) and repr(self) == repr(other)

    def __hash__(self):
        return hash(self.id)


@cython.final
cdef class Tightened:
    """A limit (enum Limit) that user `uid` tightened to `value`, from what was configured then."""

    cdef readonly int limit
    cdef readonly int64_t value
    cdef readonly int64_t configured
    cdef readonly int64_t uid

    def __repr__(self):
        return (
            f"Tightened(limit={self.limit}, value={self.value}, configured={self.configured}, "
            f"uid={self.uid})"
        )

    def __eq__(self, other):
        return isinstance(other, Tightened) and repr(self) == repr(other)

    def __hash__(self):
        return hash(repr(self))


@cython.final
cdef class Fold:
    """The exact replay of one run's records to the state words, the orders alive, and the limits that
    were tightened, by their number.
    """

    cdef Position *position
    cdef int64_t word[20]  # STATE_WORDS, by enum StateWord
    cdef int64_t last_ns
    cdef int seen
    cdef readonly bint ready
    cdef readonly dict orders
    cdef readonly dict limits

    def __cinit__(self):
        cdef int i
        self.position = <Position *> lines(sizeof(Position))
        if self.position == NULL:
            raise MemoryError("no memory for a position")
        for i in range(STATE_WORDS):
            self.word[i] = 0
        self.word[<int> W_NEXT_ORDER_ID] = 1
        self.last_ns = INT64_MIN
        self.orders = {}
        self.limits = {}

    def __dealloc__(self):
        free(self.position)

    @property
    def words(self):
        """The 20 words of enum StateWord."""
        cdef int i
        self.word[<int> W_POS] = self.position.pos
        self.word[<int> W_COST] = self.position.cost
        self.word[<int> W_CASH] = self.position.cash
        self.word[<int> W_REALIZED] = self.position.realized
        self.word[<int> W_FEES] = self.position.fees
        self.word[<int> W_FUNDING] = self.position.funding
        self.word[<int> W_VOLUME] = self.position.volume
        self.word[<int> W_FILLS] = <int64_t> self.position.fills
        self.word[<int> W_TRADE] = <int64_t> self.position.trade
        self.word[<int> W_FUNDED] = <int64_t> self.position.funded
        return tuple([self.word[i] for i in range(STATE_WORDS)])

    @property
    def adds_up(self):
        """Whether cash = realized - cost - fees + funding, and a flat position has no cost."""
        return bool(
            position_holds(self.position) and (self.position.pos != 0 or self.position.cost == 0)
        )

    def extend(self, const uint8_t[::1] data):
        """Apply every record in `data`, in the layout of the disk."""
        cdef uint64_t n, count = data.shape[0] // sizeof(JournalRec)
        cdef JournalRec rec
        for n in range(count):
            memcpy(&rec, &data[n * sizeof(JournalRec)], sizeof(JournalRec))
            self.take(&rec)

    def apply(self, const uint8_t[::1] data):
        """Apply the one record in `data`; return "" or, when no sound engine writes it, why.

        It is applied all the same: a fill is money, whatever we think of it.
        """
        cdef JournalRec rec
        if data.shape[0] != sizeof(JournalRec):
            raise ValueError(f"a record has {sizeof(JournalRec)} bytes, not {data.shape[0]}")
        memcpy(&rec, &data[0], sizeof(JournalRec))
        return self.take(&rec)

    cdef str take(self, const JournalRec *rec):
        """Apply one record; return "" or what is implausible about it."""
        cdef str doubt = ""
        cdef int kind = rec.kind
        if kind == J_STATE:
            return self.carry(rec)
        if kind == J_READY:
            if self.ready or self.seen != STATE_WORDS:
                doubt = f"ready after {self.seen} state words instead of {STATE_WORDS}"
            self.ready = True
            return doubt
        if not self.ready:
            if kind == J_RUN and self.seen == 0:
                return ""
            if kind == J_CANCELED and rec.reason == REJ_RESTART:
                return ""
            if kind == J_ORDER and self.seen == STATE_WORDS:
                self.carry_order(rec)
                return ""
            if kind == J_LIMIT and self.seen == STATE_WORDS:
                return self.tighten(rec)
            doubt = f"kind {kind} before the carried state is complete"
        elif rec.time_ns < self.last_ns:
            doubt = f"time goes back by {self.last_ns - rec.time_ns} ns"
        self.last_ns = self.word[<int> W_LAST_NS] = rec.time_ns
        if J_PLACE <= kind <= J_CANCEL_ALL:
            self.word[<int> W_COMMANDS] += 1
        if J_PLACE <= kind <= J_UNKNOWN and kind != J_CANCEL_ALL:
            doubt = self.order(rec) or doubt
        elif kind == J_FUNDING:
            if not position_funding_is_new(self.position, rec.aux):
                doubt = f"the funding of second {rec.aux} is booked again"
            elif position_funding(self.position, rec.val):
                doubt = "the funding overflows the position"
        elif kind == J_ADOPT:
            if position_adopt(self.position, rec.side, <int64_t> rec.id, rec.val):
                doubt = f"a position of {rec.id} lots that cost {rec.val} cannot be"
        elif kind == J_PEAK:
            self.word[<int> W_PEAK] = rec.val
            self.word[<int> W_MARK2] = rec.px
        elif kind == J_DAY:
            if <int64_t> rec.id < self.word[<int> W_DAY]:
                doubt = f"the day goes back from {self.word[<int> W_DAY]} to {rec.id}"
            self.word[<int> W_DAY] = <int64_t> rec.id
            self.word[<int> W_DAY_OPEN] = rec.val
            self.word[<int> W_PEAK] = 0
            self.word[<int> W_MARK2] = rec.px
        elif kind == J_HALT:
            self.word[<int> W_HALT] = rec.reason
            self.word[<int> W_HALT_ID] = <int64_t> rec.id
        elif kind == J_CLEAR_HALT:
            if (self.word[<int> W_HALT] == HALT_NONE or
                    <int64_t> rec.id != self.word[<int> W_HALT_ID]):
                doubt = f"halt {rec.id} is cleared and does not stand"
            self.word[<int> W_HALT] = HALT_NONE
        elif kind == J_LEVEL:
            self.word[<int> W_LEVEL] = rec.state
        elif kind == J_LIMIT:
            doubt = self.tighten(rec) or doubt
        elif not (
            kind == J_CANCEL_ALL or J_DENIED <= kind <= J_CONNECTION
            or kind == J_ASKED or kind == J_FLATTENED
        ):
            doubt = f"kind {kind} is not expected here"
        return doubt

    cdef str carry(self, const JournalRec *rec):
        """Take one word of carried state."""
        cdef Position *p = self.position
        cdef int at = rec.reason
        if at >= STATE_WORDS:
            return f"state word {at} is unknown"
        cdef str doubt = ""
        if self.ready or at != self.seen:
            doubt = f"state word {at} is misplaced"
        self.seen += 1
        self.word[at] = rec.val
        if at == W_POS:
            p.pos = rec.val
        elif at == W_COST:
            p.cost = rec.val
        elif at == W_CASH:
            p.cash = rec.val
        elif at == W_REALIZED:
            p.realized = rec.val
        elif at == W_FEES:
            p.fees = rec.val
        elif at == W_FUNDING:
            p.funding = rec.val
        elif at == W_VOLUME:
            p.volume = rec.val
        elif at == W_FILLS:
            p.fills = <uint64_t> rec.val
        elif at == W_TRADE:
            p.trade = <uint64_t> rec.val
        elif at == W_FUNDED:
            p.funded = <uint64_t> rec.val
        return doubt

    cdef str tighten(self, const JournalRec *rec):
        """Take a limit that an operator tightened; the tighter one stays, whatever a record says."""
        cdef Tightened limit = Tightened.__new__(Tightened), before = self.limits.get(rec.reason)
        limit.limit, limit.value, limit.configured = rec.reason, rec.val, rec.px
        limit.uid = rec.aux
        if not 0 < rec.reason < LIMITS:
            return f"limit {rec.reason} is unknown"
        if not 0 < rec.val < (rec.px if before is None else before.value):
            return f"limit {rec.reason} of {rec.val} is not tighter than before"
        self.limits[rec.reason] = limit
        return ""

    cdef carry_order(self, const JournalRec *rec):
        """Take an order that was alive when the file before was turned over."""
        cdef OpenOrder order = OpenOrder.__new__(OpenOrder)
        order.id, order.side, order.px, order.qty = rec.id, rec.side, rec.px, rec.qty
        order.filled, order.state = rec.val, rec.state
        self.orders[rec.id] = order

    cdef str order(self, const JournalRec *rec):
        """Apply an intent or a report about one order, fills to the position first of all."""
        cdef str doubt = ""
        cdef OpenOrder order
        cdef int kind = rec.kind
        if kind == J_FILL and position_fill(
            self.position, rec.side, rec.px, rec.qty, rec.val
        ):
            doubt = f"fill of {rec.qty} lots at {rec.px} ticks cannot be booked"
        elif kind == J_FILL:
            position_trade(self.position, rec.aux)
        if kind == J_PLACE:
            if <int64_t> rec.id < self.word[<int> W_NEXT_ORDER_ID]:
                doubt = f"order id {rec.id} is used again"
            else:
                self.word[<int> W_NEXT_ORDER_ID] = <int64_t> rec.id + 1
            order = OpenOrder.__new__(OpenOrder)
            order.id, order.side, order.px, order.qty = rec.id, rec.side, rec.px, rec.qty
            order.state = ORDER_IN_FLIGHT
            self.orders[rec.id] = order
            return doubt
        order = self.orders.get(rec.id)
        if order is None:
            # word about an order that died meanwhile is late, not wrong
            if rec.id == 0 or <int64_t> rec.id >= self.word[<int> W_NEXT_ORDER_ID]:
                return doubt or f"order {rec.id} was never placed"
            return doubt or (f"a request for order {rec.id}, dead" if kind < J_ACK else "")
        if kind == J_AMEND:
            order.state = ORDER_AMEND_SENT
            order.amend_px, order.amend_qty = rec.px, rec.qty
            return doubt
        if kind == J_CANCEL:
            order.state = ORDER_CANCEL_SENT
            return doubt
        if kind == J_AMENDED or kind == J_AMEND_REJECT:
            order.amend_px = order.amend_qty = 0
        if kind == J_AMENDED:
            order.px, order.qty = rec.px, rec.qty
        elif kind == J_FILL:
            order.filled += rec.qty
            if rec.side != order.side:
                doubt = f"fill of order {rec.id} on the wrong side"
        order.state = rec.state
        if rec.state >= ORDER_FILLED:
            del self.orders[rec.id]
        elif rec.state == 0 and not doubt:
            doubt = f"order {rec.id} has no state"
        return doubt
