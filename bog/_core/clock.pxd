"""The host's clocks for Cython: says what clock.h says."""

from libc.stdint cimport uint64_t

from bog._core.types cimport ns_t

cdef extern from "clock.h" nogil:
    const ns_t CLOCK_OFF_NS "BOG_CLOCK_OFF_NS"

    ctypedef struct Clock "bog_clock_t":
        uint64_t ticks
        ns_t ns
        uint64_t far
        uint64_t rate
        uint64_t base_ticks
        ns_t base_ns

    ns_t clock_now "bog_clock_now"(Clock *clock)
    ns_t clock_done "bog_clock_done"(Clock *clock)
    ns_t mono_ns "bog_mono_ns"()
    void nap "bog_nap"(ns_t ns)
