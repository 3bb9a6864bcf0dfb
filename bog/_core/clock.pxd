"""The host's clocks for Cython: says what clock.h says."""

from bog._core.types cimport ns_t

cdef extern from "clock.h" nogil:
    ns_t mono_ns "bog_mono_ns"()
    void nap "bog_nap"(ns_t ns)
