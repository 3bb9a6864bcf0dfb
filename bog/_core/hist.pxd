"""Histogram of nanoseconds for Cython: says what hist.h says."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from "hist.h" nogil:
    enum: HIST_BUCKETS "BOG_HIST_BUCKETS"

    ctypedef struct Hist "bog_hist_t":
        uint64_t count
        uint64_t max_ns
        uint64_t sum_ns
        uint64_t bucket[496]

    int hist_index "bog_hist_index"(uint64_t v)
    uint64_t hist_floor "bog_hist_floor"(int i)
    void hist_add "bog_hist_add"(Hist *hist, int64_t ns)
    uint64_t hist_quantile "bog_hist_quantile"(const Hist *hist, int64_t ppm)
