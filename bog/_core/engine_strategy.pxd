"""Think: the quote of the configured strategy, its numbers, its clock and its life."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from bog._core.apart cimport apart_void
from bog._core.engine_state cimport Engine, Out, engine_record
from bog._core.inventory cimport Model, inventory_quote
from bog._core.lifecycle cimport (
    TRUTH_BOOK, TRUTH_COLD, TRUTH_DRAIN, TRUTH_GONE, TRUTH_PAUSE, TRUTH_WARM, lifecycle_next,
)
from bog._core.orders cimport highest_bit
from bog._core.quota cimport quota_short, quota_trade
from bog._core.strategy cimport strategy_quote
from bog._core.types cimport (
    BID, J_MODEL, J_STRATEGY, LEVEL_DRAIN, LEVEL_PAUSED, NUMBERS, STRATEGY_INVENTORY, JournalRec,
    qty_t,
)
from bog._core.volatility cimport volatility_sample


cdef inline void engine_quote(Engine *e) noexcept nogil:
    """Write what the strategy wants at this book and position into the engine's quote."""
    if e.params.kind == STRATEGY_INVENTORY or e.params.own_in_book:
        engine_quote_else(e)
    else:
        strategy_quote(&e.params, &e.book, e.orders.slot, 0, e.position.pos, &e.quote)


cdef inline apart_void engine_quote_else(Engine *e) noexcept nogil:
    """Do the same for a strategy with a memory, and on a book in which our own orders stand."""
    cdef int n = highest_bit(e.orders.live) + 1 if e.params.own_in_book else 0
    if e.params.kind == STRATEGY_INVENTORY:
        inventory_quote(
            &e.params, &e.memory, &e.book, e.orders.slot, n, e.position.pos, &e.quote
        )
    else:
        strategy_quote(&e.params, &e.book, e.orders.slot, n, e.position.pos, &e.quote)


cdef inline int engine_frugal(const Engine *e, int side, qty_t qty) noexcept nogil:
    """Return 1 when the quota leaves no create or amend of `qty` lots on `side` now.

    Reducing is an order of which any fill can only bring the position nearer to flat.
    """
    if e.params.quota_start <= 0:
        return 0
    return quota_short(
        &e.memory.quota, &e.params,
        qty <= (-e.position.pos if side == BID else e.position.pos), e.now_ns,
    )


cdef inline void engine_on_beat(Engine *e) noexcept nogil:
    """Take the sample of 100 ms, and credit what was traded since the last one."""
    quota_trade(&e.memory.quota, &e.params, e.position.volume)
    if e.params.kind == STRATEGY_INVENTORY:
        volatility_sample(&e.memory.volatility, &e.params, e.mid2 if e.book_ok else 0, e.now_ns)


cdef inline void engine_on_model(Engine *e, const Model *model, Out *out) noexcept nogil:
    """Quote on these numbers from now on; journal those that changed."""
    cdef JournalRec *rec
    cdef int i
    for i in range(NUMBERS):
        if e.memory.model.steps == 0 or model.number_q16[i] != e.memory.model.number_q16[i]:
            rec = engine_record(e, out, J_MODEL)
            rec.id = <uint64_t>i
            rec.val = model.number_q16[i]
    memcpy(&e.memory.model, model, sizeof(Model))
    e.pending = 1


cdef inline apart_void engine_lifecycle(Engine *e, Out *out) noexcept nogil:
    """Follow what is true of the strategy's world; journal each state that it passes."""
    cdef JournalRec *rec
    cdef int truth = TRUTH_WARM, state, _
    if e.level >= LEVEL_DRAIN:
        truth = TRUTH_DRAIN if e.orders.live else TRUTH_GONE
    elif e.level == LEVEL_PAUSED or e.risk.halt:
        truth = TRUTH_PAUSE
    elif not e.book_ok:
        truth = TRUTH_COLD
    elif e.params.kind == STRATEGY_INVENTORY and (
        e.memory.volatility.fast.samples < e.params.warm_samples or e.memory.model.steps == 0
    ):
        truth = TRUTH_BOOK
    # two steps: from the start, or from a pause, at once to where its estimates allow
    for _ in range(2):
        state = lifecycle_next(<int>e.memory.state, truth)
        if state == <int>e.memory.state:
            return
        rec = engine_record(e, out, J_STRATEGY)
        rec.state = <uint8_t>state
        rec.reason = <uint8_t>e.memory.state
        e.memory.state = <uint64_t>state
        e.pending = 1
