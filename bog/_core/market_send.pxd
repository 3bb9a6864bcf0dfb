"""The connection of the built-in market: one queue of rows for public and private messages.

All channels share it: a message never overtakes one that left before it, so that receive times
never decrease.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from bog._core.market cimport (
    FACE_FRAME, RNG_FRAME, SIM_ROWS, Sim, SimOut, SimOwn, SimStatus,
)
from bog._core.rng cimport rng_lognormal
from bog._core.types cimport BID, ns_t, px_t, qty_t


cdef inline void sim_message(Sim *m) noexcept nogil:
    """Start a message: set the time at which it is received."""
    cdef ns_t leave = m.clock_ns if m.clock_ns > m.stall_until_ns else m.stall_until_ns
    cdef ns_t arrival = leave + rng_lognormal(
        &m.rng[RNG_FRAME], m.par.feed_median, m.par.feed_sigma)
    if arrival > m.last_recv_ns:
        m.last_recv_ns = arrival


cdef inline SimOut *sim_push(
    Sim *m, int face, int kind, int side, px_t px, qty_t qty, int64_t row_id, int flags
) noexcept nogil:
    """Append one row to the message under way and return it; the last one gets `eom`."""
    cdef SimOut *out
    if m.n_out == SIM_ROWS:
        m.rows_lost += 1
        m.n_out -= 1  # the market has failed; the caller still needs a place to write
    out = m.out + ((m.out_head + m.n_out) & (SIM_ROWS - 1))
    m.n_out += 1
    out.row.gen = out.row.seq = 0
    out.row.recv_ns = m.last_recv_ns
    out.row.exch_ns = m.clock_ns - m.clock_step_ns
    out.row.px = px
    out.row.qty = qty
    out.row.id = row_id
    out.row.kind = <uint8_t>kind
    out.row.side = <uint8_t>side
    out.row.eom = 0
    out.row.flags = <uint8_t>flags
    out.row.market = m.market_id
    out.leave_ns = m.clock_ns - m.clock_step_ns
    out.face = <uint8_t>face
    out.malformed = 0
    out.own = 0
    out.a = out.b = out.c = out.d = 0
    return out


cdef inline void sim_tell_order(Sim *m, const SimOwn *own, SimStatus status) noexcept nogil:
    """Send the private frame of an order of ours; readers of rows get reports instead."""
    cdef SimOut *out
    if m.down_until_ns:
        return
    sim_message(m)
    out = sim_push(m, FACE_FRAME, c'O', own.side, own.px, own.qty, <int64_t>own.id, status)
    out.row.eom = 1
    out.own = own.tif
    out.a = <int64_t>own.venue_id
    out.b = own.filled
    out.c = own.quote
    out.d = own.expiry_ns
    out.e = own.reduce_only


cdef inline void sim_tell_position(Sim *m) noexcept nogil:
    """Send the private frame of our position."""
    cdef SimOut *out
    if m.down_until_ns:
        return
    sim_message(m)
    out = sim_push(m, FACE_FRAME, c'P', BID, m.mark, m.pos, 0, 0)
    out.row.eom = 1
    out.a = m.cost
    out.b = m.cash + m.cost + m.fees - m.funding
    out.c = m.n_own
