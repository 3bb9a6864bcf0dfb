"""The resilience breaker: closed, open after 5 failures, half-open after 30 s, closed after 2 more.

The table in connection.h is all of it but time. Above it stands whether there is a gateway at all.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from bog._core.types cimport CONNECTION_HALF_OPEN, CONNECTION_LOST, CONNECTION_OPEN, ns_t

cdef extern from "connection.h" nogil:
    const ns_t CONNECTION_WAIT_NS "BOG_CONNECTION_WAIT_NS"

    cpdef enum Attempt "bog_attempt":
        ATTEMPT_FAILED "BOG_ATTEMPT_FAILED"
        ATTEMPT_DONE "BOG_ATTEMPT_DONE"
        ATTEMPT_LOST "BOG_ATTEMPT_LOST"
        ATTEMPT_FOUND "BOG_ATTEMPT_FOUND"

    ctypedef struct Connection "bog_connection_t":
        ns_t since_ns
        uint32_t state
        uint32_t breaker
        uint32_t count
        uint32_t lost

    ctypedef struct ConnectionRule "bog_connection_rule_t":
        uint8_t count
        uint8_t next

    const ConnectionRule connection_rules "bog_connection_rules"[3][2]


cdef inline int connection_shown(Connection *c) noexcept nogil:
    """Bring `state` up to date; return 1 when it changed."""
    cdef uint32_t state = CONNECTION_LOST if c.lost else c.breaker
    if c.state == state:
        return 0
    c.state = state
    return 1


cdef inline int connection_time(Connection *c, ns_t now) noexcept nogil:
    """Let time pass: half-open once it was open for 30 s. Return 1 when the state changed."""
    if c.breaker != CONNECTION_OPEN or now - c.since_ns < CONNECTION_WAIT_NS:
        return 0
    c.breaker = CONNECTION_HALF_OPEN
    c.since_ns = now
    c.count = 0
    return connection_shown(c)


cdef inline int connection_on(Connection *c, uint64_t attempt, ns_t now) noexcept nogil:
    """Take the outcome of an attempt (enum Attempt); return 1 when the state changed."""
    cdef int done = 1 if attempt == ATTEMPT_DONE else 0
    cdef const ConnectionRule *rule = &connection_rules[c.breaker][done]
    if attempt == ATTEMPT_LOST or attempt == ATTEMPT_FOUND:
        c.lost = attempt == ATTEMPT_LOST
        return connection_shown(c)
    if rule.count == 0:
        c.count = 0
        return 0
    c.count += 1
    if c.count < rule.count:
        return 0
    c.breaker = rule.next
    c.since_ns = now
    c.count = 0
    return connection_shown(c)
